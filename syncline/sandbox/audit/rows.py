"""What the audits of orders and of money read from rows: exact amounts, references, customers."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from syncline.sandbox.halo.tenant.store import UNKNOWN_CLIENT, HaloStore, Row
from syncline.sandbox.location.forms import normalised

REFERENCE = "HL-"
"""Every row of ours carries this before the id of what it stands for."""

Findings = dict[str, list[str]]
Emails = dict[int, set[str]]
"""Client id to the addresses of its users."""


def exact(value: Any) -> Decimal:
    """An amount as it is written; nothing is nought."""
    return Decimal(str(value or 0))


def emails_of(halo: HaloStore) -> Emails:
    """The addresses of every client's users."""
    emails: Emails = defaultdict(set)
    for user in halo.users.values():
        email = normalised(user["emailaddress"])
        if email:
            emails[user["client_id"]].add(email)
    return emails


def customer_fits(address: str | None, row: Row, emails: Emails) -> bool:
    """Whether a row's client is the one with this address, or nobody's where there is none."""
    email = normalised(address)
    theirs = emails.get(row["client_id"], set())
    if email is None:
        return row["client_id"] == UNKNOWN_CLIENT or not theirs
    return email in theirs


def told_customer_fits(told: str | None, real: str | None, row: Row, emails: Emails) -> bool:
    """Whether a row's client is the real one, or nobody's where no address was told."""
    return customer_fits(real, row, emails) or (told is None and customer_fits(None, row, emails))


def links_by_row(halo: HaloStore, table_id: int) -> dict[int, set[str]]:
    """Row id to the foreign ids that links give it, those not visible yet included."""
    linked: dict[int, set[str]] = defaultdict(set)
    for link in halo.all_links():
        if link["table_id"] == table_id:
            linked[link["halo_id"]].add(str(link["third_party_id"]))
    return linked


def references(*texts: Any) -> set[str]:
    """Those of the texts that are references of ours, without the part that all have."""
    ours = (str(text) for text in texts if text and str(text).startswith(REFERENCE))
    return {text.removeprefix(REFERENCE) for text in ours}
