"""What one sandbox is set to: its data, its limits, its credentials and its tenant's profile."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

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

APP_SCOPES = (
    *ALL_SCOPES,
    "invoices.readonly",
    "products.readonly",
    "products/prices.readonly",
    "locations.readonly",
    "oauth.readonly",
    "oauth.write",
)
"""What the marketplace app may be granted: payments, what its events need, location tokens."""

LOCATION = "Sq8mV3kTzW0yRb5NpLc1"
"""The location that holds the generated data."""

COMPANY = "Hc4nD9wYpQ2tKe7ZuMx6"
"""The agency that the location belongs to."""

TOKEN = "pit-5a1d0c7e-2f7b-4a35-9c56-0d1e8f42b9a7"  # noqa: S105
"""Private token of that location with every payments scope."""

TOKEN_OF_ANOTHER_LOCATION = "pit-b27c9e14-63d8-4f0a-8b91-7e5502d4c3f6"  # noqa: S105
"""A valid token whose location is another one: answers 403 here."""

TOKEN_WITHOUT_SCOPES = "pit-e0f3a6b8-914c-4d27-a5de-38c7b16d2054"  # noqa: S105
"""A valid token of the location that may read orders only."""


Shape = Literal["published", "printed", "rich"]
"""How much of a row a service shows."""

SHAPES: tuple[Shape, ...] = get_args(Shape)


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


TRIAL_LIMIT = Limit(calls=25, seconds=10)
TRIAL_DAILY = 10_000
"""What all private tokens of a sandbox or trial account share. Source: HighLevel's documents."""


def _tokens() -> tuple[Token, ...]:
    return (
        Token(value=TOKEN),
        Token(value=TOKEN_OF_ANOTHER_LOCATION, location="Zx0cV9bNmA8sDfG7hJk6"),
        Token(value=TOKEN_WITHOUT_SCOPES, scopes=("payments/orders.readonly",)),
    )


class WebhookDial(_Frozen):
    """How the emulated Halo sends what its webhooks are bound to.

    Attributes:
        payload: what every body is, whatever the webhook is set to: `custom` of the webhook's
            mappings, `small` object, `full` object with linked ones, `event` information only.
        batch: at most so many occurrences go out together as an array; 0: each one alone.
        duplicates: chance that a delivery is sent twice.
        disorder: chance that a delivery is held back behind later ones.
        loss: chance that a delivery does not get through; the log tells so.
        swallowed: chance that something in between answers 200 and passes nothing on.
        delay: seconds between an occurrence and its delivery.
        lightweight_logs: whether the log leaves the bodies out.
        on_api_writes: whether writes by the API are told, or only those of people.
    """

    payload: Literal["custom", "small", "full", "event"] | None = None
    batch: int = Field(default=0, ge=0)
    duplicates: float = Field(default=0.0, ge=0, le=1)
    disorder: float = Field(default=0.0, ge=0, le=1)
    loss: float = Field(default=0.0, ge=0, le=1)
    swallowed: float = Field(default=0.0, ge=0, le=1)
    delay: float = Field(default=0.0, ge=0)
    lightweight_logs: bool = False
    on_api_writes: bool = True


