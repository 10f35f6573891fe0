"""`syncline connection check --probe`: one test order is written, found again and removed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.actor import caused
from syncline.calls.calls import ApiCalls, Planned
from syncline.calls.changes import made
from syncline.calls.context import Line
from syncline.connections.scope_checks import CheckResult
from syncline.errors import Absent, Doubtful, SynclineError, Unmappable
from syncline.flows.flow import external_link
from syncline.halo.entities.resources import CLIENT, ORDER
from syncline.halo.entities.rows import delete_row, next_page, save_rows, walk_of
from syncline.halo.models import HaloRow
from syncline.ledger import effects
from syncline.sending.prove import prove
from syncline.sending.targets import TARGETS
from syncline.transport import Permit

T = TypeVar("T")

_WHAT = "Halo: writing, finding and removing an order"
_CAUSE = "connection check --probe"


def probe(line: Line, api: ApiCalls) -> CheckResult:
    """Write one test order without an amount, prove how it is found again, and remove it.

    Halo's automations are told to stay out of it. What cannot be removed is named.
    """
    # One probe a process, and a process has its own session: the reference is never used twice.
    reference = f"HL-probe-{line.worker.session().hex}"
    try:
        body = _body(reference, _client(line, api))
        row = _written(line, api, body, reference)
    except SynclineError as error:
        return CheckResult(_WHAT, False, False, error.what, _remedy(error, reference))
    return _found_and_removed(line, api, reference, row)


def _found_and_removed(line: Line, api: ApiCalls, reference: str, row: HaloRow) -> CheckResult:
    failure: SynclineError | None = None
    way = None
    try:
        way = prove(line, TARGETS["order"], api, reference, str(row.id))
    except SynclineError as error:
        failure = error
    try:
        _removed(line, api, reference, row.id)
    except SynclineError as error:
        return CheckResult(
            _WHAT, False, False, error.what, f"Remove order {row.id} in Halo by hand."
        )
    if way is None:
        found = failure.what if failure else "it was written and removed, but not found again"
        return CheckResult(
            _WHAT, False, False, found, "Allow reports or the search for orders to our application."
        )
    return CheckResult(_WHAT, True, False, f"found again by {way}, and removed", "")


def _client(line: Line, api: ApiCalls) -> int:
    default = line.document.customers.default_client
    if default is not None:
        return default
    clients = api.read(
        "GET /Client", lambda permit: next_page(line.halo, permit, CLIENT, walk_of(CLIENT))
    )
    if not clients:
        raise Unmappable(
            "There is no client in Halo that a test order could belong to.", field="client_id"
        )
    return clients[-1].id  # newest first, and the oldest is usually the tenant's own


def _body(reference: str, client_id: int) -> dict[str, Any]:
    return {
        "po_number": reference,
        "client_id": client_id,
        "lines": [
            {"name": "Test of the connection, removed at once", "quantity": 1, "baseprice": 0}
        ],
        "new_external_link": external_link(reference, "Test of the connection"),
        "_dont_fire_automations": True,
    }


def _written(line: Line, api: ApiCalls, body: dict[str, Any], reference: str) -> HaloRow:
    def ours(rows: Sequence[HaloRow]) -> list[HaloRow]:
        return [row for row in rows if str(row.raw.get("po_number") or "") == reference]

    def note(connection: Connection, rows: Sequence[HaloRow], call_id: UUID) -> None:
        for row in ours(rows):
            _note(connection, line, "create", reference, row.id, call_id)

    def save(permit: Permit) -> Sequence[HaloRow]:
        return save_rows(line.halo, permit, ORDER, [body])

    rows = made(line.worker, api, Planned("probe order"), save, note)
    if len(ours(rows)) != 1:
        raise Doubtful("Halo's answer to the test order does not contain it.")
    return ours(rows)[0]


def _removed(line: Line, api: ApiCalls, reference: str, order_id: int) -> None:
    def remove(permit: Permit) -> None:
        delete_row(line.halo, permit, ORDER, order_id)

    def note(connection: Connection, _made: None, call_id: UUID) -> None:
        _note(connection, line, "delete", reference, order_id, call_id)

    with suppress(Absent):
        made(line.worker, api, Planned("remove probe order"), remove, note)


def _note(
    connection: Connection, line: Line, effect: str, reference: str, order_id: int, call_id: UUID
) -> None:
    effects.note(
        connection,
        line.link.id,
        flow="probe",
        effect=effect,
        target="order",
        target_id=str(order_id),
        reference=reference,
        call_id=call_id,
        cause=caused(_CAUSE, line.worker.settings),
    )


def _remedy(error: SynclineError, reference: str) -> str:
    if isinstance(error, Doubtful):
        return f"Look in Halo for an order with the number {reference}, and remove it."
    return error.remedy
