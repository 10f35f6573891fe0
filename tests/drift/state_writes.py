"""Finds the statements of a Python or SQL file that write the state of a delivery.

Read as text, without being run: SQL in strings and f-strings, and SQLAlchemy's `update` and
`insert`. What cannot be told from the text, such as a SET clause that is put together elsewhere,
counts as writing it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_HOLE = "⟨⟩"
"""Stands for what is filled into an f-string, or into a string by `format` or `%`."""

_FILLED = re.compile(r"\{\w*\}|%s|%\(\w+\)s")

_TABLE = r'(?:only\s+)?(?:"?\w+"?\s*\.\s*)?"?delivery"?(?!\w)'
_UPDATE = re.compile(rf"\bupdate\s+{_TABLE}(?:\s+(?:as\s+)?(?!set\b)\w+)?\s+set\b", re.IGNORECASE)
_BIRTH = re.compile(rf"\b(?:insert\s+into|merge\s+into|copy)\s+{_TABLE}", re.IGNORECASE)
_END = re.compile(r"\b(?:from|where|returning)\b|[;)]", re.IGNORECASE)
_ASSIGNED = re.compile(r'^"?(\w+)"?\s*=')
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def in_python(source: str) -> list[int]:
    """The lines of statements that write the column."""
    tree = ast.parse(source)
    texts = {node.lineno for node, sql in _texts(tree) if writes(sql)}
    return sorted(texts | {node.lineno for node in _built(tree)})


def in_sql(source: str) -> bool:
    """Whether a file of SQL writes the column."""
    return writes(source)


def writes(sql: str) -> bool:
    """Whether a text of SQL makes a delivery, or sets its state."""
    bare = _COMMENT.sub(" ", sql)
    if _BIRTH.search(bare):
        return True
    return any(_sets_state(_assignments(bare[found.end() :])) for found in _UPDATE.finditer(bare))


def _sets_state(assignments: list[str]) -> bool:
    return any(
        (name := _ASSIGNED.match(one)) is None or name[1].lower() == "state" for one in assignments
    )


def _assignments(clause: str) -> list[str]:
    """The parts of a SET clause, without what follows it."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(clause):
        one = clause[at]
        if one == "'":
            at = clause.find("'", at + 1)
            if at < 0:
                at = len(clause)
        elif one in "([":
            depth += 1
        elif depth == 0 and _END.match(clause, at) and _begins_word(clause, at):
            break
        elif one in ")]":
            depth -= 1
        elif one == "," and depth == 0:
            parts.append(clause[start:at])
            start = at + 1
        at += 1
    parts.append(clause[start:at])
    return [part.strip() for part in parts]


def _begins_word(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")


def _texts(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Every string, whole: an f-string or a sum of strings is one."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
            found = _text(node)
            if found is not None:
                yield node, found


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return _FILLED.sub(_HOLE, node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or _HOLE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        if left is None and right is None:
            return None
        return (left or _HOLE) + (right or _HOLE)
    return None


def _built(tree: ast.AST) -> Iterator[ast.Call]:
    """`update(Delivery)` and `insert(Delivery)`, and the same as methods of the table."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)
        if name not in {"update", "insert", "merge"}:
            continue
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        if any(_is_delivery(one) for one in (of, *node.args) if one is not None):
            yield node


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_delivery(node: ast.expr) -> bool:
    """Whether an expression is the table: `Delivery`, its `__table__`, `tables["delivery"]`."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == "delivery"
    while isinstance(node, ast.Attribute):
        if node.attr == "Delivery":
            return True
        node = node.value
    return _name(node) == "Delivery"