class SandboxConfig(_Frozen):
    """Everything that makes one sandbox differ from another; the same config gives the same data.

    Attributes:
        seed: fixes the generated data and every draw of the fault dial.
        orders: how many orders the location holds.
        transactions: how many transactions: the first payment of every order in turn, then what
            comes after (rests, second attempts, payments of no order).
        subscriptions: how many subscriptions.
        renewals: of how many orders, each paid by one transaction, a subscription is charged again,
            one to three times, each time by a transaction on that order.
        customers: how many distinct contacts these share.
        namesakes: whether all of them are people of one name.
        days: the creation times are spread over so many days back from the start.
        currencies: ISO codes; the first is by far the most frequent.
        details: whether the audit asks for the orders' single lines, or one summary line is right.
        live_only: whether rows in test mode are not owed to Halo.
        money: whether the audit asks for invoices, payments, credits and recurring invoices.
        fulfillments: whether the audit's verdict asks for fulfillments and tracking.
        tracking_field: the custom field of Halo's orders that must show HighLevel's tracking
            numbers; None: nobody asks for it.
        profile: how the emulated Halo tenant behaves.
        highlevel_limit: burst limit of HighLevel. Source: 100 calls in 10 s by its documents.
        highlevel_daily: calls a UTC day on HighLevel.
        halo_limit: limit of Halo. Source: the text of its own refusals, 300 in rolling 300 s.
        trial_account: whether the location is a sandbox or a trial, whose private tokens share
            25 calls in 10 s and 10,000 a day; a limit that is given as well stays as given.
        oauth_client_id: the marketplace app's; the app's own id is what stands before the hyphen.
        oauth_redirects: where a code may be sent; one on this machine without a port stands for
            every port there.
        oauth_scopes: what the app may be granted.
        oauth_seconds: lifetime of an access token of HighLevel. Source: the documents' example.
        oauth_reuse_seconds: so long a used refresh token gives the same new one again. Source:
            HighLevel's changelog.
        page_cap: longest page that HighLevel gives, whatever is asked for.
        link_delay: seconds until an external link is seen on the awkward tenant.
        highlevel_shape: which fields HighLevel shows: those that its schemas publish, those of
            its printed examples, or all that was ever seen; mixed: each document in one of these.
        halo_shape: likewise for Halo, whose printed rows are those of public modules.
        nonsense: chance that a record has nonsense in fields that are not indispensable, and for
            a part of these in one that is.
        clients_without_site: whether a new client gets no site by itself.
        unique_client_names: whether a client is refused whose name another one has.
        voided_left_out: whether an invoice that is not voided does not show that.
        wrapped_lists: whether the lists that are bare arrays stand under a key.
        reports_refused: whether SQL reports answer 403.
        skipped_elements: chance that an array skips an element, or is refused for one.
        column_lengths: whether texts that are longer than their column are refused.
        line_spelling: under which names the lines of a sales order take quantity and tax, see
            `syncline.sandbox.halo.resources.spelling`.
        state: the file that keeps everything over a restart; None: nothing is kept.
        halo_token_seconds: lifetime of an access token of Halo.
        halo_scopes: what Halo's application was granted, separated by spaces.
        webhooks_allowed: whether that application may use Halo's webhooks.
        halo_webhooks: how Halo's webhooks are sent.
    """

    seed: int = 1
    orders: int = Field(default=1000, ge=0)
    transactions: int = Field(default=1200, ge=0)
    subscriptions: int = Field(default=100, ge=0)
    renewals: int = Field(default=0, ge=0)
    customers: int = Field(default=200, gt=0)
    namesakes: bool = False
    days: int = Field(default=30, gt=0)
    currencies: tuple[str, ...] = Field(default=("USD", "EUR", "GBP", "JPY", "KWD"), min_length=1)
    details: bool = True
    live_only: bool = False
    money: bool = True
    fulfillments: bool = True
    tracking_field: str | None = None
    profile: Literal["generous", "plain", "awkward"] = "generous"
    highlevel_limit: Limit = Limit(calls=100, seconds=10)
    highlevel_daily: int = Field(default=200_000, gt=0)
    halo_limit: Limit = Limit(calls=300, seconds=300)
    trial_account: bool = False
    page_cap: int = Field(default=100, gt=0)
    location: str = LOCATION
    company_id: str = COMPANY
    oauth_client_id: str = "6639c0ffe2d41b7a90e5d3f1-lx2k9qpa"
    oauth_client_secret: str = "0b7f54d2-93ce-4e18-a6d1-58c27e9f1a30"  # noqa: S105
    oauth_redirects: tuple[str, ...] = ("http://127.0.0.1/callback", "http://localhost/callback")
    oauth_scopes: tuple[str, ...] = APP_SCOPES
    oauth_seconds: int = Field(default=86_399, gt=0)
    oauth_reuse_seconds: float = Field(default=30.0, ge=0)
    tokens: tuple[Token, ...] = Field(default_factory=_tokens)
    halo_client_id: str = "5f0c2b7e-8a41-4c39-b6d2-917e3f5a08cd"
    halo_client_secret: str = "sandbox-secret-71c0e5d2f8a94b36"  # noqa: S105
    halo_token_seconds: int = Field(default=3600, gt=0)
    halo_scopes: str = "all"
    webhooks_allowed: bool = True
    halo_webhooks: WebhookDial = WebhookDial()
    link_delay: float = Field(default=2.0, ge=0)
    highlevel_shape: Shape | Literal["mixed"] = "rich"
    halo_shape: Shape | Literal["mixed"] = "rich"
    nonsense: float = Field(default=0.0, ge=0, le=1)
    clients_without_site: bool = False
    unique_client_names: bool = False
    voided_left_out: bool = False
    wrapped_lists: bool = False
    reports_refused: bool = False
    skipped_elements: float = Field(default=0.0, ge=0, le=1)
    column_lengths: bool = False
    line_spelling: Literal["order", "quote"] = "order"
    state: str | None = None

    @property
    def app_id(self) -> str:
        """The marketplace app's id, which its events carry."""
        return self.oauth_client_id.partition("-")[0]

    @model_validator(mode="before")
    @classmethod
    def _limits_of_a_trial(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("trial_account"):
            return {"highlevel_limit": TRIAL_LIMIT, "highlevel_daily": TRIAL_DAILY, **given}
        return given
