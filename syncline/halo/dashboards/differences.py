"""How a report, a dashboard or a custom table in Halo differs from what it should be.

What differs is told field by field; a field that Halo does not show proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncline.halo.models import whole

WIDGETS = "widgets"
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs from what it should be; None: it is not there at all."""

    field: str
    stands: str | None
    wanted: str | None


def changes(standing: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """The fields of a body that Halo shows otherwise.

    Widgets are matched by their name in the grid, so their order says nothing. HTML that holds
    figures is as wanted as long as it carries its remark: its figures are somebody else's.
    """
    found = []
    for name, value in wanted.items():
        if name not in standing or name.startswith("_"):
            continue
        if name == WIDGETS:
            found += _widgets(standing[name], value)
        elif _plain(standing[name]) != _plain(value):
            found.append(_change(name, standing[name], value))
    return found


def with_ids(standing: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """A body whose widgets carry the ids of those that stand, so that none is doubled."""
    known = {one.get("i"): one.get("id") for one in _rows(standing.get(WIDGETS))}
    if WIDGETS not in body:
        return dict(body)
    widgets = [
        one if known.get(one["i"]) is None else {**one, "id": known[one["i"]]}
        for one in body[WIDGETS]
    ]
    return {**body, WIDGETS: widgets}


def _widgets(standing: Any, wanted: list[Mapping[str, Any]]) -> list[Change]:
    there = {str(one.get("i")): one for one in _rows(standing)}
    found = []
    for one in wanted:
        name = f"widget {one['i']}"
        stands = there.pop(one["i"], None)
        if stands is None:
            found.append(Change(name, None, str(one.get("title") or one["i"])))
            continue
        found += [
            _change(f"{name} {field}", stands[field], value)
            for field, value in one.items()
            if field in stands and not _same(field, stands[field], value)
        ]
    extra = [f"{one.get('title') or key}" for key, one in there.items()]
    return found + [Change("widget", name, None) for name in extra]


def _same(field: str, stands: Any, wanted: Any) -> bool:
    if field == "custom_html" and (remark := _remark(str(wanted))):
        return remark in str(stands)
    return _plain(stands) == _plain(wanted)


def _remark(html: str) -> str:
    """The remark of HTML whose figures change: what stands in its last small print."""
    _, _, rest = html.partition('<small class="figures">')
    return rest.partition("</small>")[0]


def _change(field: str, stands: Any, wanted: Any) -> Change:
    return Change(field, _short(stands), _short(wanted))


def _short(value: Any) -> str:
    text = _plain(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _plain(value: Any) -> str:
    """A value as text in which equal values are equal: 12, 12.0 and "12"; nothing and None."""
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    number = whole(value)
    return " ".join(str(value).split()) if number is None else str(number)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
