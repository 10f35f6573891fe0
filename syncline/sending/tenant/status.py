"""What `syncline status` shows of a tenant: kinds of rows that wait for a person's decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.deliveries import outstanding
from syncline.deliveries.states import State
from syncline.halo.capabilities import Capabilities
from syncline.ledger import capabilities
from syncline.ledger.connections import Link
from syncline.terminal.output import plain


@dataclass(frozen=True, slots=True)
class HeldKind:
    """A kind of rows of which none is written, since the first came back otherwise than sent.

    Attributes:
        target: the kind.
        row: Halo's id of the one that did.
        field: that is otherwise.
        wanted: what was sent.
        got: what Halo holds.
    """

    target: str
    row: str
    field: str
    wanted: str
    got: str


def read_held(connection: Connection, link: Link) -> list[HeldKind]:
    """The kinds that wait at a connection's tenant."""
    known = Capabilities.from_rows(capabilities.read(connection, link.tenant_place))
    return [
        HeldKind(target, failed.target_id, failed.field, failed.wanted, failed.got)
        for target in known.read_back
        if (failed := known.round_trip(target).failed) is not None
        and outstanding.state_of(connection, failed.delivery) == State.PARKED
    ]


def held_lines(held: Sequence[HeldKind]) -> list[RenderableType]:
    """What is said of them, and what to do."""
    return [
        plain(
            f"No {one.target} is written: {one.target} {one.row} in Halo came back otherwise than "
            f"it was sent ({one.field}: wanted {one.wanted}, Halo holds {one.got}). Put it right "
            "and retry it, or accept it where that is offered: syncline parked list"
        )
        for one in held
    ]
