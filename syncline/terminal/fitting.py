"""Tables that fit their terminal: where it is narrow, columns stand closer and words stay whole."""

from __future__ import annotations

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

_ENDLESS = 10_000
_SHORTEST_WORDS = (30, 24, 18, 14, 12, 10, 8, 6)
"""Longer words are broken, one step after the other, as far as it must be."""


class FittingTable(Table):
    """A table that, where it is too wide, takes from its widest columns and breaks words last."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width that there is."""
        wide = console.measure(self, options=options.update(max_width=_ENDLESS)).maximum
        if wide > options.max_width:
            self.box, self.padding, self.pad_edge = box.SIMPLE_HEAD, (0, 0), False
            texts = [[str(column.header), *map(str, column.cells)] for column in self.columns]
            widths = shares(texts, options.max_width - len(texts) + 1)
            for column, width in zip(self.columns, widths, strict=True):
                column.width = width
        yield from super().__rich_console__(console, options)


def shares(columns: list[list[str]], width: int) -> list[int]:
    """How wide each column is, so that all together are no wider than `width`.

    Args:
        columns: the cells of each, its heading among them.
        width: what they share, separators left out.
    """
    lines = [[line for cell in cells for line in cell.splitlines()] for cells in columns]
    wanted = [max([1, *map(cell_len, texts)]) for texts in lines]
    words = [max([1, *(cell_len(w) for t in texts for w in t.split())]) for texts in lines]
    least = [1] * len(columns)
    for longest in _SHORTEST_WORDS:
        if sum(min(word, longest) for word in words) <= width:
            least = [min(word, longest) for word in words]
            break
    while sum(wanted) > width and wanted != least:
        spare = [have if have > low else 0 for have, low in zip(wanted, least, strict=True)]
        wanted[spare.index(max(spare))] -= 1
    return wanted
