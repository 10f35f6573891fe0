"""The verdict on money: does Halo hold what was sold, what came in and what went back, to the cent?

As the audit of orders, it looks at the two services' stores alone. What Halo should hold:
an invoice for every order that was paid and for every payment of no order; a payment for every
transaction in which money came in; credits, marked as used, that sum to what went back; a disabled
recurring invoice for every subscription. A row brought to nothing counts as absent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from syncline.sandbox.audit.rows import (
    Emails,
    Findings,
    exact,
    links_by_row,
    references,
    told_customer_fits,
)
from syncline.sandbox.audit.told import Telling
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES, INVOICE_TABLE
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.location.forms import digits_of
from syncline.sandbox.location.store import PAID_STATUSES, Document, Store, is_owed, renews

KINDS = (
    "missing_invoices",
    "duplicate_invoices",
    "wrong_invoices",
    "missing_payments",
    "duplicate_payments",
    "wrong_payments",
    "wrong_credits",
    "strange_money",
    "missing_subscriptions",
    "duplicate_subscriptions",
    "wrong_subscriptions",
)

_NO_CURRENCY = "unknown"
"""Under it stand payments whose invoice is gone."""

Sums = dict[str, dict[str, dict[str, Decimal]]]


@dataclass(frozen=True, slots=True)
class MoneyVerdict:
    """What was found.

    Attributes:
        findings: kind to ids: of orders and transactions, or `entity id` where nobody owes a row.
        figures: how many transactions, refunds and subscriptions are owed and in line.
        undecidable: how many of them would be owed if enough of them were told.
        in_line_by_id: transaction or subscription that is owed → whether it is in line.
        sums: currency to what both sides hold of it, as decimal texts with its digits.
    """

    findings: Findings
    figures: dict[str, int]
    undecidable: dict[str, int]
    in_line_by_id: dict[str, bool]
    sums: dict[str, dict[str, dict[str, str]]]

    @property
    def in_line(self) -> bool:
        """Whether everything owed is there and nothing else."""
        whole = all(
            self.figures[f"{what}_owed"] == self.figures[f"{what}_in_line"]
            for what in ("transactions", "refunds", "subscriptions")
        )
        return whole and not any(self.findings.values())


def audit_money(
    store: Store, emails: Emails, sales: Iterable[Row], telling: Telling
) -> MoneyVerdict:
    """Compare both stores' money.

    Args:
        store: both services' data.
        emails: client id to the addresses of its users.
        sales: the sales orders of ours, for the sums.
        telling: what is told of each document.
    """
    judge = _Judge(store, emails, telling)
    due = [one for one in store.transactions.values() if is_due(store, one)]
    running = [one for one in store.subscriptions.values() if is_owed(store, one)]
    transactions = {one["_id"]: one for one in due if telling.is_decidable("transactions", one)}
    subscriptions = {one["_id"]: one for one in telling.enough("subscriptions", running)}
    refunded = [
        key
        for key, one in transactions.items()
        if exact(one.get("amountRefunded")) and telling.of("transactions", one).refund
    ]
    lines = {key: judge.transaction(one) for key, one in transactions.items()}
    running_in_line = {key: judge.subscription(one) for key, one in subscriptions.items()}
    figures = {
        "transactions_owed": len(transactions),
        "transactions_in_line": sum(all(line) for line in lines.values()),
        "refunds_owed": len(refunded),
        "refunds_in_line": sum(lines[key].credits for key in refunded),
        "subscriptions_owed": len(subscriptions),
        "subscriptions_in_line": sum(running_in_line.values()),
    }
    in_line = {key: all(line) for key, line in lines.items()} | running_in_line
    undecidable = {
        "transactions": len(due) - len(transactions),
        "subscriptions": len(running) - len(subscriptions),
    }
    sold = telling.enough("orders", store.orders.values())
    sums = _sums(store, sold, transactions.values(), subscriptions.values(), sales)
    judge.strange()
    return MoneyVerdict(judge.findings, figures, undecidable, in_line, _shown(sums))


def is_due(store: Store, transaction: Document) -> bool:
    """Whether money came in with a transaction that Halo has to know.

    No order tells the sale of a renewal: a payment of it that stood on one would be strange.
    """
    if renews(transaction):
        return False
    came_in = transaction["status"] in PAID_STATUSES or exact(transaction.get("amountRefunded")) > 0
    return came_in and exact(transaction["amount"]) > 0 and is_owed(store, transaction)


def _party_of(document: Document, store: Store) -> str | None:
    """The address of whom a document is of."""
    if "contactSnapshot" in document:
        email: str | None = document["contactSnapshot"].get("email")
        return email
    contact = store.contacts.get(document.get("contactId", ""), {})
    return contact.get("email")


class _Line(tuple[bool, bool, bool]):
    """Whether a transaction's invoice, payment and credits are right."""

    __slots__ = ()

    @property
    def credits(self) -> bool:
        return self[2]


