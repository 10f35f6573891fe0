"""Sales orders: what a write must hold, how lines are kept, how Halo works the totals out anew.

Source: field names by the published schema; that totals are computed by the server follows from
their being read-only there; replacing or merging of lines is undocumented, hence both exist.
"""

from __future__ import annotations

from decimal import Decimal

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.resources.spelling import taken
from syncline.sandbox.halo.sales.customers import check_place
from syncline.sandbox.halo.sales.lines import exact, merged_lines, overruled, with_shipped
from syncline.sandbox.halo.tenant.catalogue import BASE_CURRENCY, CURRENCIES, ORDER_TABLE, rounded
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_NEW_ORDER: Row = {
    "ticket_id": 0,
    "user_id": 0,
    "user_name": "",
    "title": "",
    "status": 1,
    "note": "",
    "summary": "",
    "po_number": "",
    "accountsref": "",
    "ship_date": None,
    "ship_status": "",
    "invoicenumber": "",
    "quotation_id": 0,
    "assigned_agent": 0,
    "do_not_invoice": False,
    "customfields": [],
}
_NEW_LINE: Row = {
    "name": "",
    "item_external_reference": "",
    "item_id": 0,
    "productcode": "",
    "note": "",
    "quantity": Decimal(1),
    "baseprice": Decimal(0),
    "costprice": 0.0,
    "discount_perc": Decimal(0),
    "tax": Decimal(0),
    "quantity_shipped": 0.0,
    "consignment_ids": [],
}
_COMPUTED = ("revenue", "tax_total", "total")
_FIVE_DIGITS = Decimal("0.00001")


def check_order(tenant: Tenant, posted: Row) -> None:
    """Refuse what Halo's rules refuse.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    standing = _standing(tenant, posted)
    if standing is not None and tenant.profile.enforces_change_seq:
        _check_sequence(standing, posted)
    wanted = {**(standing or {}), **{key: v for key, v in posted.items() if v is not None}}
    store = tenant.store
    if wanted.get("client_id") not in store.clients:
        raise RefusalError(400, "Please select a valid Customer for this Sales Order.")
    check_place(store, standing or {}, wanted["client_id"], posted.get("site_id"), "Sales Order")
    if wanted.get("user_id") and wanted["user_id"] not in store.users:
        raise RefusalError(400, "The selected User does not exist.")
    currency = wanted.get("currency_code")
    if currency is not None and currency not in CURRENCIES:
        raise RefusalError(400, f"Currency {currency} does not exist.")
    if any(not 0 <= (line.get("discount_perc") or 0) <= 100 for line in posted.get("lines") or ()):
        raise RefusalError(400, "A line's discount must be between 0 and 100 percent.")
    text = store.refused_po_numbers.get(wanted.get("po_number") or "")
    if text is not None:
        raise RefusalError(400, text)


def save_order(tenant: Tenant, posted: Row) -> Row:
    """Create or update an order that passed the check."""
    standing = _standing(tenant, posted)
    if standing is None:
        order = {"id": tenant.store.next_id("SalesOrder"), **_NEW_ORDER, "date": tenant.stamp()}
        order |= {"currency_code": BASE_CURRENCY, "change_seq": 0, "lines": []}
    else:
        order = dict(standing)
        order.pop("_warning", None)
        if posted.get("client_id") not in (None, order["client_id"]):
            order["site_id"] = 0
    computed = {*_COMPUTED, "id", "lines", "change_seq"}
    order |= plain(
        {key: value for key, value in posted.items() if key not in computed and value is not None}
    )
    if posted.get("customfields") and standing is not None:
        order["customfields"] = _custom_fields(standing["customfields"], posted["customfields"])
    _name(tenant, order)
    if posted.get("lines") is not None:
        order["lines"] = merged_lines(
            tenant, "OrderLine", _NEW_LINE, order["lines"], posted["lines"]
        )
        if tenant.store.consignments.having("salesorder_id", order["id"]):
            order["lines"] = with_shipped(tenant.store, order["id"], order["lines"])
    warnings = _reckon(order, posted)
    order["change_seq"] += 1
    told = posted.get("last_update_time") if tenant.store.by_hand else None
    order["last_update_time"] = told or tenant.stamp()
    if warnings:
        order["_warning"] = " ".join(warnings)
    tenant.store.orders[order["id"]] = order
    tenant.store.touch("SalesOrder", order["id"], order["last_update_time"])
    _effects(tenant, order, posted, created=standing is None)
    return order


def post_order(tenant: Tenant, posted: Row) -> Row:
    """Save an order that came by the API, its lines' fields under the tenant's names."""
    if posted.get("lines"):
        posted = {**posted, "lines": [taken(tenant.config, line) for line in posted["lines"]]}
    return save_order(tenant, posted)


def edit_order(tenant: Tenant, order_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens: no checks, the totals follow."""
    return save_order(tenant, {**posted, "id": order_id, "_dont_fire_automations": True})


