"""White-label integration providers: list them, register one.

They are built on Authorize.net or NMI. There is no operation that changes or removes one.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from syncline.highlevel.client import HighLevelClient, Outgoing
from syncline.highlevel.models import Id, Instant, Part
from syncline.highlevel.resources import (
    Body,
    each,
    naming,
    read_made,
    read_part,
    refuse_failed,
)
from syncline.transport import Permit

PATH = "/payments/integrations/provider/whitelabel"

_UNIQUE_NAME = re.compile(r"[a-z](?:[a-z-]*[a-z])?")
_LONGEST = 2000
"""Characters of a text; no limit is documented, but something that long was pasted by mistake."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a control character is in it")
    return text


def _hyphenated(name: str) -> str:
    if not _UNIQUE_NAME.fullmatch(name):
        raise ValueError("lower-case letters are asked for, with hyphens in between")
    return name


def _public_https(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError("no address") from None
    if parts.scheme != "https" or not url.startswith("https://"):
        raise ValueError("it must start with https://")
    if any(c.isspace() for c in url) or parts.username or parts.password or not _is_public(host):
        raise ValueError("an address that anybody can open is needed")
    return url


def _is_public(host: str) -> bool:
    """Whether a host may be seen from outside: a full name, or an address that is routed."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".") and not host.endswith(".local")


Line = Annotated[
    str, StringConstraints(min_length=1, max_length=_LONGEST), AfterValidator(_printable)
]


class NewProvider(Body):
    """A provider to register.

    Attributes:
        unique_name: lower-case letters and hyphens, beginning and ending with a letter; comes back
            as `route`.
        title: its name for people.
        provider: what it is built on.
        description: a few words about it.
        image_url: address of its picture, which everybody can open by https.
    """

    unique_name: Annotated[str, StringConstraints(max_length=100), AfterValidator(_hyphenated)]
    title: Line
    provider: Literal["authorize-net", "nmi"]
    description: Line
    image_url: Annotated[Line, AfterValidator(_public_https)]


class IntegrationProvider(Part):
    """A provider as HighLevel has it."""

    id: Id = Field(alias="_id")
    route: str | None = None
    title: str | None = None
    provider: str | None = None
    description: str | None = None
    image_url: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None


def list_providers(
    client: HighLevelClient, permit: Permit, *, limit: int, offset: int
) -> list[IntegrationProvider]:
    """Some of the location's providers; no total is given, and no order is documented.

    Args:
        client: of the location.
        permit: leave to make this call.
        limit: rows to a page; the documented default is 0, so always say a number.
        offset: rows to skip.

    Raises:
        MissingScope: the token lacks `payments/integration.readonly`.
        Unreadable: the answer says that it failed, or holds no providers, or one that cannot be
            read.

    Source: GET /payments/integrations/provider/whitelabel. `providers` is described as a list and
    typed as one object, so both are read.
    """
    params = {"limit": str(limit), "offset": str(offset)}
    document = client.call("GET", PATH, permit=permit, params=params, shows=("providers",)).document
    with naming(permit):
        refuse_failed(document, document.get("providers"), "list of providers")
        rows = each(document.get("providers"), "providers")
        return [read_part(IntegrationProvider, row, "A provider") for row in rows]


def create_provider(
    client: HighLevelClient, permit: Permit, body: NewProvider
) -> IntegrationProvider:
    """Register a provider; a second call may make a second one: no key makes it safe to repeat.

    Raises:
        Doubtful: whether it was registered is unknown: read the list.
        MissingScope: the token lacks `payments/integration.write`, or is not a marketplace app's.
        Rejected: HighLevel refuses it; what it does with a name that is taken is not documented.

    Source: POST /payments/integrations/provider/whitelabel.
    """
    document = client.call(
        "POST", PATH, permit=permit, body=body.document(), shows=("_id",)
    ).document
    with naming(permit):
        return read_made(
            IntegrationProvider, document, document, "The provider that was registered"
        )


def creation(client: HighLevelClient, body: NewProvider) -> Outgoing:
    """The request that `create_provider` makes, but for the token; nothing is sent."""
    return client.outgoing("POST", PATH, body=body.document())
