"""Halo's token, kept sealed in the ledger and renewed by one process for all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import Connection

from syncline.credentials import queries
from syncline.credentials.stored import keep
from syncline.encryption import Sealer
from syncline.errors import Refused
from syncline.halo.auth import Token, TokenAddress
from syncline.ledger.database import Ledger

PURPOSE = "access_token"

TWICE_WITHIN = timedelta(seconds=60)
"""Two tokens refused within this time: the credentials are wrong, not the tokens."""


class LedgerTokens:
    """A `TokenStore` over the ledger; a copy is kept in memory while it is fresh."""

    def __init__(
        self, ledger: Ledger, sealer: Sealer, owner: str, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._sealer = sealer
        self._owner = owner
        self._now = now
        self._copy: Token | None = None
        self._address: TokenAddress | None = None
        self._refused: tuple[Token, datetime] | None = None
        self._renewing = Lock()

    def fresh(self) -> Token | None:
        """The token that may be used now, if there is one."""
        if self._copy is None or self._copy.expires_at <= self._now():
            self._copy = self._ledger.run(self._read)
        return self._copy

    def renew(
        self, discover: Callable[[], TokenAddress], fetch: Callable[[TokenAddress], Token]
    ) -> None:
        """Get a fresh token; one process asks at a time and all share the answer.

        Of this process one thread: the others would each hold a transaction while they wait. Where
        tokens are handed out is kept, and asked anew after it gave none.
        """
        with self._renewing:
            if self.fresh() is not None:
                return
            address = self._address or discover()
            self._address = None
            self._copy = self._ledger.run(
                lambda connection: self._renewed(connection, address, fetch)
            )
            self._address = address

    def _renewed(
        self, connection: Connection, address: TokenAddress, fetch: Callable[[TokenAddress], Token]
    ) -> Token:
        queries.lock(connection, self._owner)
        token = self._read(connection)
        if token is None:
            token = fetch(address)
            owner, ends = self._owner, token.expires_at
            keep(connection, self._sealer, owner, PURPOSE, token.value, expires_at=ends)
        return token

    def forget(self, token: Token) -> bool:
        """Never give out this token again; False when the one before it was refused just now."""
        with self._renewing:
            if self._copy is not None and not _same(self._copy, token):
                return True  # an earlier one, of a call that was under way when it ended
            self._copy = None
            last, self._refused = self._refused, (token, self._now())
            self._ledger.run(lambda connection: self._drop(connection, token))
        return last is None or _same(last[0], token) or self._refused[1] - last[1] > TWICE_WITHIN

    def _drop(self, connection: Connection, token: Token) -> None:
        queries.lock(connection, self._owner)
        stored = self._read(connection)
        if stored is not None and _same(stored, token):
            queries.remove(connection, self._owner, PURPOSE)

    def _read(self, connection: Connection) -> Token | None:
        found = queries.find(connection, self._owner, PURPOSE)
        if found is None or found[1] is None or found[1] <= self._now():
            return None
        try:
            return Token(self._sealer.open(found[0], f"{self._owner}:{PURPOSE}"), found[1])
        except Refused:
            return None  # sealed with an earlier key: a new one is asked for


def _same(one: Token, other: Token) -> bool:
    return one.value.get_secret_value() == other.value.get_secret_value()
