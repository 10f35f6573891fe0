"""Monthly partitions of what grows with time: made ahead, so that no insert ever waits for one."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from syncline.ledger.database import now, text

BY_MONTH = ("change", "call", "event")
MONTHS_AHEAD = 2


def ensure_partitions(connection: Connection) -> list[str]:
    """Create this month's and the next months' partitions; returns the new ones' names."""
    today = now(connection).date()
    made = []
    for table in BY_MONTH:
        for ahead in range(MONTHS_AHEAD + 1):
            first, after = _month(today, ahead), _month(today, ahead + 1)
            name = f"{table}_{first:%Y_%m}"
            exists = connection.execute(text("select to_regclass(:name)"), {"name": name})
            if exists.scalar_one() is None:
                connection.execute(
                    text(
                        f"create table if not exists {name} partition of {table} "
                        f"for values from ('{first}') to ('{after}')"
                    )
                )
                made.append(name)
    return made


def month_after(first: date) -> date:
    """The first day of the month after."""
    return _month(first, 1)


def _month(day: date, ahead: int) -> date:
    months = day.year * 12 + day.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)
