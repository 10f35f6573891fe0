"""Heads of chains that were kept outside, compared with what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from syncline.audit.chain_verification import AuditFinding
from syncline.audit.chains import Head
from syncline.ledger.database import text

_AT_ONCE = 1000


def against_anchors(
    connection: Connection, chains: Sequence[str] | None, anchors: Iterable[Head]
) -> Iterator[AuditFinding]:
    """Heads that stand outside and are not those of the ledger.

    Each is compared, since files may contradict each other, and some at a time, since a file has a
    line for each minute. Of a chain the shortest length that it no longer has is named.
    """
    cut: dict[str, Head] = {}
    wrong: set[tuple[str, int]] = set()
    told = iter(anchors)
    while some := list(islice(told, _AT_ONCE)):
        mine = [one for one in some if chains is None or one.chain in chains]
        for one, head in zip(mine, _heads_at(connection, mine), strict=True):
            if head is None:
                if one.chain not in cut or one.position < cut[one.chain].position:
                    cut[one.chain] = one
            elif not head.startswith(one.head) and (one.chain, one.position) not in wrong:
                wrong.add((one.chain, one.position))
                other = "Its head is another one than the anchor says: the chain was built anew."
                yield AuditFinding(one.chain, one.position, "", one.at, "rewritten", other)
    for one in cut.values():
        on = "" if one.at is None else f" on {one.at:%Y-%m-%d %H:%M} UTC"
        missing = f"It had at least {one.position} entries{on}."
        yield AuditFinding(one.chain, one.position, "", one.at, "cut", missing)


def _heads_at(connection: Connection, wanted: Sequence[Head]) -> Sequence[str | None]:
    """What the ledger holds at these positions, in their order."""
    found = connection.execute(
        text(
            """
            select encode(s.head, 'hex')
            from unnest(cast(:chains as text[]), cast(:positions as bigint[]))
                 with ordinality as a (chain, position, number)
            left join seal s using (chain, position)
            order by a.number
            """
        ),
        {
            "chains": [one.chain for one in wanted],
            "positions": [one.position for one in wanted],
        },
    )
    return found.scalars().all()
