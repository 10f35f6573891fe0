"""The two signatures of HighLevel's events: the modern one by Ed25519, the legacy one by RSA.

Source: HighLevel's webhook documents for headers and signatures.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519_HEADER = "x-ghl-signature"
RSA_HEADER = "x-wh-signature"
NOT_SIGNED = "N/A"
"""What a signature's header may hold in place of a signature."""

Signatures = Literal["both", "ed25519", "rsa"]


class SigningKeys:
    """The sandbox's own two key pairs. They open nothing but the emulation.

    The Ed25519 pair follows from a secret, so that a receiver goes on when a sandbox starts anew;
    the RSA pair is made when it is first needed, since that takes a while.

    Args:
        secret: whoever knows it can sign; the default one is known to everybody, so a receiver that
            others can reach must not be told its key.
    """

    def __init__(self, secret: str = "sandbox") -> None:  # noqa: S107 - no secret at all
        seed = sha256(f"the sandbox of syncline signs with {secret}".encode()).digest()
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self._lock = Lock()

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    @property
    def public_ed25519(self) -> str:
        """The public key that is the same in every sandbox with this secret, as PEM."""
        return _pem(self._ed25519.public_key())

    def public(self) -> dict[str, str]:
        """Both public keys as PEM, by algorithm."""
        return {
            "ed25519": self.public_ed25519,
            "rsa": _pem(self._rsa_key().public_key()),
        }

    def headers(self, body: bytes, signatures: Signatures) -> dict[str, str]:
        """The signatures' headers of a body; one that is switched off may say so or be absent."""
        made = {}
        if signatures != "rsa":
            made[ED25519_HEADER] = _text(self._ed25519.sign(body))
        else:
            made[ED25519_HEADER] = NOT_SIGNED
        if signatures != "ed25519":
            made[RSA_HEADER] = _text(
                self._rsa_key().sign(body, padding.PKCS1v15(), hashes.SHA256())
            )
        return made

    def _rsa_key(self) -> rsa.RSAPrivateKey:
        # Threads that ask at once must get the same key.
        with self._lock:
            return self._rsa


def _pem(key: Ed25519PublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _text(signature: bytes) -> str:
    return b64encode(signature).decode()
