"""How long a worker's session lives."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from syncline.ledger import sessions
from syncline.ledger.database import Ledger


def test_a_session_that_was_silent_too_long_is_dead_for_ever(ledger: Ledger, session: UUID) -> None:
    ledger.run(
        lambda c: c.execute(
            text("update session set heartbeat_at = clock_timestamp() - interval '7 seconds'")
        )
    )
    assert ledger.run(lambda c: sessions.alive(c, session, timedelta(seconds=6))) is False
    assert ledger.run(lambda c: sessions.beat(c, session, timedelta(seconds=6))) is False


def test_senders_that_look_whether_their_session_lives_do_not_hold_up_its_heartbeat(
    ledger: Ledger, session: UUID
) -> None:
    dead_after = timedelta(seconds=6)
    with ledger.begin() as sender, ledger.begin() as heart:
        assert sessions.alive(sender, session, dead_after)
        heart.execute(text("set local lock_timeout = '1s'"))
        assert sessions.beat(heart, session, dead_after)
