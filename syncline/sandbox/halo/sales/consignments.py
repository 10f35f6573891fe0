"""Consignments: what was sent of a sales order, and how its lines follow.

Source: field names by the published schemas of ConsignmentHeader and ConsignmentDetail, which know
neither carrier nor tracking number. Guesses: a line names the order's line by its id in
`salesorder_line`; a return takes back from what was shipped; the order counts as changed by its
consignments; more than was ordered is not refused.
"""

from __future__ import annotations

from decimal import Decimal

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.sales.lines import exact, merged_lines, with_shipped
from syncline.sandbox.halo.tenant.store import Consigned, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_NEW_CONSIGNMENT: Row = {
    "note": "",
    "ticket_id": 0,
    "address": "",
    "user_name": "",
    "is_return": False,
}
_NEW_LINE: Row = {"quantity": Decimal(1)}


def check_consignment(tenant: Tenant, posted: Row) -> None:
    """Refuse a consignment of no order that exists, or of lines that the order does not have.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    store = tenant.store
    standing: Row = {}
    if posted.get("id"):
        if posted["id"] not in store.consignments:
            raise RefusalError(400, f"Consignment {posted['id']} does not exist.")
        standing = store.consignments[posted["id"]]
    order = store.orders.get(standing.get("salesorder_id") or posted.get("salesorder_id") or 0)
    if order is None:
        raise RefusalError(400, "Please select a valid Sales Order for this Consignment.")
    lines = posted.get("lines")
    if not standing and not lines:
        raise RefusalError(400, "A Consignment needs at least one line.")
    known = {line["id"]: line["salesorder_line"] for line in standing.get("lines", ())}
    of_the_order = {line["id"] for line in order["lines"]}
    for line in lines or ():
        if (line.get("salesorder_line") or known.get(line.get("id"))) not in of_the_order:
            raise RefusalError(400, "The line does not belong to this Sales Order.")
        if exact(line.get("quantity", 1)) <= 0:
            raise RefusalError(400, "A Consignment's quantity must be above zero.")


def save_consignment(tenant: Tenant, posted: Row) -> Row:
    """Create or update a consignment that passed the check; it stays with its order."""
    store = tenant.store
    standing = store.consignments.get(posted.get("id") or 0)
    row = dict(standing or {**_NEW_CONSIGNMENT, "date": tenant.stamp(), "lines": []})
    row["id"] = standing["id"] if standing else store.next_id("Consignment")
    kept = ("id", "lines", "salesorder_id") if standing else ("id", "lines")
    row |= plain({key: value for key, value in posted.items()
                  if value is not None and key not in kept})  # fmt: skip
    order = store.orders[row["salesorder_id"]]
    row["site_id"] = row.get("site_id") or order["site_id"]
    if posted.get("lines") is not None:
        row["lines"] = merged_lines(
            tenant, "ConsignmentLine", _NEW_LINE, row["lines"], posted["lines"]
        )
    sold = {line["id"]: line for line in order["lines"]}
    row["lines"] = [_named(row, line, sold) for line in row["lines"]]
    store.consignments[row["id"]] = row
    store.touch("Consignment", row["id"], tenant.stamp())
    store.consigned.setdefault(row["id"], []).append(Consigned(tenant.now(), row, sold))
    tenant.changed("Consignment", row["id"], new=standing is None)
    _follow(tenant, row)
    return row


def edit_consignment(tenant: Tenant, consignment_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens: the order follows.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    posted = {**posted, "id": consignment_id}
    check_consignment(tenant, posted)
    return save_consignment(tenant, posted)


def removed_consignment(tenant: Tenant, row: Row) -> None:
    """Let the order's lines be unshipped again."""
    tenant.store.consigned[row["id"]].append(Consigned(tenant.now(), None, {}))
    _follow(tenant, row)


def _named(row: Row, line: Row, sold: dict[int, Row]) -> Row:
    """A line with what it is of; one whose order line is gone keeps what it said."""
    of = sold.get(line["salesorder_line"])
    said = {"name": of["name"], "item_id": of["item_id"], "price": of["baseprice"]} if of else {}
    return plain(
        {
            **line,
            **said,
            "consignment_id": row["id"],
            "salesorder_id": row["salesorder_id"],
            "is_return": row["is_return"],
        }
    )


def _follow(tenant: Tenant, consignment: Row) -> None:
    """Bring the order in step with its consignments; it counts as changed."""
    store = tenant.store
    order = store.orders.get(consignment["salesorder_id"])
    if order is None:
        return
    order = {
        **order,
        "lines": with_shipped(store, order["id"], order["lines"]),
        "change_seq": order["change_seq"] + 1,
        "last_update_time": tenant.stamp(),
    }
    store.orders[order["id"]] = order
    store.touch("SalesOrder", order["id"], order["last_update_time"])
    tenant.changed("SalesOrder", order["id"], new=False)
