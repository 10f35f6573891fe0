"""T-SQL as SQLite runs it: one SELECT, its long lists taken out, its times in one form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from syncline.sandbox.halo.sql.tables import TABLES
from syncline.sandbox.halo.tenant.store import stamp

_DATETIME_COLUMNS = frozenset(
    name.lower() for table in TABLES for name, kind, _ in table.columns if kind == "DATETIME"
)
_ITEM = r"(?:N?'(?:[^']|'')*'|-?\d+)"
_LIST_OR_TEXT = re.compile(
    rf"\bIN\s*\((?P<items>\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*)\)|'(?:[^']|'')*'|(?P<comment>--|/\*)",
    re.IGNORECASE,
)
_PARTS = {"year": "years", "month": "months", "day": "days", "hour": "hours",
          "minute": "minutes", "second": "seconds"}  # fmt: skip

_TIMES = ("datetime", "datetime2", "smalldatetime", "timestamp")


class SqlError(Exception):
    """The statement cannot be run; the text is what the report tells."""


def translate(sql: str) -> tuple[str, dict[str, str]]:
    """One T-SQL SELECT as SQLite runs it, with its long IN lists as JSON parameters.

    Lists are taken out before parsing: thousands of values would cost seconds in the parser.

    Raises:
        SqlError: for comments, several statements, or anything but a SELECT.
    """
    lists: dict[str, str] = {}

    def shorten(match: re.Match[str]) -> str:
        if match["comment"]:
            raise SqlError("Comments are not allowed in the query.")
        if not match["items"]:
            return match[0]
        name = f"list{len(lists)}"
        lists[name] = json.dumps([_item(text) for text in re.findall(_ITEM, match["items"])])
        return f"IN ('halo:{name}')"

    shortened = _LIST_OR_TEXT.sub(shorten, sql)
    try:
        statements = [one for one in sqlglot.parse(shortened, read="tsql") if one is not None]
    except SqlglotError as error:
        first = str(error).splitlines()[0]
        raise SqlError(f"Incorrect syntax: {first}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlError("Only a single SELECT statement is allowed.")
    tree = statements[0]
    if tree.find(exp.Into, exp.Insert, exp.Update, exp.Delete):
        raise SqlError("Only a single SELECT statement is allowed.")
    _keep_names(tree)
    _rewrite(tree)
    text = tree.sql(dialect="sqlite", unsupported_level=ErrorLevel.IGNORE)
    for name in lists:
        inner = f"(SELECT value FROM json_each(:{name}))"  # noqa: S608
        text = text.replace(f"('halo:{name}')", inner)
    return text, lists


def _item(text: str) -> str | int:
    if "'" not in text:
        return int(text)
    return text[text.index("'") + 1 : -1].replace("''", "'")


def _keep_names(tree: exp.Query) -> None:
    """Name every plain column as it was written; SQLite would name it as the table does."""
    for select in tree.find_all(exp.Select):
        if select.find_ancestor(exp.Subquery, exp.In, exp.Exists, exp.CTE) is None:
            select.set(
                "expressions",
                [
                    exp.alias_(one.copy(), one.name, quoted=True)
                    if isinstance(one, exp.Column) and not isinstance(one.this, exp.Star)
                    else one
                    for one in select.expressions
                ],
            )


def _table(node: exp.Table) -> exp.Expression:
    for name in ("db", "catalog", "hints"):
        node.set(name, None)
    return node


def _identifier(node: exp.Identifier) -> exp.Expression:
    """Take the quotes away: SQLite takes a quoted name that no column has for a text."""
    if not isinstance(node.parent, exp.Alias | exp.TableAlias):
        node.set("quoted", re.fullmatch(r"\w+", node.name) is None)
    return node


def _now(_node: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="halo_now")


def _anonymous(node: exp.Anonymous) -> exp.Expression:
    return _now(node) if node.name.upper() in ("SYSUTCDATETIME", "GETUTCDATE") else node


def _cast(node: exp.Cast) -> exp.Expression:
    if node.to.is_type(*_TIMES):
        return exp.Anonymous(this="halo_time", expressions=[node.this])
    if node.to.is_type("date"):
        return exp.Anonymous(this="halo_day", expressions=[node.this])
    return node


def _convert(node: exp.Convert) -> exp.Expression:
    return _cast(exp.Cast(this=node.expression, to=node.this))


def _date_add(node: exp.DateAdd) -> exp.Expression:
    part = exp.Literal.string(str(node.args["unit"].name).lower())
    return exp.Anonymous(this="halo_add", expressions=[part, node.expression, node.this])


def _part(node: exp.Year | exp.Month | exp.Day) -> exp.Expression:
    name = exp.Literal.string(type(node).__name__.lower())
    return exp.Anonymous(this="halo_part", expressions=[name, node.this])


def _inner(node: exp.TsOrDsToDate) -> exp.Expression:
    """What the parser put a conversion around by itself."""
    inner: exp.Expression = node.this
    return inner


def _national(node: exp.National) -> exp.Expression:
    return exp.Literal.string(node.name)


def _literal(node: exp.Literal) -> exp.Expression:
    text: str = node.this
    if not node.is_string or not _beside_time(node):
        return node
    return exp.Literal.string(normal_time(text) or text)


_REWRITES: dict[type[exp.Expr], Callable[[Any], exp.Expression]] = {
    exp.Table: _table,
    exp.Identifier: _identifier,
    exp.CurrentTimestamp: _now,
    exp.Anonymous: _anonymous,
    exp.Cast: _cast,
    exp.Convert: _convert,
    exp.DateAdd: _date_add,
    exp.Year: _part,
    exp.Month: _part,
    exp.Day: _part,
    exp.TsOrDsToDate: _inner,
    exp.National: _national,
    exp.Literal: _literal,
}


def _rewrite(tree: exp.Query) -> None:
    """Put every node in SQLite's terms, children first."""
    for node in reversed(list(tree.walk())):
        rewritten = _REWRITES.get(type(node), _same)(node)
        if rewritten is not node:
            node.replace(rewritten)


def _same(node: exp.Expression) -> exp.Expression:
    return node


def _beside_time(literal: exp.Literal) -> bool:
    parent = literal.parent
    if not isinstance(parent, exp.Binary | exp.Between):
        return False
    columns = [one for one in parent.iter_expressions() if isinstance(one, exp.Column)]
    return any(column.name.lower() in _DATETIME_COLUMNS for column in columns)


def normal_time(text: str | None) -> str | None:
    """A time as the tables hold it: UTC without zone, to the millisecond."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return stamp(when if when.tzinfo else when.replace(tzinfo=UTC))


def day(text: str | None) -> str | None:
    """A time's day as a report shows it: its midnight."""
    when = normal_time(text)
    return None if when is None else f"{when[:10]}T00:00:00.000"


def date_part(part: str, text: str | None) -> int | None:
    """YEAR, MONTH and DAY of a time."""
    when = normal_time(text)
    found: int | None = None if when is None else getattr(datetime.fromisoformat(when), part)
    return found


def date_add(part: str, count: int, text: str | None) -> str | None:
    """DATEADD for the parts that are of a fixed length, and for months and years."""
    base = normal_time(text)
    if base is None:
        return None
    when, unit = datetime.fromisoformat(base).replace(tzinfo=UTC), _PARTS.get(part)
    if unit in ("months", "years"):
        months = when.year * 12 + when.month - 1 + count * (12 if unit == "years" else 1)
        return stamp(when.replace(year=months // 12, month=months % 12 + 1, day=min(when.day, 28)))
    if unit is None:
        return None
    return stamp(when + timedelta(**{unit: count}))
