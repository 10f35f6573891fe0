"""The rows of one entity, found by a field's value or by a text in them without reading all."""

from __future__ import annotations

from typing import Any


class Rows(dict[int, dict[str, Any]]):
    """Rows by id; indexes and folded texts are made when first asked for and then kept in step.

    A stored row's indexed and searched fields never change in place: a write stores a new row.
    """

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[str, dict[str, dict[int, None]]] = {}
        self._texts: dict[tuple[str, ...], dict[int, str]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Kept without its indexes, and filled as any other.
        return (Rows, (), None, None, iter(self.items()))

    def __setitem__(self, row_id: int, row: dict[str, Any]) -> None:
        self._forget(row_id)
        super().__setitem__(row_id, row)
        for name, index in self._indexes.items():
            index.setdefault(_folded(row.get(name, "")), {})[row_id] = None

    def __delitem__(self, row_id: int) -> None:
        self._forget(row_id)
        super().__delitem__(row_id)

    def having(self, name: str, value: object) -> list[dict[str, Any]]:
        """The rows whose field is that value, compared as text without case."""
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for row_id, row in self.items():
                index.setdefault(_folded(row.get(name, "")), {})[row_id] = None
        return [self[row_id] for row_id in index.get(_folded(value), ())]

    def mentioning(self, names: tuple[str, ...], sought: str) -> list[dict[str, Any]]:
        """The rows with a folded text somewhere in one of these fields."""
        texts = self._texts.setdefault(names, {})
        if len(texts) < len(self):
            for row_id, row in self.items():
                if row_id not in texts:
                    # No search can hold the separator, so none matches across two fields.
                    texts[row_id] = "\0".join(_folded(row.get(name) or "") for name in names)
        return [self[row_id] for row_id, text in texts.items() if sought in text]

    def _forget(self, row_id: int) -> None:
        for texts in self._texts.values():
            texts.pop(row_id, None)
        before = self.get(row_id)
        if before is not None:
            for name, index in self._indexes.items():
                index.get(_folded(before.get(name, "")), {}).pop(row_id, None)


def _folded(value: object) -> str:
    return str(value).casefold()
