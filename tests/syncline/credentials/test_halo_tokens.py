"""Halo's tokens: one that is refused is replaced, and a late refusal of it says nothing new."""

from __future__ import annotations

from datetime import timedelta

from pydantic import SecretStr

from syncline.credentials.halo_tokens import LedgerTokens
from syncline.halo.auth import Token, TokenAddress
from tests.world import NAME, Worlds


def test_a_late_refusal_of_a_token_that_was_replaced_is_not_about_the_new_one(
    worlds: Worlds,
) -> None:
    world = worlds()
    worker, line = world.worker, world.worker.open_line(NAME)
    tokens = LedgerTokens(worker.ledger, worker.sealer, line.link.tenant_place, worker.now)
    ends = worker.now() + timedelta(hours=1)
    one, two, three = (Token(SecretStr(name), ends) for name in ("one", "two", "three"))

    def renewed(token: Token) -> None:
        tokens.renew(lambda: TokenAddress("http://halo", None, told=True), lambda _: token)

    renewed(one)
    assert tokens.forget(one)
    renewed(two)
    assert tokens.forget(one)
    assert tokens.fresh() == two
    assert not tokens.forget(two)
    renewed(three)
    assert tokens.forget(one)
    assert tokens.forget(two)
    assert tokens.fresh() == three
