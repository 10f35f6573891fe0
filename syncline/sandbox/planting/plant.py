"""Orders planted into the emulated Halo as another tool or a person would have made them.

None carries a reference of ours. Some are near-misses: alike and not the same, or not to be told
from another. The truth of it is told to whoever plants, and to nobody else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncline.sandbox.halo.sales.customers import save_client, save_user, site_of
from syncline.sandbox.halo.sales.orders import save_order
from syncline.sandbox.halo.tenant.catalogue import CURRENCIES
from syncline.sandbox.halo.tenant.store import UNKNOWN_CLIENT, Row, stamp
from syncline.sandbox.halo.tenant.tenant import Tenant
from syncline.sandbox.location.forms import by_email, normalised
from syncline.sandbox.location.store import Document, Store
from syncline.sandbox.planting.money import MoneyPlanter, MoneyTruth

NearMiss = Literal["amount", "currency", "date", "customer", "twins"]
NEAR_MISSES: tuple[NearMiss, ...] = ("amount", "currency", "date", "customer", "twins")
_DAYS_OFF = 5
_QUIET = {"_dont_fire_automations": True}
_Key = tuple[str, int, Decimal]


class Planting(BaseModel):
    """What is to be planted.

    Attributes:
        share: the share of the location's orders that Halo is to hold.
        near_misses: the share of those that are near-misses.
        money: the share of invoices, payments, credits and recurring invoices it is to hold.
        money_near_misses: the share of those that are near-misses.
        billing: the share of the recurring invoices that are not disabled.
        seed: fixes which.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(default=1.0, ge=0, le=1)
    near_misses: float = Field(default=0.03, ge=0, le=1)
    money: float = Field(default=0.0, ge=0, le=1)
    money_near_misses: float = Field(default=0.0, ge=0, le=1)
    billing: float = Field(default=0.0, ge=0, le=1)
    seed: int = 1


@dataclass(slots=True)
class Truth:
    """What was planted: the order's row in Halo, the near-misses by kind, and what was left out.

    `money` is what was planted beside the orders.
    """

    matches: dict[str, int] = field(default_factory=dict)
    near_misses: dict[str, NearMiss] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    money: MoneyTruth = field(default_factory=MoneyTruth)


def plant(store: Store, tenant: Tenant, planting: Planting) -> Truth:
    """Put orders of the location into Halo, and the customers whom they belong to."""
    return _Planter(store, tenant, planting).plant()


