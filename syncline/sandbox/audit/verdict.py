"""The sandbox's own verdict: does Halo hold what HighLevel says, once, to the cent, in silence?

It looks at the two services' stores and at the judges of the limits and at nothing else, so no
error of a ledger can hide from it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from syncline.sandbox.audit.alerts import audit_alerts
from syncline.sandbox.audit.fulfillments import audit_fulfillments
from syncline.sandbox.audit.money import KINDS as MONEY_KINDS
from syncline.sandbox.audit.money import audit_money, is_due
from syncline.sandbox.audit.rows import (
    Emails,
    Findings,
    emails_of,
    exact,
    links_by_row,
    references,
    told_customer_fits,
)
from syncline.sandbox.audit.told import Telling, Told
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES, ORDER_TABLE
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.highlevel.nonsense import kind_of
from syncline.sandbox.location.forms import normalised
from syncline.sandbox.location.store import Document, Store, is_owed
from syncline.sandbox.wire.calls import CallLog
from syncline.sandbox.wire.limits import SideLimits

SHOWN = 20
"""Longest list of ids in a verdict; `counts` holds the true figures."""

_KINDS = (
    "missing",
    "duplicates",
    "wrong_amounts",
    "wrong_lines",
    "wrong_customers",
    "wrong_currency",
    "duplicate_clients",
    "duplicate_users",
    "strangers",
    "mailed",
    "generated",
    "automations",
    "collected",
    *MONEY_KINDS,
)


def audit(
    store: Store,
    call_log: CallLog,
    limits: Mapping[str, SideLimits],
    *,
    each: bool = False,
) -> dict[str, Any]:
    """Compare both stores and tell every difference.

    Args:
        store: both services' data.
        call_log: of both.
        limits: side to its judges.
        each: whether to tell of every record of HighLevel what became of it, under `records`.

    Returns:
        `orders_owed`, `orders_in_line`, and the same for `transactions`, `refunds` (transactions
        of which something went back) and `subscriptions`; `undecidable`: how many of each would
        be owed if enough of them were told; for each kind of finding up to 20 ids,
        and under `counts` how many there are; `sums` by currency of both sides; `rejected_429` and
        `max_in_window` by side; `fulfillments` and `alerts`, the verdicts on them; `clean` if
        there is no finding, nothing was rejected and everything owed is in line. Money and
        fulfillments count only where the config says so.
    """
    halo: HaloStore = store.halo
    findings: Findings = {kind: [] for kind in _KINDS}
    telling = Telling(store)
    whole_owed = {key: order for key, order in store.orders.items() if is_owed(store, order)}
    owed = {key: order for key, order in whole_owed.items() if telling.of("orders", order).row}
    targets, emails = _targets(halo), emails_of(halo)
    sales = {row["id"]: row for key, rows in targets.items() if key for row in rows}
    money = audit_money(store, emails, sales.values(), telling)
    in_line = _orders(store, owed, targets, emails, findings, telling)
    _customers(halo, findings)
    _side_effects(store, halo, findings)
    if store.config.money:
        findings |= money.findings
    rejected = {side: call_log.rejected(side) for side in limits}
    shipping, alerts = audit_fulfillments(store), audit_alerts(halo)
    whole = (
        all(in_line.values())
        and alerts["clean"]
        and (money.in_line or not store.config.money)
        and (shipping["clean"] or not store.config.fulfillments)
    )
    return {
        "orders_owed": len(owed),
        "orders_in_line": sum(in_line.values()),
        **money.figures,
        "undecidable": {"orders": len(whole_owed) - len(owed), **money.undecidable},
        "fulfillments": shipping,
        "alerts": alerts,
        "sums": money.sums,
        "counts": {kind: len(ids) for kind, ids in findings.items()},
        **{kind: ids[:SHOWN] for kind, ids in findings.items()},
        "rejected_429": rejected,
        "max_in_window": {side: one.max_in_window for side, one in limits.items()},
        "clean": whole and not any(findings.values()) and not any(rejected.values()),
        **({"records": _each(store, telling, in_line | money.in_line_by_id)} if each else {}),
    }


def _each(store: Store, telling: Telling, in_line: Mapping[str, bool]) -> list[dict[str, Any]]:
    """What became of every record: its nonsense, whether it is decidable, due, owed and in line.

    One is due that Halo has to know, whoever can tell it, and owed if it is decidable as well.

    One that is decidable and not owed is in line where nothing stands for it, which the findings
    tell.
    """
    return [
        {
            "kind": kind,
            "id": key,
            "nonsense": kind_of(store.config, key),
            "order": document.get("entityId"),
            "decidable": telling.is_decidable(kind, document),
            "due": is_due(store, document) if kind == "transactions" else is_owed(store, document),
            "owed": key in in_line,
            "in_line": in_line.get(key, True),
        }
        for kind in ("orders", "transactions", "subscriptions")
        for key, document in getattr(store, kind).items()
    ]


def _orders(
    store: Store,
    owed: dict[str, Document],
    targets: dict[str, list[Row]],
    emails: Emails,
    findings: Findings,
    telling: Telling,
) -> dict[str, bool]:
    """Find each owed order's targets and judge them; tells of each whether it is in line."""
    in_line = dict.fromkeys(owed, False)
    for order_id, order in owed.items():
        found = targets.pop(order_id, [])
        if len(found) != 1:
            findings["duplicates" if found else "missing"].append(order_id)
            continue
        told = telling.of("orders", order)
        wrong = set(_differences(order, found[0], emails, told, details=store.config.details))
        for kind in wrong:
            findings[kind].append(order_id)
        in_line[order_id] = not wrong
    strange = {row["id"] for rows in targets.values() for row in rows}
    findings["strangers"] += [str(row_id) for row_id in sorted(strange)]
    return in_line


