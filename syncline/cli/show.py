"""`syncline show`: one order, transaction or subscription on both sides, and how it came so."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.cli.show_at import At, show_at
from syncline.deliveries.states import State
from syncline.errors import UnknownName
from syncline.flows import fulfillments, payments
from syncline.flows.flow import reference_of
from syncline.halo.capabilities import Capabilities
from syncline.ledger import capabilities, history
from syncline.ledger.history import History, SeenDelivery, SeenTransaction
from syncline.ledger.modes import HELD, HELD_UNTIL_LIVE
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, group, plain, show, stack, table

app = group("show", "Show one record on both sides.")

_LINE = "line "


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One field as both sides hold it; None where a side was not heard about it."""

    field: str
    highlevel: str | None
    halo: str | None


@dataclass(frozen=True, slots=True)
class _RecordSide:
    connection: str
    state: str
    held_until_live: bool
    target: str
    target_id: str | None
    reason: str | None
    fields: list[FieldPair]


@dataclass(frozen=True, slots=True)
class _ShownRecord:
    kind: str
    id: str
    sides: list[_RecordSide]
    transactions: tuple[SeenTransaction, ...]
    history: History


@app.command("order")
def show_order(
    context: typer.Context,
    *,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="HighLevel's id of the order.")],
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show an order's key fields on both sides, its money, changes, deliveries, effects and calls.

    Example: syncline show order 6578a1b2c3d4e5f60718293a
    """
    _show(context, "order", order_id, at, as_json=as_json)


@app.command("transaction")
def show_transaction(
    context: typer.Context,
    *,
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="HighLevel's id of the transaction.")
    ],
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show a transaction beside its payment, refunds and invoice in Halo, and how they came to be.

    Example: syncline show transaction 6578a1b2c3d4e5f60718293b
    """
    _show(context, "transaction", record_id, at, as_json=as_json)


