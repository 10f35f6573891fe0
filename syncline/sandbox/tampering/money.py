"""What people do to money in Halo: invoices, payments, credits and recurring invoices."""

from __future__ import annotations

from collections.abc import Callable

from syncline.sandbox.audit.rows import REFERENCE, exact
from syncline.sandbox.halo.money.invoices import edit_invoice, save_invoice
from syncline.sandbox.halo.money.payments import edit_payment, removed_payment, save_payment
from syncline.sandbox.halo.money.recurring import edit_recurring
from syncline.sandbox.halo.resources.fields import INVOICE, INVOICE_LINE, PAYMENT
from syncline.sandbox.halo.tenant.catalogue import INVOICE_TABLE
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.tampering.scene import (
    Change,
    Kind,
    Scene,
    amount,
    copied,
    dearer,
    only,
    removed,
)


def _sales(scene: Scene) -> list[str]:
    """What has an invoice: orders, and transactions of no order."""
    lone = (one for one in scene.store.transactions.values() if "entityId" not in one)
    return scene.owed([*scene.store.orders.values(), *lone])


def _transactions(scene: Scene) -> list[str]:
    return scene.owed(scene.store.transactions.values())


def _refunded(scene: Scene) -> list[str]:
    every = scene.store.transactions.values()
    return scene.owed(one for one in every if exact(one.get("amountRefunded")))


def _subscriptions(scene: Scene) -> list[str]:
    return scene.owed(scene.store.subscriptions.values())


def _invoice(scene: Scene, source: str) -> Row | None:
    row = only(scene.halo.invoices.having("thirdpartyinvoicenumber", REFERENCE + source))
    return row if row is not None and row["total"] > 0 and not row["voided"] else None


def _payment(scene: Scene, source: str) -> Row | None:
    row = only(scene.halo.payments.having("intent_id", REFERENCE + source))
    return row if row is not None and row["amount"] else None


def _credit(scene: Scene, source: str) -> Row | None:
    """The newest credit of a transaction: it stands on the invoice that the payment does."""
    payment = _payment(scene, source)
    if payment is None:
        return None
    on_it = scene.halo.invoices.having("creditlinkedtoinvoiceid", payment["invoice_id"])
    ours = f"{REFERENCE}{source}-R"
    rows = [row for row in on_it if str(row["thirdpartyinvoicenumber"]).startswith(ours)]
    rows = [row for row in rows if row["total"]]
    return max(rows, key=lambda row: row["id"], default=None)


def _recurring(scene: Scene, source: str) -> Row | None:
    rows = scene.halo.recurring_invoices.having("thirdpartyinvoicenumber", REFERENCE + source)
    return only(rows)


def _delete_invoice(scene: Scene, row: Row) -> Change:
    """What was paid on it stays behind: a person may force that in Halo."""
    scene.halo.drop_links_of(INVOICE_TABLE, row["id"])
    return removed(scene, "Invoice", scene.halo.invoices, row["id"])


def _void(scene: Scene, row: Row) -> Change:
    edit_invoice(scene.tenant, row["id"], {"voided": True})
    return Change(row["id"], "voided", False, True)


def _copy_invoice(scene: Scene, row: Row) -> Change:
    made = save_invoice(scene.tenant, copied(row, INVOICE, INVOICE_LINE))
    return Change(row["id"], "row", row["id"], made["id"])


def _delete_payment(scene: Scene, row: Row) -> Change:
    change = removed(scene, "InvoicePayment", scene.halo.payments, row["id"])
    removed_payment(scene.tenant, row)
    return change


def _copy_payment(scene: Scene, row: Row) -> Change:
    made = save_payment(scene.tenant, copied(row, PAYMENT))
    return Change(row["id"], "row", row["id"], made["id"])


def _change_payment(scene: Scene, row: Row) -> Change:
    before = amount(row)
    changed = edit_payment(scene.tenant, row["id"], {"amount": exact(row["amount"]) + 1})
    return Change(row["id"], "amount", before, amount(changed))


def _delete_recurring(scene: Scene, row: Row) -> Change:
    scene.halo.generating.pop(row["id"], None)
    scene.halo.drop_links_of(INVOICE_TABLE, row["id"])
    return removed(scene, "RecurringInvoice", scene.halo.recurring_invoices, row["id"])


def _switch_on(scene: Scene, row: Row) -> Change | None:
    """Enabled without a date, so that it makes no invoice before somebody gives it one."""
    if row["disabled"] is not True:
        return None
    now = scene.tenant.stamp()
    scene.halo.recurring_invoices[row["id"]] = {**row, "disabled": False, "last_modified": now}
    scene.halo.touch("RecurringInvoice", row["id"], now)
    return Change(row["id"], "disabled", True, False)


def _raise_by(edit: Callable[[Tenant, int, Row], Row]) -> Callable[[Scene, Row], Change | None]:
    """A line dearer by one major unit; the total follows."""

    def change(scene: Scene, row: Row) -> Change | None:
        before, lines = amount(row), dearer(row["lines"], "unit_price", "qty_order")
        if lines is None:
            return None
        changed = edit(scene.tenant, row["id"], {"lines": lines})
        return Change(row["id"], "total", before, amount(changed))

    return change


def _kind(
    entity: str,
    sources: Callable[[Scene], list[str]],
    find: Callable[[Scene, str], Row | None],
    change: Callable[[Scene, Row], Change | None],
) -> Kind:
    """A kind that does something to the one row that stands for a source."""

    def done(scene: Scene, source: str) -> Change | None:
        row = find(scene, source)
        return None if row is None else change(scene, row)

    return Kind(entity, sources, done)


MONEY_KINDS: dict[str, Kind] = {
    "invoice_deleted": _kind("sale", _sales, _invoice, _delete_invoice),
    "invoice_voided": _kind("sale", _sales, _invoice, _void),
    "invoice_doubled": _kind("sale", _sales, _invoice, _copy_invoice),
    "invoice_amount": _kind("sale", _sales, _invoice, _raise_by(edit_invoice)),
    "payment_deleted": _kind("transaction", _transactions, _payment, _delete_payment),
    "payment_doubled": _kind("transaction", _transactions, _payment, _copy_payment),
    "payment_amount": _kind("transaction", _transactions, _payment, _change_payment),
    "credit_deleted": _kind("transaction", _refunded, _credit, _delete_invoice),
    "credit_amount": _kind("transaction", _refunded, _credit, _raise_by(edit_invoice)),
    "recurring_deleted": _kind("subscription", _subscriptions, _recurring, _delete_recurring),
    "recurring_amount": _kind(
        "subscription", _subscriptions, _recurring, _raise_by(edit_recurring)
    ),
    "recurring_enabled": _kind("subscription", _subscriptions, _recurring, _switch_on),
}
