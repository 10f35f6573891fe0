"""Lines and totals of orders and invoices: what both kinds of row share in being worked out."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import Tenant


def merged_lines(
    tenant: Tenant, kind: str, blank: Row, standing: list[Row], posted: list[Row]
) -> list[Row]:
    """The new set of lines; one that is posted with its id keeps the id and what is not posted."""
    known = {line["id"]: line for line in standing}
    merged = {} if tenant.profile.replaces_lines else dict(known)
    for line in posted:
        line_id = line.get("id")
        if line_id not in known:
            line_id = tenant.store.next_id(kind)
        given = {key: value for key, value in line.items() if value is not None}
        merged[line_id] = {**blank, **known.get(line_id, {}), **given, "id": line_id}
    return list(merged.values())


def with_shipped(store: HaloStore, order_id: int, lines: list[Row]) -> list[Row]:
    """An order's lines with what its consignments sent of them; what came back is taken off."""
    sent: dict[int, Decimal] = defaultdict(Decimal)
    named: dict[int, list[int]] = defaultdict(list)
    for consignment in store.consignments.having("salesorder_id", order_id):
        for line in consignment["lines"]:
            quantity, of = exact(line["quantity"]), line["salesorder_line"]
            sent[of] += -quantity if consignment["is_return"] else quantity
            if consignment["id"] not in named[of]:
                named[of].append(consignment["id"])
    return [
        {
            **line,
            "quantity_shipped": float(sent.get(line["id"], 0)),
            "consignment_ids": named.get(line["id"], []),
        }
        for line in lines
    ]


def overruled(what: str, given: Row, reckoned: dict[str, Decimal]) -> list[str]:
    """A warning for each figure that was posted otherwise than it was worked out."""
    return [
        f"{what}: {key} {given[key]} was replaced by {value}."
        for key, value in reckoned.items()
        if type(given.get(key)) is Decimal and given[key] != value
    ]


def exact(value: Any) -> Decimal:
    """A stored double as the decimal that it stands for."""
    return value if type(value) is Decimal else Decimal(str(value))
