"""Sealing and opening of secrets: the ledger never holds one in plain."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from syncline import private
from syncline.errors import Refused
from syncline.settings import Settings

_FORMAT = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = len(_FORMAT) + _KEY_ID_BYTES
_SHORTEST_KEY = 32


class Sealer:
    """Authenticated encryption (AES-256-GCM) under the installation's key.

    A sealed secret is bound to its context, so a row copied onto another owner cannot be opened.
    It carries the id of its key: a later key can tell which rows are still sealed with the old one.

    Args:
        key: at least 32 characters of randomness.

    Raises:
        Refused: the key is too short to protect anything.
    """

    def __init__(self, key: SecretStr) -> None:
        value = key.get_secret_value().strip().encode()
        if len(value) < _SHORTEST_KEY:
            raise Refused(
                f"The sealing key has {len(value)} characters, fewer than {_SHORTEST_KEY}.",
                remedy="Make one with: openssl rand -base64 32",
            )
        self._cipher = AESGCM(_derive(value, b"syncline credentials: key", 32))
        self._key_id = _derive(value, b"syncline credentials: id", _KEY_ID_BYTES)

    def seal(self, secret: SecretStr, context: str) -> bytes:
        """Encrypt a secret for one context, written "owner:purpose"."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _FORMAT + self._key_id + context.encode()
        sealed = self._cipher.encrypt(nonce, secret.get_secret_value().encode(), bound)
        return _FORMAT + self._key_id + nonce + sealed

    def open(self, sealed: bytes, context: str) -> SecretStr:
        """Decrypt what was sealed for this context.

        Raises:
            Refused: it was sealed with another key or for another context, or is damaged.
        """
        if sealed[: len(_FORMAT)] != _FORMAT or len(sealed) <= _HEAD_BYTES + _NONCE_BYTES:
            raise Refused(
                f"The stored credential {context} is damaged.",
                remedy="Store it again with: syncline connection set-secret",
            )
        if sealed[len(_FORMAT) : _HEAD_BYTES] != self._key_id:
            raise Refused(
                f"The stored credential {context} was sealed with another key.",
                remedy="Give that key in SYNCLINE_KEY or SYNCLINE_KEY_FILE, "
                "or store the credential again with: syncline connection set-secret",
            )
        nonce, body = sealed[_HEAD_BYTES:][:_NONCE_BYTES], sealed[_HEAD_BYTES + _NONCE_BYTES :]
        try:
            plain = self._cipher.decrypt(nonce, body, _FORMAT + self._key_id + context.encode())
        except InvalidTag:
            raise Refused(
                f"The stored credential {context} is damaged or belongs to something else.",
                remedy="Store it again with: syncline connection set-secret",
            ) from None
        return SecretStr(plain.decode())


def load_key(settings: Settings) -> Sealer:
    """The sealer of this installation.

    The key comes from the setting, else from the named file, else from `key` in the data folder,
    which is made on first use.

    Raises:
        Refused: the key is too short, or its file is missing or open to others.
    """
    if settings.key is not None:
        return Sealer(settings.key)
    if settings.key_file is not None:
        return Sealer(private.read(settings.key_file))
    return Sealer(private.read_or_make(settings.data / "key"))


def _derive(key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(key)