@dataclass(slots=True)
class _Judge:
    """Takes out of Halo's rows what is owed, finding by finding; what stays is strange."""

    store: Store
    emails: Emails
    telling: Telling
    findings: Findings = field(init=False)
    _halo: HaloStore = field(init=False)
    _invoices: dict[str, list[Row]] = field(init=False)
    _credits: dict[str, list[Row]] = field(init=False)
    _payments: dict[str, list[Row]] = field(init=False)
    _recurring: dict[str, list[Row]] = field(init=False)
    _judged: dict[str, tuple[Row | None, bool]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.findings = {kind: [] for kind in KINDS}
        self._halo = self.store.halo
        self._invoices, self._credits = _invoices(self._halo)
        self._payments = _by_reference(
            self._halo.payments.values(),
            lambda row: (row.get("intent_id"), row.get("thirdpartyid")),
        )
        self._recurring = _carried(self._halo, self._halo.recurring_invoices.values())

    def transaction(self, transaction: Document) -> _Line:
        """Judge the payment and the credits of one transaction, and the invoice they stand on."""
        order = self.store.orders.get(transaction.get("entityId", ""))
        invoice, whole = self._invoice(order or transaction)
        paid = self._payment(transaction, invoice)
        return _Line((whole, paid, self._credits_fit(transaction, invoice)))

    def subscription(self, subscription: Document) -> bool:
        """Judge the recurring invoice of one subscription."""
        row = self._only(self._recurring, subscription, "subscriptions")
        if row is None:
            return False
        fits = self._fits(subscription, row) and row.get("disabled") is True
        if not fits:
            self.findings["wrong_subscriptions"].append(subscription["_id"])
        return fits

    def strange(self) -> None:
        """Judge the invoices of orders that nobody paid yet, and name what nobody owes."""
        for order_id in list(self._invoices):
            order = self.store.orders.get(order_id)
            if order is not None and is_owed(self.store, order) and self._amounts(order_id):
                self._invoice(order)
        held = {
            "Invoice": [*self._invoices.values(), *self._credits.values()],
            "InvoicePayment": [*self._payments.values()],
            "RecurringInvoice": [*self._recurring.values()],
        }
        for entity, groups in held.items():
            ids = {row["id"] for rows in groups for row in rows if _amount(row)}
            self.findings["strange_money"] += [f"{entity} {row_id}" for row_id in sorted(ids)]

    def _amounts(self, source_id: str) -> bool:
        return any(_amount(row) for row in self._invoices[source_id])

    def _invoice(self, document: Document) -> tuple[Row | None, bool]:
        """The one invoice of an order or of a payment of no order, and whether it is right."""
        source_id = document["_id"]
        if source_id not in self._judged:
            row = self._only(self._invoices, document, "invoices")
            fits = row is not None and self._fits(document, row)
            if row is not None and not fits:
                self.findings["wrong_invoices"].append(source_id)
            self._judged[source_id] = row, fits
        return self._judged[source_id]

    def _payment(self, transaction: Document, invoice: Row | None) -> bool:
        row = self._only(self._payments, transaction, "payments")
        if row is None:
            return False
        fits = _amount(row) == exact(transaction["amount"])
        if invoice is not None:
            client = row.get("client_id") or invoice["client_id"]
            fits = fits and (row["invoice_id"], client) == (invoice["id"], invoice["client_id"])
        if not fits:
            self.findings["wrong_payments"].append(transaction["_id"])
        return fits

    def _credits_fit(self, transaction: Document, invoice: Row | None) -> bool:
        """Whether the credits of a transaction sum to what went back, and stand where they must."""
        rows = [row for row in self._credits.pop(transaction["_id"], []) if _amount(row)]
        whole = sum((_amount(row) for row in rows), Decimal(0))
        told = self.telling.of("transactions", transaction).refund
        back = exact(transaction.get("amountRefunded")) if told else -whole
        fits = whole == -back and all(
            _is_used(row)
            and _code(row) == _currency(transaction)
            and (invoice is None or row.get("creditlinkedtoinvoiceid") == invoice["id"])
            and (invoice is None or row["client_id"] == invoice["client_id"])
            for row in rows
        )
        if not fits:
            self.findings["wrong_credits"].append(transaction["_id"])
        return fits

    def _only(self, held: dict[str, list[Row]], document: Document, kind: str) -> Row | None:
        """The one row that stands for a document; none or several is a finding."""
        rows = held.pop(document["_id"], [])
        if exact(document["amount"]):
            rows = [row for row in rows if _amount(row)]
        if len(rows) == 1:
            return rows[0]
        self.findings[f"{'duplicate' if rows else 'missing'}_{kind}"].append(document["_id"])
        return None

    def _fits(self, document: Document, row: Row) -> bool:
        """Whether amount, currency and customer are those of the document."""
        told = self.telling.of(self._kind(document), document).email
        return (
            _amount(row) == exact(document["amount"])
            and _code(row) == _currency(document)
            and told_customer_fits(told, _party_of(document, self.store), row, self.emails)
        )

    def _kind(self, document: Document) -> str:
        kinds = ("orders", "transactions", "subscriptions")
        return next(kind for kind in kinds if document["_id"] in getattr(self.store, kind))


def _invoices(halo: HaloStore) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Invoices by the document they carry, and credits by their transaction."""
    every = _carried(halo, halo.invoices.values())
    invoices: dict[str, list[Row]] = {}
    credits_of: dict[str, list[Row]] = defaultdict(list)
    for carried, rows in every.items():
        transaction_id, _, cumulative = carried.partition("-R")
        if cumulative:
            credits_of[transaction_id] += rows
        else:
            invoices[carried] = rows
    return invoices, dict(credits_of)


def _carried(halo: HaloStore, rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Invoices or recurring invoices by what they carry: their ids are of one sequence."""
    linked = links_by_row(halo, INVOICE_TABLE)
    return _by_reference(
        rows, lambda row: (row.get("thirdpartyinvoicenumber"), *linked.get(row["id"], ()))
    )


def _by_reference(
    rows: Iterable[Row], texts: Callable[[Row], Iterable[Any]]
) -> dict[str, list[Row]]:
    held: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for carried in references(*texts(row)):
            held[carried].append(row)
    return dict(held)


def _amount(row: Row) -> Decimal:
    """What a row is about: a payment's amount, everything else's total."""
    return exact(row["total"] if "total" in row else row.get("amount"))


def _is_used(row: Row) -> bool:
    """Whether a credit stands closed: nothing of it is left to be used."""
    return not exact(row.get("credit_outstanding")) and bool(row.get("mark_credit_as_used", True))


def _code(row: Row) -> str:
    return str(CURRENCIES[row["currency_code"]]["code"])


def _currency(document: Document) -> str:
    return str(document["currency"]).upper()


def _sums(
    store: Store,
    orders: Iterable[Document],
    transactions: Iterable[Document],
    subscriptions: Iterable[Document],
    sales: Iterable[Row],
) -> Sums:
    sums: Sums = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for order in orders:
        if is_owed(store, order):
            sums[_currency(order)]["highlevel"]["orders"] += exact(order["amount"])
    for transaction in transactions:
        ours = sums[_currency(transaction)]["highlevel"]
        ours["paid"] += exact(transaction["amount"])
        ours["refunded"] += exact(transaction.get("amountRefunded"))
    for subscription in subscriptions:
        sums[_currency(subscription)]["highlevel"]["subscriptions"] += exact(subscription["amount"])
    for code, what, amount in _held(store.halo, sales):
        sums[code]["halo"][what] += amount
    return sums


def _held(halo: HaloStore, sales: Iterable[Row]) -> Iterator[tuple[str, str, Decimal]]:
    """Currency, what it is and how much, of every row of ours in Halo."""
    for row in sales:
        yield _code(row), "orders", _amount(row)
    for row in halo.payments.values():
        if references(row.get("intent_id"), row.get("thirdpartyid")):
            invoice = halo.invoices.get(row["invoice_id"])
            yield _code(invoice) if invoice else _NO_CURRENCY, "paid", _amount(row)
    _, credits_of = _invoices(halo)
    for row in {row["id"]: row for rows in credits_of.values() for row in rows}.values():
        yield _code(row), "refunded", -_amount(row)
    for row in halo.recurring_invoices.values():
        if references(row.get("thirdpartyinvoicenumber")):
            yield _code(row), "subscriptions", _amount(row)


def _shown(sums: Mapping[str, Mapping[str, Mapping[str, Decimal]]]) -> Any:
    """The sums as texts, every currency with every figure."""
    return {
        code: {
            side: {
                what: f"{sums[code].get(side, {}).get(what, Decimal(0)):.{digits_of(code)}f}"
                for what in ("orders", "paid", "refunded", "subscriptions")
            }
            for side in ("highlevel", "halo")
        }
        for code in sorted(sums)
    }
