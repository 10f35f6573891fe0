"""Rendered: what is to be written for each claimed delivery, decided after the claim.

What the decision says of those that need no call is written into the ledger: what equals the
delivered state is done, what needs something that is not there yet waits for it, what cannot be
rendered is parked with the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries import leased, needs, waits
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.errors import NotSent, Unmappable, Unreadable
from syncline.flows import customers
from syncline.halo.capabilities import Capabilities
from syncline.ledger import connections
from syncline.sending import existing_users
from syncline.sending.bodies import Inputs
from syncline.sending.decide import Given, Parked, Write, decide, gather
from syncline.sending.inputs import older_clients
from syncline.sending.targets import Target

STILL_KNOWN = timedelta(minutes=1)
"""So long it is taken as known that Halo has no user with an address."""


def gathered(line: Line, target: Target, leases: list[Lease]) -> Given:
    """What the ledger has for claimed deliveries."""
    return line.worker.ledger.run(lambda connection: gather(connection, line, target, leases))


def render(
    line: Line, target: Target, known: Capabilities, given: Given, owner: UUID
) -> list[Write]:
    """Settle what needs no call, and return what is to be written.

    Args:
        line: the connection.
        target: what is written.
        known: what is known of the tenant.
        given: what the ledger has for the claimed deliveries.
        owner: the session that holds them.

    Raises:
        NotSent: the connection was stopped, rehearses or changed its mode or mapping since the line
            was opened; nothing was settled.
        SynclineError: what had to be asked first could not be.
    """
    adopted = _older(line, target, given)
    others = [lease for lease in given.ready if lease.id not in adopted]
    found, unsure = _adopt(line, target, others)
    adopted |= found
    known = target.asks(line, known, given.currencies)
    inputs = Inputs(line.document, given.ids, known.currencies, known)
    concluded = {*adopted, *(lease.id for lease, _ in unsure)}
    decision = decide(target, given, inputs, concluded)
    as_is = [Confirmation(lease, lease.target_id, None, None) for lease, _ in decision.unchanged]
    _conclude(line, owner, given, [*adopted.values(), *as_is], [*decision.parked, *unsure])
    return decision.writes


def _conclude(
    line: Line,
    owner: UUID,
    given: Given,
    as_is: Sequence[Confirmation],
    parked: Sequence[Parked],
) -> None:
    if not (given.unmet or as_is or parked):
        return
    edges = {
        delivery: [(need.flow, need.source_id, need.role) for need in unmet]
        for delivery, unmet in given.unmet.items()
    }

    def work(connection: Connection) -> bool:
        # What is decided by an old mapping would stand: the new one has asked for these already.
        if not connections.is_as(connection, line.link):
            return False
        waits.wait(connection, line.link.tenant, owner, edges, given.leases)
        leased.confirm(connection, as_is, wrote=False)
        for lease, error in parked:
            field = error.field if isinstance(error, Unmappable) else None
            leased.park(connection, [lease], reason=str(error), field=field)
        return True

    if not line.worker.ledger.run_patiently(work, sleep=line.worker.sleep):
        raise NotSent("Its connection stands or works otherwise by now.")


def _older(line: Line, target: Target, given: Given) -> dict[int, Confirmation]:
    """The clients of contacts that were merged stay those of the contacts that they became."""
    if target.name != "client":
        return {}
    place = line.link.location_place
    clients = line.worker.ledger.run(
        lambda connection: older_clients(connection, given.ready, given.loaded, place)
    )
    return {
        lease.id: Confirmation(lease, str(ids.id), replace(ids, adopted=True).meta(), None)
        for lease in given.ready
        if (ids := clients.get(lease.id)) is not None
    }


def _adopt(
    line: Line, target: Target, leases: Sequence[Lease]
) -> tuple[dict[int, Confirmation], list[Parked]]:
    """Customers that Halo has already are used as they are, and never written."""
    bad: list[Parked] = []
    if target.name not in {"client", "user"}:
        return {}, bad
    unknown = [
        lease
        for lease in leases
        if lease.target_id is None and lease.source_id.startswith("email:")
    ]
    unknown = _not_asked_lately(line, target, unknown)
    emails = {lease.id: lease.source_id.removeprefix("email:") for lease in unknown}
    users, unsure = existing_users.users(line, list(emails.values()))
    adopted: dict[int, Confirmation] = {}
    for lease in unknown:
        user = users.get(emails[lease.id])
        if user is None:
            if emails[lease.id] in unsure:
                bad.append((lease, existing_users.not_shown()))
            continue
        try:
            found = customers.adopt_from_user(user)
        except Unreadable as error:
            bad.append((lease, error))
            continue
        ids = found.client if target.name == "client" else found.user
        adopted[lease.id] = Confirmation(lease, str(ids.id), ids.meta(), None)
    return adopted, bad


def _not_asked_lately(line: Line, target: Target, leases: list[Lease]) -> list[Lease]:
    """Without users whose client we have just made: Halo had no such user right before that."""
    if target.name != "user" or not leases:
        return leases
    clients = {lease.id: (customers.FLOW, lease.source_id, "client") for lease in leases}
    made = line.worker.ledger.run(
        lambda connection: needs.made_lately(
            connection, line.link.tenant, list(clients.values()), STILL_KNOWN
        )
    )
    return [lease for lease in leases if clients[lease.id] not in made]
