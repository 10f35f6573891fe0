"""Differences that runs find: written down, and closed where they are none any more.

How people see them, and what they decide about them, stands in `discrepancies`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text
from syncline.ledger.modes import HELD
from syncline.reconciliation.queries import Run


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A difference to write down; values as text, None where a side has nothing."""

    flow: str
    source_kind: str
    source_id: str
    role: str
    target: str
    target_id: str | None
    cause: str
    field: str
    ours: str | None
    theirs: str | None
    delivered: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the differences of a run: how many stand now, by state, and were new."""

    opened: int
    again: int
    marked: int
    accepted: int
    healed: int


FOUND_COLUMNS = tuple(FoundDifference.__slots__)
"""The columns of a difference that a run writes down; all of them are texts."""

_FOUND = f"""
    jsonb_to_recordset(cast(:rows as jsonb)) as f
        ({", ".join(f"{name} text" for name in FOUND_COLUMNS)})"""

_SAME_ROW = """
    d.connection_id = :connection_id and d.flow = f.flow and d.source_id = f.source_id
    and d.role = f.role and d.cause = f.cause and d.field = f.field"""

_ACCEPTED = f"""
    select 1 from discrepancy d
    where {_SAME_ROW} and d.state = 'accepted'
      and d.ours is not distinct from f.ours and d.theirs is not distinct from f.theirs"""  # noqa: S608 - built from a constant of this module


def write(connection: Connection, run: Run, found: Sequence[FoundDifference]) -> Written:
    """Write down what a run found: new ones open, known ones with their values of now.

    One that was accepted with these very values stays closed; one that was marked stays marked.
    """
    rows = {(f.flow, f.source_id, f.role, f.cause, f.field): f for f in found}
    given = {
        "run": run.id,
        "connection_id": run.connection_id,
        "rows": jsontext.dumps([_told(rows[key]) for key in sorted(rows)]).decode(),
    }
    accepted = connection.execute(
        text(
            f"""
            update discrepancy kept set seen_by = :run
            from {_FOUND}
            where kept.id = (
                select d.id from discrepancy d
                where {_SAME_ROW} and d.state = 'accepted'
                  and d.ours is not distinct from f.ours and d.theirs is not distinct from f.theirs
                order by d.id desc limit 1)
            """  # noqa: S608 - built from constants of this module
        ),
        given,
    ).rowcount
    touched = connection.execute(
        text(
            f"""
            insert into discrepancy (connection_id, found_by, seen_by, {", ".join(FOUND_COLUMNS)})
            select :connection_id, :run, :run, {", ".join(f"f.{name}" for name in FOUND_COLUMNS)}
            from {_FOUND}
            where not exists ({_ACCEPTED})
            on conflict (connection_id, flow, source_id, role, cause, field)
                where closed_at is null
            do update set seen_by = excluded.seen_by, target_id = excluded.target_id,
                ours = excluded.ours, theirs = excluded.theirs, delivered = excluded.delivered,
                currency = excluded.currency,
                state = case when discrepancy.state = 'marked' then 'marked' else 'open' end
            returning state, xmax = 0 as is_new
            """  # noqa: S608 - built from constants of this module
        ),
        given,
    ).all()
    marked = sum(row.state == "marked" for row in touched)
    opened = sum(row.is_new for row in touched)
    return Written(opened, len(touched) - opened - marked, marked, accepted, 0)


_IN_PERIOD = """
    exists (select 1 from record r
            where r.place = any(:places) and r.kind = d.source_kind and r.foreign_id = d.source_id
              and coalesce(r.created_at, r.noticed_at) >= :first
              and coalesce(r.created_at, r.noticed_at) < :until)"""

_ITS_DELIVERY = """
    select 1 from delivery o
    where o.connection_id = d.connection_id and o.flow = d.flow
      and o.source_id = d.source_id and o.role = d.role"""
_NOT_COMPARED = f"""
    exists ({_ITS_DELIVERY} and o.state <> 'delivered'
            and (o.state <> 'parked' or o.field = '{HELD}'))"""
"""Whether its delivery is on its way, or held back until its connection is live."""
_READ_SINCE = """
    exists (select 1 from record r
            where r.place = any(:places) and r.kind = d.source_kind and r.foreign_id = d.source_id
              and r.changed_at > d.found_at)"""
_UNREAD = f"exists ({_ITS_DELIVERY} and o.id = any(:unread))"
_SAMPLED = f"exists ({_ITS_DELIVERY} and o.id = any(:sample))"
_REACHED = """
    exists (select 1 from jsonb_each_text(cast(:lowest as jsonb)) as reached (target, lowest)
            where reached.target = d.target and cast(reached.lowest as bigint) <= all(
                cast(string_to_array(case d.cause when 'doubled' then d.theirs
                    when 'unknown_in_halo' then d.target_id end, ', ') as bigint[])))"""
"""Whether all rows that a difference names were looked for, since rows are read from an id on."""
_COUNTED = """
    d.source_id = any(:equal) and exists (
        select 1 from reconciliation seen
        where seen.id = d.seen_by and :last >= seen.last
          and :first <= seen.first + (cast(:started as date) - cast(seen.started_at as date)))"""
"""Whether a count is of the same days, but for those that it has left behind with time."""


def heal(
    connection: Connection,
    run: Run,
    *,
    places: Collection[str],
    flows: Collection[str],
    unread: Collection[int] = (),
    sample: Sequence[int] | None = None,
    known: Mapping[str, bool] | None = None,
    lowest: Mapping[str, int] | None = None,
) -> int:
    """Close what a run compared and did not find any more; returns how many.

    What stands beside the rows that we know, such as a copy of one, is closed only by a run that
    read down to there.

    Args:
        connection: the transaction.
        run: the run, whose differences are written already.
        places: where the records of the connection stand.
        flows: which were compared.
        unread: deliveries that seem to differ and were not read again.
        sample: the deliveries that were compared; None: all of the period, and what nobody knows.
        known: kinds of records whose numbers were compared → whether they were equal.
        lowest: targets whose rows were all read → from which id on.
    """
    healed = connection.execute(
        text(
            f"""
            update discrepancy d
            set state = 'healed', closed_at = coalesce(d.closed_at, clock_timestamp()),
                closed_by = :by
            where d.connection_id = :connection_id and d.seen_by < :run
              and (d.closed_at is null or d.state = 'applied')
              and d.state in ('open', 'marked', 'applied')
              and (d.cause = 'not_in_ledger' and {_COUNTED}
                   or d.cause = 'not_in_ledger' and {_READ_SINCE}
                   or d.cause = 'unknown_in_halo' and d.flow = any(:flows) and {_REACHED}
                   or d.cause not in ('not_in_ledger', 'unknown_in_halo')
                      and d.flow = any(:flows)
                      and (d.cause <> 'doubled' or {_REACHED})
                      and (cast(:sample as bigint[]) is null or {_SAMPLED})
                      and {_IN_PERIOD} and not {_NOT_COMPARED} and not {_UNREAD})
            """  # noqa: S608 - built from constants of this module
        ),
        {
            "connection_id": run.connection_id,
            "run": run.id,
            "by": f"reconciliation {run.id}",
            "equal": [kind for kind, equal in (known or {}).items() if equal],
            "flows": sorted(flows),
            "unread": sorted(unread),
            "sample": None if sample is None else list(sample),
            "places": sorted(places),
            "lowest": jsontext.dumps(dict(lowest or {})).decode(),
            "started": run.started_at,
            "first": run.first,
            "last": run.last,
            "until": run.last + timedelta(days=1),
        },
    )
    return int(healed.rowcount)


def _told(found: FoundDifference) -> dict[str, Any]:
    return {name: getattr(found, name) for name in FOUND_COLUMNS}