@app.command("subscription")
def show_subscription(
    context: typer.Context,
    *,
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="HighLevel's id of the subscription.")
    ],
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show a subscription beside its recurring invoice in Halo, and how it came to be.

    Example: syncline show subscription 6578a1b2c3d4e5f60718293c
    """
    _show(context, "subscription", record_id, at, as_json=as_json)


def _show(
    context: typer.Context, kind: str, record_id: str, at: str | None, *, as_json: bool
) -> None:
    if at is not None:
        show_at(context, kind, record_id, at, as_json=as_json)
        return

    def work(connection: Connection) -> _ShownRecord:
        found = history.of(connection, kind, record_id)
        if found is None:
            raise UnknownName(
                f"No {kind} {record_id!r} was seen yet.",
                remedy=f"Check the id, or read its day with `syncline enqueue pull-{kind}s`.",
            )
        money = history.transactions_of(connection, record_id) if kind == "order" else ()
        return _ShownRecord(kind, record_id, _sides(connection, found), money, found)

    with command_context(context).open() as worker:
        shown = worker.ledger.run(work)
    show(as_json, shown, lambda: _render(shown))


def _sides(connection: Connection, found: History) -> list[_RecordSide]:
    tenants = {delivery.tenant for delivery in found.deliveries}
    currencies = {tenant: _currencies(connection, tenant) for tenant in tenants}
    return [
        _RecordSide(
            delivery.connection,
            delivery.state,
            _is_held(delivery),
            delivery.target,
            delivery.target_id,
            delivery.reason,
            _fields(delivery, found, currencies[delivery.tenant]),
        )
        for delivery in found.deliveries
        if delivery.flow not in {"details", "customers", fulfillments.FLOW}
    ]


def _is_held(delivery: SeenDelivery) -> bool:
    return delivery.state == State.PARKED and delivery.field == HELD


def _fields(delivery: SeenDelivery, found: History, currencies: dict[int, str]) -> list[FieldPair]:
    if delivery.target == "order":
        return beside(found.record.canonical, delivery.projection, currencies)
    return money_beside(delivery.role, found.record.canonical, delivery.projection, currencies)


def money_beside(
    role: str,
    canonical: dict[str, Any],
    confirmed: dict[str, Any] | None,
    currencies: dict[int, str],
) -> list[FieldPair]:
    """An invoice, payment, credit or recurring invoice next to what HighLevel says.

    Args:
        role: which of its rows in Halo.
        canonical: the record.
        confirmed: the projection that Halo confirmed, None if it confirmed nothing yet.
        currencies: Halo's id of a currency → ISO code.
    """
    held = {key: str(value) for key, value in (confirmed or {}).items()}
    wanted = payments.reference(str(canonical["id"]), role)
    currency = held.pop("currency_code", None)
    given = held.pop("thirdpartyinvoicenumber", None) or held.pop("thirdpartyid", None)
    number = held.pop("intent_id", None)
    amount = held.pop("amount", None) or held.pop("total", None)
    refund = payments.is_credit(role)
    said = canonical.get("amount_refunded") if refund else canonical.get("amount")
    pairs = [
        FieldPair("reference", wanted, given),
        FieldPair("currency", canonical.get("currency"), _iso(currency, currencies)),
        FieldPair("refunded in all" if refund else "amount", _text(said), amount),
        FieldPair("status", _text(canonical.get("status")), None),
    ]
    if number not in {None, wanted}:
        held["intent_id"] = str(number)
    rest = sorted(key for key in held if not key.startswith(_LINE))
    return [*pairs, *(FieldPair(key, None, held[key]) for key in rest)]


def beside(
    canonical: dict[str, Any], confirmed: dict[str, Any] | None, currencies: dict[int, str]
) -> list[FieldPair]:
    """The fields of HighLevel's order next to what Halo confirmed of them.

    Args:
        canonical: the order.
        confirmed: the projection that Halo confirmed, None if it confirmed nothing yet.
        currencies: Halo's id of a currency → ISO code.
    """
    held = {key: str(value) for key, value in (confirmed or {}).items()}
    contact = canonical.get("contact") or {}
    currency = held.pop("currency_code", None)
    pairs = [
        FieldPair("reference", reference_of(str(canonical["id"])), held.pop("po_number", None)),
        FieldPair(
            "customer", contact.get("email") or contact.get("name"), held.pop("client_id", None)
        ),
        FieldPair("currency", canonical.get("currency"), _iso(currency, currencies)),
        FieldPair("total", _text(canonical.get("amount")), held.pop("total", None)),
        FieldPair("tax", _text(canonical.get("tax")), held.pop("tax_total", None)),
        FieldPair("lines", _items(canonical), held.pop("lines", None)),
        FieldPair("date", _text(canonical.get("created_at")), held.pop("date", None)),
        FieldPair("status", _text(canonical.get("status")), None),
    ]
    rest = sorted(key for key in held if not key.startswith(_LINE))
    return [*pairs, *(FieldPair(key, None, held[key]) for key in rest)]


def _currencies(connection: Connection, tenant: int) -> dict[int, str]:
    known = Capabilities.from_rows(capabilities.read(connection, f"tenant:{tenant}"))
    return {number: code for code, number in known.currencies.items()}


def _iso(halo_id: str | None, currencies: dict[int, str]) -> str | None:
    if halo_id is None:
        return None
    return currencies.get(int(halo_id), halo_id) if halo_id.isdigit() else halo_id


def _items(canonical: dict[str, Any]) -> str | None:
    """What becomes lines in Halo: items, shipping and discount; None until the detail was read."""
    items = canonical.get("items")
    if items is None:
        return None
    more = [name for name in ("shipping", "discount") if Decimal(canonical.get(name) or 0)]
    return ", ".join([f"{len(items)} {'item' if len(items) == 1 else 'items'}", *more])


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _render(shown: _ShownRecord) -> RenderableType:
    record = shown.history.record
    parts: list[RenderableType] = [
        plain(
            f"{shown.kind.capitalize()} {shown.id}, version {record.version}, "
            f"first seen {record.noticed_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"last change {record.changed_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    ]
    if not shown.sides:
        parts.append(plain("Nothing is owed for it: the mapping leaves it out."))
    parts += [_side(side) for side in shown.sides]
    history = shown.history
    if shown.transactions:
        parts.append(_transactions(shown.transactions))
    parts.append(_deliveries(history.deliveries))
    if history.changes:
        parts.append(_changes(history))
    if history.audit:
        parts.append(_effects(history))
    if history.calls:
        parts.append(_calls(history))
    return stack(*parts)


def _side(side: _RecordSide) -> RenderableType:
    target = f"Halo's {side.target} {side.target_id}" if side.target_id else "not in Halo yet"
    why = f": {side.reason}" if side.reason else ""
    state = HELD_UNTIL_LIVE if side.held_until_live else side.state
    return table(
        f"{side.connection}: {side.target} {state}, {target}{why}",
        ["field", "HighLevel", "Halo confirmed"],
        [[pair.field, _dash(pair.highlevel), _dash(pair.halo)] for pair in side.fields],
    )


def _transactions(transactions: tuple[SeenTransaction, ...]) -> RenderableType:
    rows = [
        [
            *(one.id, one.status, one.currency, one.amount, one.refunded),
            "\n".join(f"{role}: {state}" for role, state in sorted(one.delivered.items()))
            or "none is owed",
        ]
        for one in transactions
    ]
    columns = ["transaction", "status", "currency", "amount#", "refunded#", "in Halo"]
    return table("money", columns, rows)


def _dash(value: str | None) -> str:
    return "–" if value is None else value  # noqa: RUF001 - a dash, for "not told"


def _deliveries(deliveries: tuple[SeenDelivery, ...]) -> RenderableType:
    rows = [
        [
            *(one.id, one.connection, _delivery_of(one)),
            HELD_UNTIL_LIVE if _is_held(one) else one.state,
            f"{one.delivered_version or 0} of {one.wanted_version}",
            one.attempt,
            "\n".join(f"{w.flow}/{w.role}: {w.state or 'not owed yet'}" for w in one.waits),
            one.reason,
        ]
        for one in deliveries
    ]
    columns = ["number#", "connection", "delivery", "state", "version", "attempts#"]
    return table("deliveries", [*columns, "waits for", "reason"], rows)


def _delivery_of(one: SeenDelivery) -> str:
    named = f"{one.flow}/{one.role}"
    return f"{named} of {one.source_id}" if one.flow == fulfillments.FLOW else named


def _changes(history: History) -> RenderableType:
    rows = [
        [
            f"{change.at:%Y-%m-%d %H:%M:%S}",
            change.version,
            "\n".join(f"{name}: {_change(values)}" for name, values in change.fields.items())
            or "first seen",
            change.cause,
        ]
        for change in history.changes
    ]
    return table("changes", ["at (UTC)", "version#", "what", "seen by"], rows)


def _change(values: Any) -> str:
    if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
        return "changed"
    before, after = ("nothing" if value is None else value for value in values)
    return f"{before} → {after}"


def _effects(history: History) -> RenderableType:
    rows = [
        [f"{e.at:%Y-%m-%d %H:%M:%S}", e.effect, f"{e.target} {e.target_id}", e.version, e.cause]
        for e in history.audit
    ]
    return table("effects in Halo", ["at (UTC)", "effect", "row", "version#", "because of"], rows)


def _calls(history: History) -> RenderableType:
    rows = [
        [
            *(f"{call.at:%Y-%m-%d %H:%M:%S}", call.operation, call.elements),
            "not sent" if call.sent is False else call.status or "no answer",
            call.error,
            call.id,
        ]
        for call in history.calls
    ]
    return table("calls", ["at (UTC)", "call", "records#", "answer", "error", "id"], rows)
