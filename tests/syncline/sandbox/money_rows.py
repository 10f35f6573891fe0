"""Bodies of invoices, payments and recurring invoices for a tenant, and what they set off."""

from typing import Any

from tests.syncline.sandbox.tenant_calls import TenantCalls


def invoice(reference: str, client_id: int = 1, **fields: Any) -> dict[str, Any]:
    """A quiet invoice of one line of 10.00 and 2.00 of tax."""
    return {
        "client_id": client_id,
        "thirdpartyinvoicenumber": reference,
        "lines": [{"item_shortdescription": "Mug", "unit_price": 10, "tax_amount": 2}],
        "_dont_fire_automations": True,
        "_isimport": True,
        **fields,
    }


def payment(reference: str, invoice_id: int, amount: float, **fields: Any) -> dict[str, Any]:
    """A quiet payment."""
    ours = {"intent_id": reference, "thirdpartyid": reference, "_isimport": True}
    return {"invoice_id": invoice_id, "amount": amount, **ours, **fields}


def template(reference: str, **fields: Any) -> dict[str, Any]:
    """A recurring invoice since the first of January."""
    return invoice(reference, startdate="2026-01-01T00:00:00", period=1, **fields)


def effects(halo: TenantCalls) -> list[tuple[str, str]]:
    return [(effect.kind, effect.entity) for effect in halo.halo.side_effects]
