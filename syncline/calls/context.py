"""What a step is handed: the ledger, the quota, the two clients of a connection, and the clock.

Put together once a process, in `workers/context.py`; steps open nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from syncline.queues import Lane
from syncline.quota.keys import QuotaKey

if TYPE_CHECKING:  # who is handed these has imported them; who hands on a nudge needs none
    from syncline.encryption import Sealer
    from syncline.halo.client import HaloClient
    from syncline.highlevel.client import HighLevelClient
    from syncline.ledger.connections import Link
    from syncline.ledger.database import Ledger
    from syncline.mapping.document import Document
    from syncline.quota.bucket import Quota
    from syncline.quota.nudges import Nudges
    from syncline.settings import Settings

PARALLEL = 32
"""Most calls of one batch; one transaction covers a batch's beginning and one its end."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """What a step asks to be enqueued after its commit: a message that says "look here".

    Attributes:
        connection: the connection's name; "" where it is about all.
        task: `send`, `look_up`, `owe_again`, `tell`, `events`, `poll_halo`, `reconcile`, or `pull:`
            with kind and days.
        target: the target of the deliveries to look at, or "".
        after: seconds from now; 0 is at once.
    """

    connection: str
    task: str
    target: str = ""
    after: float = 0


def _ask_silently(_key: str) -> AbstractContextManager[None]:
    return nullcontext()


def _rest_silently(_what_for: str, seconds: float, sleep: Callable[[float], None]) -> None:
    sleep(seconds)


@dataclass(frozen=True, slots=True)
class QuotaPatience:
    """How whoever calls waits for quota.

    Attributes:
        by_hand: whether a person waits, who has nowhere to give the work back to. So the wait may
            last as long as the key's longest window, after which a call must be back.
        rest: waits for a key, by its name, or for what a sentence says: so many seconds, by the
            given sleep. It may tell of it.
        asking: is around each call, by the name of its key; it may tell that no answer comes.
    """

    by_hand: bool = False
    rest: Callable[[str, float, Callable[[float], None]], None] = _rest_silently
    asking: Callable[[str], AbstractContextManager[None]] = _ask_silently


OF_A_TASK = QuotaPatience()
"""A task sleeps for a moment at most; further away than that, work goes back to the ledger."""


@dataclass(frozen=True, slots=True)
class Line:
    """One connection, open: its mapping document, its two clients and their quota keys.

    `lane` is in whose name deliveries make their calls: what an event asks for goes first.
    """

    link: Link
    document: Document
    highlevel: HighLevelClient
    halo: HaloClient
    highlevel_key: QuotaKey
    halo_key: QuotaKey
    worker: WorkerContext
    lane: Lane = Lane.DELIVERIES


class Lines(Protocol):
    """Opens connections and keeps them for a few seconds, so that a batch does not ask again."""

    def __call__(self, name: str) -> Line:
        """The line of a connection.

        Raises:
            UnknownName: there is no such connection.
            Refused: a secret of it is missing, or its mapping is wrong.
        """

    def forget(self) -> None:
        """Read every connection anew when it is next asked for."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Everything that comes into a step from outside.

    `session` is the id under which this process owns rows. `abandon` gives that id up: the sweep
    then frees its rows as those of a dead worker, and the process goes on under a new one. `close`
    ends the session and closes whatever was opened for this context; closing twice is harmless.
    `patience` is how long its calls wait for quota: a command's longer than a task's. `chance` is a
    number from 0 to 1, by which waits differ.
    """

    settings: Settings
    ledger: Ledger
    quota: Quota
    nudges: Nudges
    sealer: Sealer
    workers: Executor
    session: Callable[[], UUID]
    abandon: Callable[[], None]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    open_line: Lines
    announce: Callable[[Iterable[Nudge]], None]
    close: Callable[[], None]
    patience: QuotaPatience = OF_A_TASK
    chance: Callable[[], float] = lambda: 1.0


@contextmanager
def in_hand(worker: WorkerContext) -> Iterator[None]:
    """Give the session up on any error: it may own rows that this worker does not know of.

    A claim whose commit was not answered is one; the sweep frees them all.
    """
    try:
        yield
    except BaseException:
        worker.abandon()
        raise
