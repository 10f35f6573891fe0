"""Events of the app, of invoices, of products and of prices, with data made up.

Source: HighLevel's webhook documents, whose examples name the fields; every one is optional there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from syncline.sandbox.highlevel.events.scene import Sample, Scene, each
from syncline.sandbox.location.forms import digits_of, number
from syncline.sandbox.location.store import Document


def _nothing(_: Scene) -> dict[str, Any]:
    return {}


def _install(scene: Scene) -> Document:
    return {
        "installType": "Location",
        "companyId": scene.company,
        "userId": scene.short_id(),
        "planId": scene.long_id(),
        "trial": {"onTrial": True, "trialDuration": 14, "trialStartDate": scene.at()},
        "isWhitelabelCompany": False,
        "whitelabelDetails": {},
        "companyName": "Blue Heron Agency",
    }


def _plan_change(scene: Scene) -> Document:
    return {
        "companyId": scene.company,
        "userId": scene.short_id(),
        "currentPlanId": scene.long_id(),
        "newPlanId": scene.long_id(),
    }


def _invoice(status: str, paid: Decimal = Decimal(0)) -> Callable[[Scene], Document]:
    """An invoice of one product; `paid` is the share of it that came in."""

    def fields(scene: Scene) -> Document:
        contact, total = scene.contact, Decimal(scene.amount)
        unit = Decimal(1).scaleb(-digits_of(scene.currency))
        came = (total * paid).quantize(unit)
        product = scene.product.document
        today = scene.now.date()
        return {
            "_id": scene.long_id(),
            "status": status,
            "liveMode": True,
            "amountPaid": number(came),
            "altId": scene.location,
            "altType": "location",
            "name": f"{product['name']} for {contact['name']}",
            "businessDetails": {
                "name": "Blue Heron Supply",
                "address": "12 Main Street, Austin, TX",
                "phoneNo": "+15125550100",
                "website": "https://shop.example.com",
                "logoUrl": "https://shop.example.com/logo.png",
                "customValues": [],
            },
            "invoiceNumber": str(scene.rng.randrange(1000, 9999)),
            "currency": scene.currency,
            "contactDetails": _billed(contact),
            "issueDate": today.isoformat(),
            "dueDate": (today + timedelta(days=14)).isoformat(),
            "discount": {"type": "percentage", "value": 0},
            "invoiceItems": [
                {
                    "taxes": [],
                    "_id": scene.long_id(),
                    "productId": product["_id"],
                    "priceId": scene.product.price_ids[scene.currency],
                    "currency": scene.currency,
                    "name": product["name"],
                    "qty": 1,
                    "amount": scene.amount,
                }
            ],
            "total": scene.amount,
            "title": "INVOICE",
            "amountDue": number(total - came),
            "createdAt": scene.at(minutes=-5),
            "updatedAt": scene.at(),
            "totalSummary": {"subTotal": scene.amount, "discount": 0},
        }

    return fields


def _billed(contact: Document) -> Document:
    return {
        "id": contact["id"],
        "phoneNo": contact["phone"],
        "email": contact["email"] or "",
        "customFields": [],
        "name": contact["name"],
        "address": {
            "countryCode": contact["country"],
            "addressLine1": contact["address1"],
            "addressLine2": "",
            "city": contact["city"],
            "state": contact["state"],
            "postalCode": contact["postalCode"],
        },
        "additionalEmails": [],
        "companyName": contact.get("companyName", ""),
    }


def _product(scene: Scene) -> Document:
    document = scene.product.document
    return {
        "_id": document["_id"],
        "description": document["description"],
        "variants": [],
        "medias": [
            {
                "id": scene.short_id(),
                "title": "front.png",
                "url": "https://shop.example.com/front.png",
                "type": "image",
                "isFeatured": True,
            }
        ],
        "locationId": scene.location,
        "name": document["name"],
        "productType": document["productType"],
        "availableInStore": True,
        "userId": scene.short_id(),
        "createdAt": document["createdAt"],
        "updatedAt": scene.at(),
        "statementDescriptor": "BLUEHERON",
        "image": "https://shop.example.com/front.png",
    }


def _price(scene: Scene) -> Document:
    """A price; two of its documents call its kind `type`, which is the event's name already."""
    return {
        "_id": scene.product.price_ids[scene.currency],
        "membershipOffers": [],
        "variantOptionIds": [],
        "locationId": scene.location,
        "product": scene.product.document["_id"],
        "userId": scene.short_id(),
        "name": "Standard",
        "priceType": "one_time",
        "currency": scene.currency,
        "amount": scene.amount,
        "recurring": {"interval": "month", "intervalCount": 1},
        "createdAt": scene.product.document["createdAt"],
        "updatedAt": scene.at(),
        "compareAtPrice": scene.amount,
        "trackInventory": None,
        "availableQuantity": 25,
        "allowOutOfStockPurchases": True,
    }


SALES: dict[str, Sample] = {
    **each(_install, "INSTALL"),
    **each(_nothing, "UNINSTALL"),
    **each(_plan_change, "PLAN_CHANGE"),
    **each(_invoice("draft"), "InvoiceCreate", "InvoiceUpdate"),
    **each(_invoice("sent"), "InvoiceSent"),
    **each(_invoice("partially_paid", Decimal("0.4")), "InvoicePartiallyPaid"),
    **each(_invoice("paid", Decimal(1)), "InvoicePaid"),
    **each(_invoice("void"), "InvoiceVoid"),
    **each(_invoice("delete"), "InvoiceDelete"),
    **each(_product, "ProductCreate", "ProductUpdate", "ProductDelete"),
    **each(_price, "PriceCreate", "PriceUpdate", "PriceDelete"),
}
"""Samples by type."""
