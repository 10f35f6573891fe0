"""Pulls: one reading of a window, resumable page by page, closed with its certificate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.highlevel.paging import Days, PullPage
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class OpenPull:
    """A running pull in this worker's hands, with the pages an earlier owner has read.

    Attributes:
        failures: readings in a row that did not come to its end, before this one.
        doubts: readings of these days in a row that ended as uncertain, before this one.
    """

    id: int
    pages: tuple[PullPage, ...]
    rereads: int
    failures: int
    doubts: int


def request_windows(
    connection: Connection,
    connection_id: int,
    kind: str,
    windows: Collection[Days],
    *,
    after: timedelta = timedelta(0),
    failures: int = 0,
    doubts: int = 0,
) -> None:
    """Note windows that must be read: from here on, no lost message loses one.

    Args:
        connection: the transaction.
        connection_id: the connection.
        kind: of the rows in the list.
        windows: their days; those that are to be read already stay as they are.
        after: how long the sweep leaves them alone.
        failures: how often in a row a window failed whose days these are.
        doubts: how often in a row their reading ended as uncertain.
    """
    connection.execute(
        text(
            """
            insert into pull (connection_id, kind, first, last, failures, doubts, due_at)
            select :connection_id, :kind, first, last, :failures, :doubts,
                   clock_timestamp() + cast(:after as interval)
            from unnest(cast(:firsts as date[]), cast(:lasts as date[])) as owed (first, last)
            on conflict do nothing
            """
        ),
        {
            "connection_id": connection_id,
            "kind": kind,
            "firsts": [first for first, _ in windows],
            "lasts": [last for _, last in windows],
            "after": after,
            "failures": failures,
            "doubts": doubts,
        },
    )


def are_covered(
    connection: Connection, connection_id: int, kind: str, first: date, last: date
) -> bool:
    """Whether all of these days are being read, or are to be, in whatever windows."""
    return bool(
        connection.execute(
            text(
                """
                select coalesce(range_agg(daterange(first, last, '[]'))
                                @> daterange(:first, :last, '[]'), false)
                from pull
                where connection_id = :connection_id and kind = :kind and state = 'running'
                """
            ),
            {"connection_id": connection_id, "kind": kind, "first": first, "last": last},
        ).scalar_one()
    )


def open_window(
    connection: Connection, connection_id: int, kind: str, first: date, last: date, owner: UUID
) -> OpenPull | None:
    """Take a requested window, or one whose owner is dead; None while another reads it."""
    row = connection.execute(
        text(
            """
            update pull p
            set owner = :owner,
                -- One that only waited for its turn is not late.
                moved_at = case when p.owner is null and p.failures = 0 then clock_timestamp()
                                else p.moved_at end
            where p.id = (
                select p.id from pull p
                left join session s on s.id = p.owner
                where p.connection_id = :connection_id and p.kind = :kind
                  and p.first = :first and p.last = :last and p.state = 'running'
                  and (p.owner is null or s.id is null or s.ended_at is not null)
                for update of p skip locked)
            returning p.id, p.rereads, p.failures, p.doubts
            """
        ),
        {
            "connection_id": connection_id,
            "kind": kind,
            "first": first,
            "last": last,
            "owner": owner,
        },
    ).first()
    if row is None:
        return None
    pages = connection.execute(
        text("select row_offset, total, ids, refused from pull_page where pull_id = :id"),
        {"id": row.id},
    )
    return OpenPull(
        row.id,
        tuple(PullPage(p.row_offset, p.total, tuple(p.ids), p.refused) for p in pages),
        row.rereads,
        row.failures,
        row.doubts,
    )


MOST_ORPHANS = 20
"""Windows that one sweep nudges for; the next sweep finds the rest."""


def orphans(connection: Connection) -> list[tuple[str, str, date, date]]:
    """Windows that nobody reads: (connection's name, kind, first, last), newest window first."""
    found = connection.execute(
        text(
            """
            select c.name, p.kind, p.first, p.last from pull p
            join connection c on c.id = p.connection_id
            left join session s on s.id = p.owner
            where p.state = 'running' and c.state in ('active', 'rehearsing')
              and p.due_at <= statement_timestamp()
              and (p.owner is null or s.id is null or s.ended_at is not null)
            order by p.last desc, p.id limit :most
            """
        ),
        {"most": MOST_ORPHANS},
    )
    return [(row.name, row.kind, row.first, row.last) for row in found]


def add_pages(
    connection: Connection,
    pull_id: int,
    owner: UUID,
    pages: Sequence[PullPage],
    *,
    new: int,
    changed: int,
    unreadable: int,
) -> bool:
    """Note pages in the transaction that records them; False when the pull is not ours any more."""
    ours = connection.execute(
        text(
            """
            update pull set total = coalesce(cast(:total as bigint), total),
                            seen = seen + :seen, new = new + :new, changed = changed + :changed,
                            unreadable = unreadable + :unreadable,
                            moved_at = clock_timestamp()
            where id = :id and owner = :owner and state = 'running'
            """
        ),
        {
            "id": pull_id,
            "owner": owner,
            "total": pages[-1].total if pages else None,
            "seen": sum(len(page.ids) for page in pages),
            "new": new,
            "changed": changed,
            "unreadable": unreadable,
        },
    ).rowcount
    if not ours:
        return False
    connection.execute(
        text(
            """
            insert into pull_page (pull_id, row_offset, total, ids, refused)
            select :id, "offset", total, ids, refused
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as page ("offset" bigint, total bigint, ids text[], refused text)
            on conflict (pull_id, row_offset) do update
            set total = excluded.total, ids = excluded.ids, refused = excluded.refused
            """
        ),
        {
            "id": pull_id,
            "rows": jsontext.dumps([asdict(page) for page in pages]).decode(),
        },
    )
    return True


def shown(connection: Connection, pull_id: int) -> set[str]:
    """The ids of the rows of a running pull's pages, or what stands for them."""
    found = connection.execute(
        text("select distinct unnest(ids) from pull_page where pull_id = :id"), {"id": pull_id}
    )
    return set(found.scalars())


def begin_again(connection: Connection, pull_id: int, owner: UUID, why: str) -> None:
    """The pages do not add up: forget them and read the window once more."""
    ours = connection.execute(
        text(
            """
            update pull set rereads = rereads + 1, note = :why
            where id = :id and owner = :owner and state = 'running'
            """
        ),
        {"id": pull_id, "owner": owner, "why": why},
    ).rowcount
    if ours:
        _forget_pages(connection, pull_id)


def close(
    connection: Connection,
    pull_id: int,
    owner: UUID,
    state: str,
    note: str | None,
    then: Callable[[], object] = lambda: None,
) -> bool:
    """Close a pull with its certificate; its pages have done their duty and go.

    `then` is done while they are there, unless the pull has gone on to another worker.
    """
    closed = connection.execute(
        text(
            """
            update pull set state = :state, note = :note, owner = null,
                            finished_at = clock_timestamp()
            where id = :id and owner = :owner and state = 'running'
            """
        ),
        {"id": pull_id, "owner": owner, "state": state, "note": note},
    ).rowcount
    if closed:
        then()
        connection.execute(text("delete from pull_page where pull_id = :id"), {"id": pull_id})
    return bool(closed)


def leave(connection: Connection, pull_id: int, owner: UUID, after: timedelta) -> None:
    """Give a running pull up; whoever opens its window resumes it, the sweep after a while."""
    connection.execute(
        text(
            """
            update pull set owner = null, due_at = clock_timestamp() + cast(:after as interval)
            where id = :id and owner = :owner
            """
        ),
        {"id": pull_id, "owner": owner, "after": after},
    )


def leave_failed(
    connection: Connection,
    pull_id: int,
    owner: UUID,
    after: timedelta,
    *,
    failures: int,
    note: str,
    refused: bool = False,
) -> None:
    """Give a running pull up that came to no end, and keep how often by now, and why.

    Args:
        connection: the transaction.
        pull_id: the pull.
        owner: in whose hands it was.
        after: how long the sweep leaves it alone.
        failures: how many readings in a row came to no end by now.
        note: what happened.
        refused: whether something of it is refused; then all of it is read anew.
    """
    ours = connection.execute(
        text(
            """
            update pull set owner = null, failures = :failures, note = :note,
                            refused = refused or :refused,
                            due_at = clock_timestamp() + cast(:after as interval)
            where id = :id and owner = :owner
            """
        ),
        {
            "id": pull_id,
            "owner": owner,
            "after": after,
            "failures": failures,
            "note": note,
            "refused": refused,
        },
    ).rowcount
    if ours and refused:
        _forget_pages(connection, pull_id)


def _forget_pages(connection: Connection, pull_id: int) -> None:
    connection.execute(
        text("update pull set seen = 0, unreadable = 0 where id = :id"), {"id": pull_id}
    )
    connection.execute(text("delete from pull_page where pull_id = :id"), {"id": pull_id})


def due_readings(
    connection: Connection, connection_id: int, bands: dict[tuple[str, str], timedelta]
) -> list[tuple[str, str]]:
    """(kind, band) that are due now; their next turn is set in the same statement.

    What is not due is only read: an upsert of each would lock, and so write, a row that stays.
    """
    found = connection.execute(
        text(
            """
            with due as (
                select band.kind, band.name, band.every
                from unnest(cast(:kinds as text[]), cast(:names as text[]),
                            cast(:every as interval[])) as band (kind, name, every)
                left join cursor on cursor.connection_id = :connection_id
                  and cursor.kind = band.kind and cursor.band = band.name
                where cursor.due_at is null or cursor.due_at <= clock_timestamp()
            )
            insert into cursor (connection_id, kind, band, due_at)
            select :connection_id, kind, name, clock_timestamp() + every from due
            on conflict (connection_id, kind, band) do update set due_at = excluded.due_at
            where cursor.due_at <= clock_timestamp()
            returning kind, band
            """
        ),
        {
            "connection_id": connection_id,
            "kinds": [kind for kind, _ in bands],
            "names": [band for _, band in bands],
            "every": list(bands.values()),
        },
    )
    due = {(row.kind, row.band) for row in found}
    return [one for one in bands if one in due]


def hasten(
    connection: Connection, tenant_id: int, reading: tuple[str, str], after: timedelta
) -> None:
    """Have a tenant's reading come soon, if it would come later."""
    connection.execute(
        text(
            """
            update cursor set due_at = clock_timestamp() + cast(:after as interval)
            where connection_id in (select id from connection where tenant_id = :tenant_id)
              and kind = :kind and band = :band
              and due_at > clock_timestamp() + cast(:after as interval)
            """
        ),
        {"tenant_id": tenant_id, "kind": reading[0], "band": reading[1], "after": after},
    )
