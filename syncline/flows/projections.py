"""What is compared: the fields that we own, normalised, of what we want and of what Halo answered.

One function reads both, so a number that went through a binary float, another order of the lines
or another way to write a time is no difference.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.flow import Difference
from syncline.flows.lines import is_nothing, net_of, quantity_of
from syncline.flows.texts.in_full import shown_in
from syncline.halo.entities.columns import COLUMNS
from syncline.mapping.apply import plain, projected
from syncline.mapping.document import Document
from syncline.money import decimal, quantize

_LINES = "lines"
_LINE = "line "
_SUMS = ("total", "tax_total")


Accepted = Mapping[str, list[str]]
"""Field → what we wanted, and what the other side holds in its place."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is compared of one kind of row.

    Attributes:
        rows: the mapping's rows that set its further fields.
        texts: fields compared as text, references among them.
        numbers: ids and other numbers without a currency.
        amounts: amounts in the row's currency.
        flags: fields that are yes or no; what is not there is no.
        proof: fields without which an answer proves nothing about the row.
        whole: fields that a row which is read by its id shows, if it holds them.
        note: the field that keeps in full what others are too short for; "" where there is none.
    """

    rows: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    note: str = ""


ORDER = Shape(
    rows="orders",
    texts=("po_number",),
    numbers=("client_id", "site_id", "user_id", "currency_code", "status"),
    amounts=_SUMS,
    proof=("po_number", "client_id", "currency_code", *_SUMS),
    note=COLUMNS["order"].note,
)
INVOICE = Shape(
    rows="payments.invoice",
    texts=("thirdpartyinvoicenumber",),
    numbers=("client_id", "sitenumber", "currency_code", "salesorder_id"),
    amounts=_SUMS,
    proof=("thirdpartyinvoicenumber", "client_id", "currency_code", *_SUMS),
    whole=("duedate",),
    note=COLUMNS["invoice"].note,
)
CREDIT = Shape(
    rows="payments.credit",
    texts=("thirdpartyinvoicenumber",),
    numbers=("client_id", "sitenumber", "currency_code", "creditlinkedtoinvoiceid"),
    amounts=_SUMS,
    proof=("thirdpartyinvoicenumber", "client_id", "currency_code", *_SUMS),
    whole=("duedate",),
    note=COLUMNS["invoice"].note,
)
PAYMENT = Shape(
    rows="payments.payment",
    texts=("intent_id", "thirdpartyid"),
    numbers=("invoice_id",),
    amounts=("amount",),
    proof=("intent_id", "invoice_id", "amount"),
)
RECURRING = Shape(
    rows="subscriptions",
    texts=("thirdpartyinvoicenumber",),
    numbers=("client_id", "sitenumber", "currency_code", "salesorder_id"),
    amounts=_SUMS,
    flags=("disabled", "include_in_autopay", "take_auto_payment"),
    proof=("thirdpartyinvoicenumber", "client_id", "currency_code", "disabled", *_SUMS),
    note=COLUMNS["recurring"].note,
)


def projection(
    row: Mapping[str, Any],
    currency: str,
    document: Document,
    shape: Shape = ORDER,
    *,
    whole: bool = False,
) -> dict[str, str]:
    """The compared fields of a body or of Halo's row.

    Args:
        row: a body to post, or Halo's row; what it does not have is not in the result.
        currency: ISO 4217, for the digits of the amounts.
        document: the mapping, for the fields that it sets.
        shape: which kind of row it is.
        whole: whether it was read by its id: then a text of the mapping that is null is empty.
    """
    found = {key: _text(row[key]) for key in shape.texts if key in row}
    for key in shape.numbers:
        if row.get(key) is not None:
            found[key] = _number(row[key])
    for key in shape.flags:
        if key in row:
            found[key] = "yes" if str(row[key]).lower() in {"true", "1"} else "no"
    lines = row.get(_LINES)
    if isinstance(lines, list):
        found.update(_projected_lines(lines, currency))
    # Halo's own sums, where it gives them: it may compute otherwise than we do.
    for key in shape.amounts:
        if row.get(key) is not None:
            found[key] = _money(row[key], currency)
    found.update(shown_in(row.get(shape.note)))
    found.update(projected(document.rows[shape.rows], row, whole=whole))
    return found


def differences(
    wanted: Mapping[str, str], got: Mapping[str, str], proof: Collection[str] = ORDER.proof
) -> list[Difference]:
    """Where Halo's row is not what was wanted.

    Args:
        wanted: the projection of what was sent.
        got: the projection of what came back.
        proof: fields that must have come back. Of the others, what did not come is not compared.
    """
    found = [
        Difference(key, text, got.get(key, ""))
        for key, text in wanted.items()
        if not key.startswith(_LINE) and (key in got or key in proof) and text != got.get(key, "")
    ]
    if _LINES in wanted and _LINES in got:
        keys = {key: None for key in (*wanted, *got) if key.startswith(_LINE)}
        found += [
            Difference(key, wanted.get(key, ""), got.get(key, ""))
            for key in keys
            if wanted.get(key) != got.get(key)
        ]
    return found


def remaining(differences: Iterable[Difference], accepted: Accepted) -> list[Difference]:
    """Differences without those that a person took as they are, the values still being the same."""
    return [one for one in differences if accepted.get(one.field) != [one.wanted, one.got]]


def _projected_lines(lines: list[Any], currency: str) -> dict[str, str]:
    """Lines are compared by what they say, not by reference: Halo may keep none on a line."""
    try:
        kept = [line for line in lines if isinstance(line, Mapping) and not is_nothing(line)]
        net = sum(
            (net_of(line, currency) for line in kept), quantize(decimal(0, "total"), currency)
        )
        taxes = [quantize(decimal(line.get("tax") or 0, "tax"), currency) for line in kept]
        quantities = [quantity_of(line, currency) for line in kept]
    except Unmappable as unreadable:
        return {_LINES: f"unreadable: {unreadable}"}
    tax = sum(taxes, quantize(decimal(0, "tax"), currency))
    sums = {"total": f"{net + tax:f}", "tax_total": f"{tax:f}"}
    if None in quantities:
        return sums  # what does not say how many it is of is compared by what it comes to
    signatures = Counter(
        f"{_LINE}{_text(line.get('name'))}: {plain(quantity or decimal(0, 'quantity'))}"
        f" at {_number(line.get('baseprice') or 0)}, tax {plain(share)}"
        for line, quantity, share in zip(kept, quantities, taxes, strict=True)
    )
    return {
        **sums,
        _LINES: str(len(kept)),
        **{signature: str(count) for signature, count in sorted(signatures.items())},
    }


def _number(value: Any) -> str:
    try:
        return plain(decimal(value, "number"))
    except Unmappable:
        return str(value)


def _money(value: Any, currency: str) -> str:
    try:
        return f"{quantize(decimal(value, 'amount'), currency) + 0:f}"
    except Unmappable:
        return str(value)


def _text(value: Any) -> str:
    return " ".join(unicodedata.normalize("NFC", str(value or "")).split())
