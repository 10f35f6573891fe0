"""Sealing and opening of secrets: the ledger never holds one in plain.

An installation has one current key and, while a rotation is under way, older ones: what is sealed
is sealed with the current key, what any of them sealed opens. A process that meets a key it does
not know reads the keys again, so that a rotation asks for no restart.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

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

STORE_AGAIN = (
    "Store it again with `syncline credentials set NAME WHAT`, or with "
    "`syncline connect highlevel NAME`."
)
"""The remedy for a credential that cannot be opened any more."""


class Sealer:
    """Authenticated encryption (AES-256-GCM) under the installation's keys.

    A sealed secret is bound to its context, so a row copied onto another owner cannot be opened.
    It carries the id of its key: a later key can tell which rows are still sealed with an old one.

    Args:
        keys: the current key, then older ones; each at least 32 characters of randomness.
        again: reads the keys anew, current one first; None where they cannot change.

    Raises:
        Refused: a key is too short to protect anything.
    """

    def __init__(
        self, *keys: SecretStr, again: Callable[[], Sequence[SecretStr]] | None = None
    ) -> None:
        self._again = again
        self._ciphers: dict[bytes, AESGCM] = {}
        self._current = b""
        self._take(keys)

    def seal(self, secret: SecretStr, context: str) -> bytes:
        """Encrypt a secret with the current key for one context, written "owner:purpose"."""
        self._read_again()
        key_id = self._current
        nonce = os.urandom(_NONCE_BYTES)
        bound = _FORMAT + key_id + context.encode()
        sealed = self._ciphers[key_id].encrypt(nonce, secret.get_secret_value().encode(), bound)
        return _FORMAT + key_id + nonce + sealed

    def open(self, sealed: bytes, context: str) -> SecretStr:
        """Decrypt what was sealed for this context.

        Raises:
            Refused: it was sealed with an unknown key or for another context, or is damaged.
        """
        if sealed[: len(_FORMAT)] != _FORMAT or len(sealed) <= _HEAD_BYTES + _NONCE_BYTES:
            raise Refused(f"The stored credential {context} is damaged.", remedy=STORE_AGAIN)
        key_id = _key_id(sealed)
        if key_id not in self._ciphers:
            self._read_again()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise Refused(
                f"The stored credential {context} was sealed with another key.",
                remedy="Give that key in SYNCLINE_KEY, SYNCLINE_KEY_FILE or SYNCLINE_OLD_KEYS. "
                f"If it is lost: {STORE_AGAIN}",
            )
        nonce, body = sealed[_HEAD_BYTES:][:_NONCE_BYTES], sealed[_HEAD_BYTES + _NONCE_BYTES :]
        try:
            plain = cipher.decrypt(nonce, body, _FORMAT + key_id + context.encode())
        except InvalidTag:
            raise Refused(
                f"The stored credential {context} is damaged or belongs to something else.",
                remedy=STORE_AGAIN,
            ) from None
        return SecretStr(plain.decode())

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed with the current key, so that no older one is needed for it."""
        self._read_again()
        return _key_id(sealed) == self._current

    @property
    def has_old_keys(self) -> bool:
        """Whether it knows other keys than the current one."""
        return len(self._ciphers) > 1

    def _read_again(self) -> None:
        """Take over keys that have changed; while they cannot be read, those known go on."""
        if self._again is None:
            return
        try:
            keys = self._again()
        except Refused:
            return
        self._take(keys)

    def _take(self, keys: Sequence[SecretStr]) -> None:
        made = [_cipher(key) for key in keys]
        # Keys that are not named any more stay: a row read before the change is opened after it.
        self._ciphers = {**self._ciphers, **dict(made)}
        self._current = made[0][0]


def load_key(settings: Settings) -> Sealer:
    """The sealer of this installation.

    The current key comes from the setting, else from the named file, else from `key` in the data
    folder, which is made on first use; older ones from the setting and from the file of old keys.

    Raises:
        Refused: a key is too short, or its file is missing or open to others.
    """
    again = partial(_keys, settings)
    return Sealer(*again(), again=again)


def old_keys(settings: Settings) -> list[SecretStr]:
    """Keys that open what they sealed and seal nothing any more."""
    given = settings.old_keys.get_secret_value() if settings.old_keys else ""
    path = old_keys_file(settings)
    try:
        kept = private.read(path).get_secret_value()
    except Refused:
        if path.exists():
            raise
        kept = ""
    return [SecretStr(key) for key in [*given.split(), *kept.split()]]


def old_keys_file(settings: Settings) -> Path:
    """Where older keys stand, one a line; not there while there is none."""
    return settings.old_keys_file or settings.data / "key.old"


def begin_rotation(settings: Settings) -> None:
    """Make a new current key in the data folder; the one so far becomes an old one, first.

    Raises:
        Refused: the key comes from outside, or its file is open to others.
    """
    if settings.key is not None or settings.key_file is not None:
        name = "SYNCLINE_KEY" if settings.key is not None else "SYNCLINE_KEY_FILE"
        raise Refused(
            f"The sealing key comes from {name}, so syncline cannot change it.",
            remedy="Make a new one (openssl rand -base64 32), give it there and the one so far in "
            "SYNCLINE_OLD_KEYS or SYNCLINE_OLD_KEYS_FILE, to all processes; then run this command "
            "again.",
        )
    path = settings.data / "key"
    kept = [private.read_or_make(path), *old_keys(settings)]
    private.put(
        old_keys_file(settings), SecretStr("\n".join(key.get_secret_value() for key in kept))
    )
    private.put(path, SecretStr(secrets.token_urlsafe(32)))


def end_rotation(settings: Settings) -> None:
    """Forget the old keys in the data folder; nothing may be sealed with one of them any more."""
    if settings.old_keys_file is None:
        private.remove(settings.data / "key.old")


def _keys(settings: Settings) -> list[SecretStr]:
    if settings.key is not None:
        current = settings.key
    elif settings.key_file is not None:
        current = private.read(settings.key_file)
    else:
        current = private.read_or_make(settings.data / "key")
    return [current, *old_keys(settings)]


def _cipher(key: SecretStr) -> tuple[bytes, AESGCM]:
    value = key.get_secret_value().strip().encode()
    if len(value) < _SHORTEST_KEY:
        raise Refused(
            f"The sealing key has {len(value)} characters, fewer than {_SHORTEST_KEY}.",
            remedy="Make one with: openssl rand -base64 32",
        )
    key_id = _derive(value, b"syncline credentials: id", _KEY_ID_BYTES)
    return key_id, AESGCM(_derive(value, b"syncline credentials: key", 32))


def _key_id(sealed: bytes) -> bytes:
    return sealed[len(_FORMAT) : _HEAD_BYTES]


def _derive(key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(key)
