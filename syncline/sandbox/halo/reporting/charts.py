"""Charts as inline SVG, without scripts or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10

_WIDTH, _HEIGHT = 640, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 8, 10, 24
_LINES = 4
_LABELS = 8

Rows = Sequence[Mapping[str, str | None]]


def number(text: str | None) -> str:
    """A value of a report as people read it: thousands apart; two decimals, or three, if any."""
    if text is None:
        return ""
    try:
        value = float(text)
    except ValueError:
        return text
    if value.is_integer():
        return f"{value:,.0f}"
    return f"{value:,.2f}" if round(value, 2) == round(value, 3) else f"{value:,.3f}"


def bars(rows: Rows, along: str, columns: Sequence[str]) -> str:
    """Bars of each column beside each other, along one column."""
    values = [[_value(row.get(column)) for column in columns] for row in rows]
    top = _nice(max([0.0, *(value for line in values for value in line)]))
    step = (_WIDTH - _LEFT - _RIGHT) / len(rows)
    width = step * 0.8 / max(1, len(columns))
    drawn = [_line(top * at / _LINES, top) for at in range(_LINES + 1)]
    every = max(1, -(-len(rows) // _LABELS))
    for at, (row, line) in enumerate(zip(rows, values, strict=True)):
        name = _short(row.get(along))
        left = _LEFT + at * step + step * 0.1
        drawn += [
            _bar(left + place * width, width, value, top, f"{name} {column}: {value:,.2f}", place)
            for place, (column, value) in enumerate(zip(columns, line, strict=True))
        ]
        if at % every == 0:
            drawn.append(_text(left + step * 0.4, _HEIGHT - 6, name, "middle"))
    about = escape(f"{', '.join(columns)} by {along}", quote=True)
    box = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{about}">'
    return f"{box}{''.join(drawn)}</svg>{_legend(columns)}"


def _legend(columns: Sequence[str]) -> str:
    """Which colour is which column, where there is more than one."""
    if len(columns) < 2:
        return ""
    keys = "".join(
        f'<span><i style="background:{_colour(at)}"></i>{escape(column)}</span>'
        for at, column in enumerate(columns)
    )
    return f'<div class="legend">{keys}</div>'


def _bar(left: float, width: float, value: float, top: float, title: str, place: int) -> str:
    height = (_HEIGHT - _TOP - _BOTTOM) * max(value, 0) / top
    y = _HEIGHT - _BOTTOM - height
    return (
        f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1.5" '
        f'fill="{_colour(place)}"><title>{escape(title)}</title></rect>'
    )


def _line(value: float, top: float) -> str:
    y = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
    return f'{line}stroke="var(--line)"/>{_text(_LEFT - 6, y + 4, f"{value:,.0f}", "end")}'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _colour(place: int) -> str:
    return f"var(--s{place % 5 + 1})"


def _value(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _nice(most: float) -> float:
    """The end of the axis: a round number that is not below the greatest value."""
    if most <= 0:
        return float(_LINES)
    unit = 10.0 ** floor(log10(most))
    return next(unit * one for one in (1, 2, 4, 6, 8, 10) if unit * one >= most)


def _short(text: str | None) -> str:
    """A day without its hour and year, anything else as it is."""
    day, hour, _ = (text or "").partition("T00:00:00")
    return day[5:] if hour else day
