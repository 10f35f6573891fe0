"""What parked deliveries have in common: a reason without what differs from record to record.

Everything here is SQL over the columns of `delivery`, so that a hundred thousand rows become a few
causes where they stand.
"""

from __future__ import annotations

from typing import Final

VARIES: Final = "…"
"""Stands for what differs between records of one cause."""

HALO_SAYS: Final = "Halo says: "
HIGHLEVEL_SAYS: Final = "HighLevel says: "
"""Before a reason that is the other side's own words, so that nobody takes ours for them."""

_LEAST_ID: Final = 12
"""Shortest source id that is looked for by its letters: a shorter one may be part of a word."""

_APART: Final = r"[^\s.,;:!?)\]}]"
"""A character after which a quote has not ended: `O'Brien`."""

_TOKEN: Final = r"[^\s,;:/()<>=\[\]{}\"'`“”…]"  # noqa: S105 - a word with a digit
_TOKEN_END: Final = r"[^\s,;:/()<>=\[\]{}\"'`“”….!?]"  # noqa: S105 - the same

_VARYING: Final = "|".join(
    (
        r'"(?:[^"\\]|\\.)*"',
        rf"(?<![^\s(\[{{=:,/])'(?:[^'\\]|\\.|'(?={_APART}))*'(?!{_APART})",
        r"`[^`]*`",
        r"“[^”]*”",
        rf"{_TOKEN}*[0-9](?:{_TOKEN}*{_TOKEN_END})?",
        rf"{_TOKEN}+@(?:{_TOKEN}*{_TOKEN_END})?",
    )
)
"""Quoted values, then words with a digit (ids, amounts, dates, numbers), then e-mail addresses."""

_UNQUOTED: Final = (
    (r"wanted .*, Halo holds .*$", r"wanted …, Halo holds …"),
    (r"^The item .* (is in \w+, its order|has no price)", r"The item … \1"),
)
"""Texts of ours in which a name stands without quotes, and may be any text."""

PATTERNS: Final[dict[str, str | int]] = {
    "cause_least_id": _LEAST_ID,
    **{f"cause_unquoted_{at}": pattern for at, (pattern, _) in enumerate(_UNQUOTED)},
    **{f"cause_quoted_{at}": plain for at, (_, plain) in enumerate(_UNQUOTED)},
    "cause_varying": _VARYING,
    "cause_row": rf"{VARIES}(?:(?:, ?| and ){VARIES})+",
}
"""The parameters of a statement that uses `SAID` or `ID`."""

_WITHOUT_ID: Final = f"""
    replace(coalesce(reason, ''),
            case when length(source_id) >= :cause_least_id then source_id else '' end,
            '{VARIES}')"""


def _replaced(expression: str) -> str:
    for at in range(len(_UNQUOTED)):
        pair = f":cause_unquoted_{at}, :cause_quoted_{at}"
        expression = f"regexp_replace({expression}, {pair})"
    expression = f"regexp_replace({expression}, :cause_varying, '{VARIES}', 'g')"
    return f"regexp_replace({expression}, :cause_row, '{VARIES}', 'g')"


SAID: Final = _replaced(_WITHOUT_ID)
"""SQL: a delivery's reason with "…" for what varies."""


def id_of(said: str) -> str:
    """SQL: the id of a cause; the same reason of another flow, target or field is another one.

    It starts with a letter, so that it is never taken for the number of a delivery.

    Args:
        said: SQL for the reason without what varies.
    """
    return f"'c' || left(md5(jsonb_build_array(flow, target, field, {said})::text), 8)"


ID: Final = id_of(SAID)
"""SQL: the id of a delivery's cause."""
