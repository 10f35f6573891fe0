"""How reports see rows of Halo: tables and columns of its database, and the SELECTs over them.

Source: Halo's database catalogue, which names columns and does not explain them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_RESERVED = frozenset({"date"})
"""Names of fields that are words of T-SQL."""


@dataclass(frozen=True, slots=True, eq=False)
class LineTable:
    """The table of the lines of rows, from which a report sums their amounts.

    Attributes:
        table: its name.
        owner: the column that holds the id of the row.
        net: the sum without tax; `{digits}` stands for the digits of the row's currency.
        tax: the sum of the tax.
    """

    table: str
    owner: str
    net: str
    tax: str

    def sums(self, digits: str = "") -> str:
        """Both sums, under the names that orders and invoices give them."""
        return f"{self.net.format(digits=digits)} AS revenue, {self.tax} AS tax_total"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of Halo's database.

    Attributes:
        name: of the table.
        columns: field of the entity → its column, or an expression over columns.
        joins: field → the JOIN without which its column is not there.
        only: a condition for the rows that are of this kind, where the table has others too.
        lines: the table of its rows' lines.
        guessed: whether it is a guess where our reference stands: a report may find nothing there,
            and proves no absence before it has found a row.
    """

    name: str
    columns: Mapping[str, str]
    joins: Mapping[str, str] = field(default_factory=dict)
    only: str = ""
    lines: LineTable | None = None
    guessed: bool = False

    @property
    def id(self) -> str:
        """The column of the id."""
        return self.columns["id"]

    @property
    def known_lines(self) -> LineTable:
        """The table of the lines, of rows that have lines.

        Raises:
            LookupError: they have none.
        """
        if self.lines is None:
            raise LookupError(f"No lines are known of {self.name}.")
        return self.lines

    def select(
        self,
        fields: Iterable[str],
        *,
        where: Iterable[str] = (),
        order: str = "",
        top: int | None = None,
    ) -> str:
        """A SELECT of these fields under the entity's names.

        Args:
            fields: of the entity.
            where: conditions that all hold; an empty one is none.
            order: columns to order by.
            top: most rows.
        """
        shown = list(fields)
        conditions = " AND ".join(filter(None, where))
        parts = [
            "SELECT" if top is None else f"SELECT TOP {top}",
            ", ".join(f"{self.columns[name]} AS {_alias(name)}" for name in shown),
            f"FROM {self.name}",
            *dict.fromkeys(self.joins[name] for name in shown if name in self.joins),
            f"WHERE {conditions}" if conditions else "",
            f"ORDER BY {order}" if order else "",
        ]
        return " ".join(filter(None, parts))


def currency_digits(column: str, digits: Mapping[int, int], others: int) -> str:
    """The digits of a row's currency as an expression of SQL.

    Args:
        column: that holds Halo's id of the currency.
        digits: Halo's id of a currency → digits after the point.
        others: the digits of every other currency.
    """
    cases = " ".join(f"WHEN {code} THEN {many}" for code, many in sorted(digits.items()))
    return f"CASE {column} {cases} ELSE {others} END" if cases else str(others)


def _alias(name: str) -> str:
    return f"[{name}]" if name in _RESERVED else name
