"""Who may send us Halo's webhooks: a path nobody can guess, and Basic, bearer or HMAC beside it.

Halo's guide promises Basic and nothing more, so the path's secret always has to fit as well.
Several keys are valid at a time, newest first, so that a rotation loses nothing.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr, ValidationError

from syncline.errors import Refused

USERNAME = "syncline"
KEYS_KEPT = 2
"""The newest and the one before it, which Halo may still use for what it is sending now."""

_STRENGTH = 32
"""Random bytes of a path's secret and of a password."""

Hidden = Annotated[
    SecretStr, PlainSerializer(lambda value: value.get_secret_value(), when_used="json")
]
"""A secret that is written out in JSON alone, which is sealed at once."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class InboundKey(_Part):
    """One way in: the path's secret, and the user name and password that Halo sends with it."""

    secret: Hidden
    username: str
    password: Hidden
    since: datetime

    @classmethod
    def made(cls, now: datetime) -> Self:
        """A new random key."""
        return cls(
            secret=SecretStr(secrets.token_urlsafe(_STRENGTH)),
            username=USERNAME,
            password=SecretStr(secrets.token_urlsafe(_STRENGTH)),
            since=now,
        )


class HmacKey(_Part):
    """A signature over the raw body, hexadecimal or base64, that a tenant can be made to send."""

    header: str
    prefix: str = ""
    digest: Literal["sha256", "sha384", "sha512"] = "sha256"
    key: Hidden

    def signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the header carries this key's signature of the body."""
        made = hmac.digest(self.key.get_secret_value().encode(), body, self.digest)
        given = headers.get(self.header.lower(), "").removeprefix(self.prefix).strip()
        as_hex = _same(given.lower(), made.hex())
        return as_hex | _same(given, b64encode(made).decode())


class InboundKeys(_Part):
    """Everything that lets a webhook of one connection in.

    Attributes:
        keys: the ways in, newest first.
        bearer: tokens that may come in place of Basic.
        hmac: signatures that may come in place of Basic.
    """

    keys: tuple[InboundKey, ...] = ()
    bearer: tuple[Hidden, ...] = ()
    hmac: tuple[HmacKey, ...] = ()

    @classmethod
    def read(cls, text: SecretStr) -> Self:
        """Keys from their stored form.

        Raises:
            Refused: the text does not have that form.
        """
        try:
            return cls.model_validate_json(text.get_secret_value())
        except ValidationError:
            raise Refused(
                "The stored keys for Halo's webhooks cannot be read.",
                remedy="Make new ones with: syncline halo webhooks install NAME",
            ) from None

    def written(self) -> SecretStr:
        """The form in which they are sealed and stored."""
        return SecretStr(self.model_dump_json())

    def with_new(self, key: InboundKey) -> Self:
        """The same with a key in front; those that are too old to be in use are left out."""
        return self.model_copy(update={"keys": (key, *self.keys)[:KEYS_KEPT]})

    def fits(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a webhook with this path, these headers and this raw body comes from Halo.

        Takes the same time whichever part is wrong: everything is compared, always.

        Args:
            secret: the last part of the path.
            headers: their names in lower case.
            body: the raw bytes.
        """
        scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
        basic = _basic(credentials if scheme.lower() == "basic" else "")
        token = credentials.strip() if scheme.lower() == "bearer" else ""
        path = login = other = False
        for key in self.keys:
            here = _same(secret, key.secret.get_secret_value())
            path |= here
            login |= here & _same(basic, _login(key))
        for one in self.bearer:
            other |= _same(token, one.get_secret_value())
        for signature in self.hmac:
            other |= signature.signed(headers, body)
        return login | (path & other)


def _login(key: InboundKey) -> str:
    return f"{key.username}:{key.password.get_secret_value()}"


def _basic(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _same(given: str, wanted: str) -> bool:
    """Compared in constant time; nothing equals an empty secret."""
    equal = hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
    return equal & bool(wanted)