def _targets(halo: HaloStore) -> dict[str, list[Row]]:
    """Sales orders by the HighLevel order they carry; without any, under an empty id."""
    linked = links_by_row(halo, ORDER_TABLE)
    targets: dict[str, list[Row]] = defaultdict(list)
    for row in halo.orders.values():
        for order_id in references(row.get("po_number"), *linked[row["id"]]) or {""}:
            targets[order_id].append(row)
    return targets


def _differences(
    order: Document, row: Row, emails: Emails, told: Told, *, details: bool
) -> Iterator[str]:
    amount, tax = exact(order["amount"]), exact(_summary(order).get("tax", 0))
    summarised = not details and _is_summary(order, row)
    taxed = not told.tax or exact(row["tax_total"]) == tax
    if exact(row["total"]) != amount or not (summarised or taxed):
        yield "wrong_amounts"
    if not summarised and not _lines_fit(told.items or (), row):
        yield "wrong_lines"
    if CURRENCIES[row["currency_code"]]["code"] != str(order["currency"]).upper():
        yield "wrong_currency"
    email = order.get("contactSnapshot", {}).get("email")
    if not told_customer_fits(told.email, email, row, emails):
        yield "wrong_customers"


def _is_summary(order: Document, row: Row) -> bool:
    """One line that names the order stands for all of it."""
    lines = _charged(row)
    return len(lines) == 1 and str(order["_id"]) in str(lines[0]["name"])


def _lines_fit(items: Iterable[Document], row: Row) -> bool:
    """Every item has its line; the others (discount, shipping, adjustment) make up the sum."""
    lines = _charged(row)
    held = Counter(
        (_name(one["name"]), exact(one["quantity"]), exact(one["baseprice"])) for one in lines
    )
    wanted = Counter(
        (_name(_item_name(item)), exact(item.get("qty", 1)), exact(item["price"]["amount"]))
        for item in items
        if exact(item["price"]["amount"])
    )
    whole = sum((exact(one["total_price"]) for one in lines), Decimal(0))
    return whole == exact(row["total"]) and not wanted - held


def _charged(row: Row) -> list[Row]:
    """The lines that count: a line taken back to nothing is as good as gone."""
    return [
        line
        for line in row["lines"]
        if exact(line["total_price"]) or exact(line["baseprice"]) * exact(line["quantity"])
    ]


def _customers(halo: HaloStore, findings: Findings) -> None:
    """Nobody stands in Halo twice: one user an address, one client a reference and an address."""
    users: dict[str, list[Row]] = defaultdict(list)
    for user in halo.users.values():
        email = normalised(user["emailaddress"])
        if email:
            users[email].append(user)
    for same in users.values():
        findings["duplicate_users"] += [str(user["id"]) for user in same[1:]]
    clients: dict[str, set[int]] = {
        email: {user["client_id"] for user in same} for email, same in users.items()
    }
    for client in halo.clients.values():
        if client["ref"]:
            clients.setdefault(client["ref"], set()).add(client["id"])
    doubled = {client_id for ids in clients.values() for client_id in sorted(ids)[1:]}
    findings["duplicate_clients"] += [str(client_id) for client_id in sorted(doubled)]


def _side_effects(store: Store, halo: HaloStore, findings: Findings) -> None:
    for effect in halo.side_effects:
        kind = "automations" if effect.kind == "automation" else effect.kind
        findings[kind].append(f"{effect.entity} {effect.id}: {effect.cause}")
    findings["mailed"] += _named("fulfillment", store.notified)


def _named(what: str, ids: Iterable[str]) -> list[str]:
    return [f"{what} {one}" for one in ids]


def _summary(order: Document) -> Document:
    summary: Document = order.get("amountSummary") or {}
    return summary


def _item_name(item: Document) -> str:
    return str(item.get("name") or item.get("product", {}).get("name") or "")


def _name(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
