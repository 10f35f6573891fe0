"""Whether a webhook comes from HighLevel: a signature over its raw body, with a published key.

`x-ghl-signature` (Ed25519) decides alone where it is there; the older `x-wh-signature` (RSA with
SHA-256) counts only without it, and only as long as a setting says so. Nothing but the body is
signed, so what keeps a replay out is the `webhookId` and the `timestamp` inside it.

Source: HighLevel's webhook authentication guide; both public keys are printed there.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from syncline.errors import Refused

MODERN = "x-ghl-signature"
LEGACY = "x-wh-signature"
NONE = "N/A"
"""What a header may say in place of a signature."""

PUBLISHED = """
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6
dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB
csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv
uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF
3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU
J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp
IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN
h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC
HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ
PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk
T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==
-----END PUBLIC KEY-----
"""
"""HighLevel's own two keys, which are public."""

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_LONGEST_SIGNATURE = 2048
"""Characters; base64 of 512 bytes takes 684."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The keys that HighLevel may sign with; several of a kind while it changes one."""

    ed25519: tuple[Ed25519PublicKey, ...]
    rsa: tuple[RSAPublicKey, ...]

    def signed(self, headers: Mapping[str, str], body: bytes, *, accept_rsa: bool) -> bool:
        """Whether the headers, their names in lower case, carry a signature of the raw body."""
        modern = _given(headers, MODERN)
        if modern is not None:
            return any(_ed25519_fits(key, modern, body) for key in self.ed25519)
        legacy = _given(headers, LEGACY) if accept_rsa else None
        return legacy is not None and any(_rsa_fits(key, legacy, body) for key in self.rsa)


def public_keys(setting: str | None) -> PublicKeys:
    """The keys of a setting: PEM blocks, or a file of them; without one, the published keys.

    Raises:
        Refused: the file cannot be read, or holds no public key that can be used.
    """
    text = PUBLISHED if setting is None else _text(setting)
    remedy = "Give SYNCLINE_HIGHLEVEL_PUBLIC_KEYS as PEM blocks, or as the path of a file of them."
    # An environment variable is often written with \n for the ends of its lines.
    blocks = _PEM.findall(text.replace("\\n", "\n"))
    try:
        keys = [load_pem_public_key(block.encode()) for block in blocks]
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("A public key of HighLevel is damaged.", remedy=remedy) from None
    found = PublicKeys(
        tuple(key for key in keys if isinstance(key, Ed25519PublicKey)),
        tuple(key for key in keys if isinstance(key, RSAPublicKey)),
    )
    if not found.ed25519 and not found.rsa:
        raise Refused("There is no Ed25519 or RSA public key of HighLevel.", remedy=remedy)
    return found


def _text(setting: str) -> str:
    if "-----BEGIN" in setting:
        return setting
    try:
        return Path(setting).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Refused(
            f"HighLevel's public keys cannot be read from {setting!r:.200} "
            f"({type(error).__name__}).",
            remedy="SYNCLINE_HIGHLEVEL_PUBLIC_KEYS takes PEM blocks, or the path of a file.",
        ) from None


def _given(headers: Mapping[str, str], name: str) -> bytes | None:
    """A header's signature, or None where there is none; b"" is one that can fit nothing."""
    value = headers.get(name)
    if value is None or value.strip() in {"", NONE}:
        return None
    if len(value) > _LONGEST_SIGNATURE:
        return b""
    try:
        return b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _ed25519_fits(key: Ed25519PublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body)
    except InvalidSignature:
        return False
    return True


def _rsa_fits(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