class _Planter:
    def __init__(self, store: Store, tenant: Tenant, planting: Planting) -> None:
        self._store = store
        self._orders: dict[str, Document] = dict(store.orders)
        self._tenant = tenant
        self._planting = planting
        self._rng = random.Random(f"plant {planting.seed}")
        self._users = {
            email: self._customer(email, contact)
            for email, contact in by_email(store.contacts.values()).items()
        }
        self._codes = {str(row["code"]): int(row["id"]) for row in CURRENCIES.values()}
        self._seen = Counter((self._key(order), _day(order)) for order in self._orders.values())

    def plant(self) -> Truth:
        truth = Truth()
        for at, (order_id, order) in enumerate(self._orders.items()):
            if self._rng.random() >= self._planting.share:
                truth.absent.append(order_id)
                continue
            if self._rng.random() < self._planting.near_misses:
                kind = self._near_miss(order, at)
                if kind is not None:
                    truth.near_misses[order_id] = kind
                    continue
            truth.matches[order_id] = self._true(order, at)
        planting = self._planting
        if planting.money:
            truth.money = MoneyPlanter(
                self._store,
                self._tenant,
                self._users,
                planting.money,
                planting.money_near_misses,
                planting.billing,
                random.Random(f"plant money {planting.seed}"),
            ).plant(truth.matches)
        return truth

    def _true(self, order: Document, at: int) -> int:
        """The order, with its number in one of many styles, or without where it stands alone."""
        style = self._rng.randrange(6)
        if style == 5 and not self._is_alone(self._key(order), _day(order), besides=1):
            style = self._rng.randrange(5)
        order_id = str(order["_id"])
        numbers: tuple[Row, ...] = (
            {"po_number": f"WC-{order_id}"},
            {"po_number": f"PO-{at:06}", "accountsref": order_id},
            {"summary": f"Web shop, order {order_id}, paid online"},
            {"title": f"#{order_id[-8:].upper()}"},
            {"invoicenumber": f"INV-{at}", "po_number": order_id[-8:]},
            {"po_number": f"PO-{at:06}"},
        )
        return self._save(order, **numbers[style])

    def _near_miss(self, order: Document, at: int) -> NearMiss | None:
        """A row that may be the order, and that no other order is; None where it cannot be."""
        start = self._rng.randrange(len(NEAR_MISSES))
        for kind in (*NEAR_MISSES[start:], *NEAR_MISSES[:start]):
            changed = self._changed(kind, order)
            key, day = self._key(changed), _day(changed)
            besides = 1 if kind == "twins" else 0
            if key[0] == "" or not self._is_alone(key, day, besides=besides):
                continue
            for _ in range(2 if kind == "twins" else 1):
                self._save(changed, po_number=f"PO-{at:06}")
            return kind
        return None

    def _changed(self, kind: NearMiss, order: Document) -> Document:
        changed = dict(order)
        if kind == "amount":
            unit = Decimal(1).scaleb(_exponent(order))
            changed["amount"] = _amount(order) + unit
        elif kind == "currency":
            others = [code for code in ("USD", "EUR", "GBP") if code != order["currency"]]
            changed["currency"] = self._rng.choice(others)
            changed["amount"] = _amount(order).quantize(Decimal("0.01"))
        elif kind == "date":
            moved = datetime.fromisoformat(order["createdAt"]) - timedelta(days=_DAYS_OFF)
            changed["createdAt"] = moved.isoformat()
        elif kind == "customer":
            others = [email for email in self._users if email != _email(order)]
            changed["contactSnapshot"] = {"email": self._rng.choice(others or [""])}
        return changed

    def _is_alone(self, key: _Key, day: date, *, besides: int) -> bool:
        """Whether no further order has these values on that day or one beside it."""
        near = (day + timedelta(days=off) for off in (-1, 0, 1))
        return sum(self._seen[key, one] for one in near) <= besides and key[0] != ""

    def _key(self, order: Document) -> _Key:
        return (_email(order), self._codes[order["currency"]], _amount(order))

    def _customer(self, email: str, contact: Mapping[str, Any]) -> Row:
        person = contact.get("name") or email
        client = save_client(self._tenant, {"name": contact.get("companyName") or person, **_QUIET})
        user = {"name": person, "emailaddress": email, "site_id": site_of(self._tenant, client)}
        return save_user(self._tenant, {**user, **_QUIET})

    def _save(self, order: Document, **numbers: str) -> int:
        """One row; half of them name the client alone, some have a date without a time."""
        user = self._users.get(_email(order))
        when = datetime.fromisoformat(order["createdAt"])
        whole_day = self._rng.random() < 0.5
        row: Row = {
            "client_id": user["client_id"] if user else UNKNOWN_CLIENT,
            "currency_code": self._codes[order["currency"]],
            "date": f"{when.date()}T00:00:00.000" if whole_day else stamp(when),
            "note": "entered by hand",
            "status": 2,
            "lines": [{"name": "As ordered", "quantity": Decimal(1), "baseprice": _amount(order)}],
            **numbers,
            **_QUIET,
        }
        if user and self._rng.random() < 0.5:
            row["user_id"] = user["id"]
        return int(save_order(self._tenant, row)["id"])


def _email(order: Document) -> str:
    return normalised(order["contactSnapshot"].get("email")) or ""


def _amount(order: Document) -> Decimal:
    return Decimal(str(order["amount"]))


def _exponent(order: Document) -> int:
    return {"JPY": 0, "KWD": -3}.get(order["currency"], -2)


def _day(order: Document) -> date:
    return datetime.fromisoformat(order["createdAt"]).date()