def _custom_fields(standing: list[Row], posted: list[Row]) -> list[Row]:
    """The custom fields after a write: each is a column of its own, so the others stay."""
    fields = {one.get("name") or one.get("id"): one for one in standing}
    fields |= {one.get("name") or one.get("id"): one for one in posted}
    return list(fields.values())


def _standing(tenant: Tenant, posted: Row) -> Row | None:
    """The row that a write updates, None for a create."""
    if not posted.get("id"):
        return None
    order = tenant.store.orders.get(posted["id"])
    if order is None:
        raise RefusalError(400, f"Sales Order {posted['id']} does not exist.")
    return order


def _check_sequence(standing: Row, posted: Row) -> None:
    current = standing["change_seq"]
    if posted.get("change_seq") != current:
        raise RefusalError(
            400,
            f"This Sales Order was changed by someone else: change_seq {posted.get('change_seq')} "
            f"is not the current change_seq {current}. Reload it and try again.",
        )


def _name(tenant: Tenant, order: Row) -> None:
    """The names that stand beside the ids, and the client's main site where none is given."""
    store = tenant.store
    client = store.clients[order["client_id"]]
    order["client_name"] = client["name"]
    order["site_id"] = order.get("site_id") or client["main_site_id"]
    order["site_name"] = store.sites[order["site_id"]]["name"]
    user = store.users.get(order["user_id"])
    order["user_name"] = user["name"] if user else ""
    currency = CURRENCIES[order["currency_code"]]
    order["currency_code_name"] = currency["code"]
    order["currency"] = currency["symbol"]
    order["currency_conversion_rate"] = tenant.rate_of(order["currency_code"])


def _reckon(order: Row, posted: Row) -> list[str]:
    """Work out every line and the totals; what was posted otherwise is overruled and told."""
    currency, warnings = order["currency_code"], []
    net_sum = tax_sum = Decimal(0)
    lines = []
    for place, line in enumerate(order["lines"], 1):
        given = {key: line.get(key) for key in ("net_total", "total_price")}
        base, tax = exact(line["baseprice"]).quantize(_FIVE_DIGITS), exact(line["tax"])
        left = 1 - exact(line["discount_perc"]) / 100
        net = rounded(exact(line["quantity"]) * base * left, currency)
        tax = rounded(tax, currency)
        sums = {"tax": tax, "net_total": net, "total_price": net + tax}
        if posted.get("lines") is not None:
            warnings += overruled(f"Line {place}", given, sums)
        net_sum, tax_sum = net_sum + net, tax_sum + tax
        lines.append(
            plain({**line, **sums, "baseprice": base, "salesorder_id": order["id"], "seq": place})
        )
    order["lines"] = lines
    totals = {"revenue": net_sum, "tax_total": tax_sum, "total": net_sum + tax_sum}
    warnings += overruled("Sales Order", posted, totals)
    order |= {key: float(value) for key, value in totals.items()}
    return warnings


def _effects(tenant: Tenant, order: Row, posted: Row, *, created: bool) -> None:
    order_id = order["id"]
    tenant.link(ORDER_TABLE, order_id, posted.get("new_external_link"))
    for wish in ("_create_invoice", "_create_po"):
        if posted.get(wish):
            tenant.happened("generated", "SalesOrder", order_id, wish)
    tenant.changed("SalesOrder", order_id, new=created)
    if created:
        tenant.created("SalesOrder", order_id, posted)
