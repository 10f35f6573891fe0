"""The installation that commands work with: settings, running servers, and the parts over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from syncline.calls.context import Nudge, WorkerContext
from syncline.errors import Again
from syncline.ledger.migrate import is_made, upgrade
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from workers.context import make_context
from workers.embedded import servers as embedded
from workers.logs import configure


@contextmanager
def opened_here() -> Iterator[WorkerContext]:
    """The context of a command, by the settings of the environment.

    Raises:
        Refused: as `opened`; or a setting is wrong.
    """
    settings = Settings.load()
    configure(settings)
    with opened(settings) as worker:
        yield worker


@contextmanager
def opened(settings: Settings) -> Iterator[WorkerContext]:
    """The context of a command; embedded servers run for its length at least.

    Raises:
        Refused: a server of the settings does not answer, the sealing key is wrong, or the ledger
            is not one of this version.
        Again: Redis went away during the block.
    """
    with _redis_in_reach(), embedded.using(settings) as servers:
        worker = make_context(settings, servers.database_url, servers.redis_url, _left_to_the_sweep)
        try:
            if not worker.ledger.run(is_made):
                upgrade(servers.database_url)
            yield worker
        finally:
            worker.close()


@contextmanager
def _redis_in_reach() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Again(
            f"Redis is not reachable ({error}).", remedy="Try again when it is back."
        ) from None


def _left_to_the_sweep(_nudges: Nudges, _wanted: Iterable[Nudge]) -> None:
    """Commands announce nothing: what they make due is found within seconds."""
