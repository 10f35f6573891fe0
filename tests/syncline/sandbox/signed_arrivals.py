"""Whether a webhook that came carries the signatures of the sandbox's keys."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.syncline.sandbox.taking_in import Arrival


def signed_by_rsa(pem: str, arrival: Arrival) -> bool:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, RSAPublicKey)
    return _fits(
        lambda: key.verify(
            b64decode(arrival.headers["x-wh-signature"]), arrival.body, PKCS1v15(), SHA256()
        )
    )


def signed_by_ed25519(pem: str, arrival: Arrival) -> bool:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    signature = b64decode(arrival.headers["x-ghl-signature"])
    return _fits(lambda: key.verify(signature, arrival.body))


def _fits(verify: Any) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True
