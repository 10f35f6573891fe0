"""What one sandbox is set to: its data, its limits, its credentials and its tenant's profile."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

READ_SCOPES = (
    "payments/orders.readonly",
    "payments/transactions.readonly",
    "payments/subscriptions.readonly",
)
ALL_SCOPES = (
    *READ_SCOPES,
    "payments/orders.write",
    "payments/integration.readonly",
    "payments/integration.write",
)

LOCATION = "Sq8mV3kTzW0yRb5NpLc1"
"""The location that holds the generated data."""

TOKEN = "pit-5a1d0c7e-2f7b-4a35-9c56-0d1e8f42b9a7"  # noqa: S105
"""Private token of that location with every payments scope."""

TOKEN_OF_ANOTHER_LOCATION = "pit-b27c9e14-63d8-4f0a-8b91-7e5502d4c3f6"  # noqa: S105
"""A valid token whose location is another one: answers 403 here."""

TOKEN_WITHOUT_SCOPES = "pit-e0f3a6b8-914c-4d27-a5de-38c7b16d2054"  # noqa: S105
"""A valid token of the location that may read orders only."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Frozen):
    """So many calls in so many seconds, judged by a sliding or a fixed window."""

    calls: int = Field(gt=0)
    seconds: float = Field(gt=0)
    window: Literal["sliding", "fixed"] = "sliding"


class Token(_Frozen):
    """A bearer token that the emulated HighLevel accepts, what it may do, and where."""

    value: str
    location: str = LOCATION
    scopes: tuple[str, ...] = ALL_SCOPES


def _tokens() -> tuple[Token, ...]:
    return (
        Token(value=TOKEN),
        Token(value=TOKEN_OF_ANOTHER_LOCATION, location="Zx0cV9bNmA8sDfG7hJk6"),
        Token(value=TOKEN_WITHOUT_SCOPES, scopes=("payments/orders.readonly",)),
    )


class SandboxConfig(_Frozen):
    """Everything that makes one sandbox differ from another; the same config gives the same data.

    Attributes:
        seed: fixes the generated data and every draw of the fault dial.
        orders: how many orders the location holds.
        transactions: how many transactions: the first payment of every order in turn, then what
            comes after (rests, second attempts, payments of no order).
        subscriptions: how many subscriptions.
        customers: how many distinct contacts these share.
        days: the creation times are spread over so many days back from the start.
        currencies: ISO codes; the first is by far the most frequent.
        details: whether the audit asks for the orders' single lines, or one summary line is right.
        live_only: whether rows in test mode are not owed to Halo.
        money: whether the audit asks for invoices, payments, credits and recurring invoices.
        profile: how the emulated Halo tenant behaves.
        highlevel_limit: burst limit of HighLevel. Source: 100 calls in 10 s by its documents.
        highlevel_daily: calls a UTC day on HighLevel.
        halo_limit: limit of Halo. Source: the text of its own refusals, 300 in rolling 300 s.
        page_cap: longest page that HighLevel gives, whatever is asked for.
        link_delay: seconds until an external link is seen on the awkward tenant.
        halo_token_seconds: lifetime of an access token of Halo.
    """

    seed: int = 1
    orders: int = Field(default=1000, ge=0)
    transactions: int = Field(default=1200, ge=0)
    subscriptions: int = Field(default=100, ge=0)
    customers: int = Field(default=200, gt=0)
    days: int = Field(default=30, gt=0)
    currencies: tuple[str, ...] = Field(default=("USD", "EUR", "GBP", "JPY", "KWD"), min_length=1)
    details: bool = True
    live_only: bool = False
    money: bool = True
    profile: Literal["generous", "plain", "awkward"] = "generous"
    highlevel_limit: Limit = Limit(calls=100, seconds=10)
    highlevel_daily: int = Field(default=200_000, gt=0)
    halo_limit: Limit = Limit(calls=300, seconds=300)
    page_cap: int = Field(default=100, gt=0)
    location: str = LOCATION
    tokens: tuple[Token, ...] = Field(default_factory=_tokens)
    halo_client_id: str = "5f0c2b7e-8a41-4c39-b6d2-917e3f5a08cd"
    halo_client_secret: str = "sandbox-secret-71c0e5d2f8a94b36"  # noqa: S105
    halo_token_seconds: int = Field(default=3600, gt=0)
    link_delay: float = Field(default=2.0, ge=0)
