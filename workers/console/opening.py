"""The installation that commands work with: settings, running servers, and the parts over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from syncline.calls.context import Nudge, WorkerContext
from syncline.errors import Again
from syncline.ledger.migrate import is_made, no_ledger, upgrade
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from syncline.terminal.messages import remark
from syncline.terminal.waiting import OF_A_PERSON
from workers.context import make_context
from workers.embedded import data_folder
from workers.embedded import servers as embedded
from workers.logs import configure


@contextmanager
def opened_here(*, make: bool = False) -> Iterator[WorkerContext]:
    """The context of a command, by the settings of the environment.

    Raises:
        Refused: as `opened`; or a setting is wrong.
    """
    settings = Settings.load()
    configure(settings)
    with opened(settings, make=make) as worker:
        yield worker


@contextmanager
def opened(settings: Settings, *, make: bool = False) -> Iterator[WorkerContext]:
    """The context of a command; embedded servers run for its length at least.

    Args:
        settings: which installation.
        make: make what is missing of it. A command that only looks makes nothing: what it would
            say of an empty ledger, such as that nothing is parked, is true and misleads.

    Raises:
        Refused: there is no installation, a server of the settings does not answer, the sealing
            key is wrong, or the ledger is not one of this version.
        Again: Redis went away during the block.
    """
    remark_on(settings, make=make)
    with _redis_in_reach(), embedded.using(settings) as servers:
        worker = make_context(
            settings,
            servers.database_url,
            servers.redis_url,
            _left_to_the_sweep,
            OF_A_PERSON,
        )
        try:
            if not worker.ledger.run(is_made):
                if not (make or data_folder.is_in_use(settings)):
                    raise no_ledger(worker.ledger.engine)
                upgrade(servers.database_url)
            yield worker
        finally:
            worker.close()


def remark_on(settings: Settings, *, make: bool) -> None:
    """Say where something is made, or that nothing runs where we look.

    Raises:
        Refused: there is no installation, and none is to be made.
    """
    if not data_folder.is_made(settings):
        if not make:
            raise data_folder.absence(settings)
        remark(f"A new installation is made in {settings.data}. {data_folder.others(settings)}")
    elif not (embedded.are_running(settings) or data_folder.is_in_use(settings)):
        remark(
            f"syncline does not run in {settings.data}: its servers are started for this command, "
            f"and nothing is read or sent. {data_folder.others(settings)}"
        )


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
