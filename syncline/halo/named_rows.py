"""Rows of Halo's own set-up that are known by name: reports, dashboards, custom tables.

One of ours is told from one of somebody else's by a remark that it carries. What differs is told
field by field; a field that Halo does not show proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncline.errors import Doubtful
from syncline.halo.client import HaloClient
from syncline.halo.models import HaloRow, Text, whole
from syncline.halo.paging import PageWalk
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

WIDGETS = "widgets"
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class NamedKind:
    """One entity of this sort.

    Attributes:
        noun: what people call it.
        path: of the entity.
        key: under which a list of them comes.
    """

    noun: str
    path: str
    key: str

    def walk(self) -> PageWalk:
        """A walk over all of them."""
        return PageWalk(key=self.key)


class NamedRow(HaloRow):
    """A report, dashboard or custom table, with what a list or a single read shows of it."""

    name: Text = ""
    db_name: Text = ""

    def carries(self, remark: str) -> bool:
        """Whether our remark stands anywhere on it."""
        return remark in _flat_text(self.raw)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that stands otherwise than it should; None: it is not there at all."""

    field: str
    stands: str | None
    wanted: str | None


def get_row(client: HaloClient, permit: Permit, kind: NamedKind, row_id: int) -> NamedRow:
    """One row with its details.

    Raises:
        Absent: there is no such row.
        Unreadable: the answer is not one row.
    """
    return read_one(client, permit, kind.path, row_id, NamedRow)


def save_row(
    client: HaloClient, permit: Permit, kind: NamedKind, body: Mapping[str, Any]
) -> NamedRow:
    """Create or update one row: with an `id` it is an update.

    Raises:
        Doubtful: the outcome is unknown.
        MissingScope: our application may not.
        Rejected: Halo refused.
    """
    rows = save(client, permit, kind.path, [body], NamedRow)
    if len(rows) != 1:
        raise Doubtful(
            f"Halo answered POST {kind.path} of one element with {len(rows)}.",
            remedy="It is looked up before it is sent again.",
            call_id=permit.call_id,
        )
    return rows[0]


def delete_row(client: HaloClient, permit: Permit, kind: NamedKind, row_id: int) -> None:
    """Remove one row.

    Raises:
        Absent: there is no such row.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{kind.path}/{row_id}", permit)


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


def _flat_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(_flat_text(one) for one in value.values())
    if isinstance(value, list):
        return "\n".join(_flat_text(one) for one in value)
    return value if isinstance(value, str) else ""
