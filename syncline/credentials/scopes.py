"""Which permissions a connection needs on both sides, by what its mapping uses, and no others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from syncline.mapping.document import Document

ALL = frozenset({"all", "all:standard"})
"""Scopes of Halo that stand for every area; the second leaves out reporting."""

WIDE = ALL | {"admin"}
"""Scopes of Halo that cover a need and much beside it."""

COMPANY_SCOPES = frozenset({"oauth.readonly", "oauth.write"})
"""Scopes of HighLevel that a company's token uses for its locations'; those need them not."""


@dataclass(frozen=True, slots=True)
class Need:
    """One permission that is needed.

    Attributes:
        scopes: any one of these will do; the first is the one to ask for.
        reason: what for, in words.
        wider: these cover it too, and are more than it needs.
        optional: whether the connection goes on without it, with less.
        if_used: whether only some commands need it: it may be granted, and is not asked for.
    """

    scopes: tuple[str, ...]
    reason: str
    wider: tuple[str, ...] = ()
    optional: bool = False
    if_used: bool = False


@dataclass(frozen=True, slots=True)
class ScopeComparison:
    """What is granted against what is needed.

    Attributes:
        missing: needs that nothing granted covers.
        wished: optional ones of the same kind.
        spared: those of the same kind that only some commands need.
        unneeded: granted and used for nothing.
    """

    missing: tuple[Need, ...]
    wished: tuple[Need, ...]
    spared: tuple[Need, ...]
    unneeded: tuple[str, ...]


def highlevel_needs(document: Document, *, company: bool = False) -> list[Need]:
    """The scopes to ask for, for one location or for its whole company.

    Source: the scopes of the payments operations, and of `POST /oauth/locationToken`.
    """
    needs = [
        Need(("payments/orders.readonly",), "orders, and their events"),
        Need(("payments/transactions.readonly",), "transactions"),
        Need(("payments/subscriptions.readonly",), "subscriptions"),
    ]
    if document.fulfillments.into == "highlevel":
        needs.append(Need(("payments/orders.write",), "shipments of Halo"))
    if company:
        needs.append(Need(("oauth.write",), "tokens for the company's locations"))
    return needs


def halo_needs(document: Document) -> list[Need]:
    """The scopes of Halo's API application.

    Source: the scopes that Halo's clients know; `edit` includes `read`. Which of the two opens
    sales orders is documented nowhere. `admin:webhooks` is named by a vendor's public guide alone.
    """
    ships = document.fulfillments.into == "highlevel"
    needs = [
        Need(("edit:customers",), "clients, sites and users"),
        Need(
            ("edit:sales", "edit:sos"),
            "sales orders and consignments" if ships else "sales orders",
        ),
    ]
    if document.payments.into == "invoice" or document.subscriptions.into == "recurring-invoice":
        needs.append(Need(("edit:invoices",), "invoices, payments and recurring invoices"))
    needs.append(Need(("edit:reporting",), "finding many rows in one call", optional=True))
    if document.alerts.into == "ticket":
        needs.append(Need(("edit:tickets",), "alerts as tickets", optional=True))
    needs.append(
        Need(
            ("admin:webhooks",),
            "webhooks and dashboards in Halo",
            wider=("admin",),
            if_used=True,
        )
    )
    return needs


def asked(needs: Collection[Need]) -> list[str]:
    """The scopes to ask for: one for each need."""
    return [need.scopes[0] for need in needs if not need.if_used]


def compare(needs: Collection[Need], granted: Collection[str]) -> ScopeComparison:
    """What is missing, and what is granted for nothing.

    A scope that stands for everything covers every need, and is itself more than needed.
    """
    lacking = [need for need in needs if not _covered(need, granted)]
    used = {scope for need in needs for scope in need.scopes}
    used |= {f"read:{scope.removeprefix('edit:')}" for scope in used if scope.startswith("edit:")}
    return ScopeComparison(
        missing=tuple(need for need in lacking if not need.optional and not need.if_used),
        wished=tuple(need for need in lacking if need.optional),
        spared=tuple(need for need in lacking if need.if_used),
        unneeded=tuple(sorted(set(granted) - used)),
    )


def _covered(need: Need, granted: Collection[str]) -> bool:
    if "all" in granted or any(scope in granted for scope in need.scopes + need.wider):
        return True
    return "all:standard" in granted and need.scopes != ("edit:reporting",)
