"""What `syncline status` shows of a tenant: kinds whose first row is not found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.deliveries import needs
from syncline.halo.capabilities import SOUGHT, Capabilities
from syncline.ledger import capabilities
from syncline.ledger.connections import Link
from syncline.sending.targets import TARGETS
from syncline.sending.tenant.references import remedy_of
from syncline.terminal.output import plain


@dataclass(frozen=True, slots=True)
class UnfoundKind:
    """A kind of rows of which no second one is made, since the first is not found again.

    Attributes:
        target: the kind.
        row: Halo's id of the first; empty where it is not known whether there is one.
        reference: by which it is looked for.
        looks: how often it was, in vain.
        kept: what Halo keeps on it in place of that; None where that is not so.
    """

    target: str
    row: str
    reference: str
    looks: int = 0
    kept: str | None = None


def read_unfound(connection: Connection, link: Link) -> list[UnfoundKind]:
    """The kinds whose first row is looked for at a connection's tenant, and not found by now."""
    known = Capabilities.from_rows(capabilities.read(connection, link.tenant_place))
    names = [one.removeprefix(SOUGHT) for one in known.by_name if one.startswith(SOUGHT)]
    found = {
        target: UnfoundKind(target, sought.row, sought.reference, sought.looks, sought.kept)
        for target in names
        if (sought := known.sought(target)) is not None and known.find_way(target) is None
    }
    for target in TARGETS.values():
        if target.name not in found and known.find_way(target.name) is None:
            maybe = needs.maybe_made_by_us(connection, link.tenant, target.name)
            if maybe is not None:
                reference = target.reference(maybe.source_id, maybe.role)
                found[target.name] = UnfoundKind(target.name, "", reference)
    return list(found.values())


def unfound_lines(unfound: Sequence[UnfoundKind]) -> list[RenderableType]:
    """What is said of them, and what to do."""
    return [plain(_sought(one) if one.row else _unknown(one)) for one in unfound]


def _sought(one: UnfoundKind) -> str:
    if one.kept is not None:
        field = TARGETS[one.target].key
        return (
            f"No {one.target} is written: Halo keeps our reference {one.reference} as "
            f"{one.kept or 'nothing'} on {one.target} {one.row}, so none could be found again "
            f"after an unknown outcome. {remedy_of(field, 'what is parked for it')}"
        )
    return (
        f"No {one.target} is written until {one.target} {one.row} can be found again in Halo "
        f"by {one.reference} ({one.looks} {'look' if one.looks == 1 else 'looks'}). It is "
        "looked for by itself; if it stays so, allow our application in Halo to run reports, "
        "or to list and search such rows"
    )


def _unknown(one: UnfoundKind) -> str:
    return (
        f"No {one.target} is written until it is known whether Halo has {one.target} "
        f"{one.reference}, whose making it answered. It is looked up by itself; if it is parked, "
        "it waits for you: syncline parked list"
    )
