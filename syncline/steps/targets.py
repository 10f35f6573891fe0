"""The kinds of rows that deliveries make in Halo: how each is saved, recognised and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from syncline.flows import customers, projections
from syncline.flows.flow import Difference
from syncline.halo.client import HaloClient
from syncline.halo.customers import (
    CLIENT_KEY,
    CLIENT_PATH,
    USER_KEY,
    USER_PATH,
    save_clients,
    save_users,
)
from syncline.halo.models import HaloRow
from syncline.halo.orders import KEY as ORDER_KEY
from syncline.halo.orders import PATH as ORDER_PATH
from syncline.halo.orders import save_orders
from syncline.ledger.leases import Confirmation, Lease
from syncline.mapping.document import Document
from syncline.transport import Permit

Compare = Callable[[Mapping[str, str], Mapping[str, Any], Document, str], list[Difference]]
Save = Callable[[HaloClient, Permit, Sequence[Mapping[str, Any]]], Sequence[HaloRow]]


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of target row.

    Attributes:
        name: as deliveries name it.
        path: where it is posted.
        key: the field that carries our reference.
        wakes: targets whose deliveries may wait for this one.
        must_have: fields without which an answer's row does not show the whole.
        compares: (projection wanted, Halo's row, document, currency) → what differs.
        meta: what is kept of Halo's row for the next update and for those who depend on it.
    """

    name: Literal["client", "user", "order"]
    path: str
    key: str
    wakes: tuple[str, ...]
    must_have: tuple[str, ...]
    saves: Save
    compares: Compare
    meta: Callable[[Mapping[str, Any]], dict[str, Any]]

    def is_whole(self, row: Mapping[str, Any]) -> bool:
        """Whether a row shows everything that is to be compared."""
        return all(row.get(name) is not None for name in self.must_have)

    def confirmation(
        self, lease: Lease, row: Mapping[str, Any], projection: Mapping[str, Any]
    ) -> Confirmation:
        """A row that holds what was wanted."""
        return Confirmation(lease, str(HaloRow.of(row).id), self.meta(row), projection)


def _order_differences(
    wanted: Mapping[str, str], row: Mapping[str, Any], document: Document, currency: str
) -> list[Difference]:
    got = projections.projection(row, currency, document)
    return projections.differences(wanted, got)


def _customer_differences(role: customers.Role) -> Compare:
    def compare(
        wanted: Mapping[str, str], row: Mapping[str, Any], document: Document, _currency: str
    ) -> list[Difference]:
        got = customers.projection(row, role, document)
        return projections.differences(wanted, got, customers.CUSTOMER_PROOF[role])

    return compare


_LINE_KEYS = ("id", "item_external_reference", "name", "quantity", "tax")


def _order_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    lines = [{key: line.get(key) for key in _LINE_KEYS} for line in row.get("lines") or []]
    return {"change_seq": row.get("change_seq"), "lines": lines}


def _client_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    client = HaloRow.of(row).id
    return {"client_id": client, "site_id": row.get("main_site_id"), "adopted": False}


def _user_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"client_id": row.get("client_id"), "site_id": row.get("site_id"), "adopted": False}


TARGETS: dict[str, Target] = {
    "client": Target(
        name="client",
        path=CLIENT_PATH,
        key=CLIENT_KEY,
        wakes=("user",),
        must_have=("main_site_id",),
        saves=save_clients,
        compares=_customer_differences("client"),
        meta=_client_meta,
    ),
    "user": Target(
        name="user",
        path=USER_PATH,
        key=USER_KEY,
        wakes=("order",),
        must_have=("site_id",),
        saves=save_users,
        compares=_customer_differences("user"),
        meta=_user_meta,
    ),
    "order": Target(
        name="order",
        path=ORDER_PATH,
        key=ORDER_KEY,
        wakes=(),
        must_have=("lines", "total"),
        saves=save_orders,
        compares=_order_differences,
        meta=_order_meta,
    ),
}
