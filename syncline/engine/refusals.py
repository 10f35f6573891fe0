"""Whether a refusal concerns the whole connection or what was asked: something harmless is asked.

A firewall with a grudge against one record, or a client that our agent may not see, must not stop
everything else. So a connection stops only where a list of one row is refused as well; where Halo
does not allow a write, where it refuses an array without elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any

from syncline.calls.calls import NoQuota, halo_calls, highlevel_calls
from syncline.calls.context import Line
from syncline.errors import (
    Absent,
    Again,
    BadCredentials,
    MissingScope,
    Refused,
    Rejected,
    SynclineError,
    Unreadable,
)
from syncline.halo import answers
from syncline.halo.answers import Effect
from syncline.halo.entities.resources import CLIENT
from syncline.highlevel.records import RECORDS, Span, list_records
from syncline.operations import without_elements
from syncline.queues import Lane
from syncline.transport import Permit

_LISTS = re.compile(r"/payments/(order|transaction|subscription)s")
_OF_HALO = re.compile(r"/\w+")
_TOKEN = "/token"  # noqa: S105 - the path of a call

_LOOKED_AT = (0, 1, 10, 100)
"""Rows of a list of which one is enough: the newest may all be what is refused, each for itself.

A list that ends before is shown as well: it says so.
"""


class Concerns(Enum):
    """What a refusal is about."""

    ALL = "all"
    """Something harmless is refused too: the connection cannot work."""

    ONE = "one"
    """The other side lets us in: it is about what was asked."""

    UNKNOWN = "unknown"
    """The other side cannot be asked just now."""


def concerns(line: Line, error: Refused) -> Concerns:
    """Ask something harmless, with a permit of its own, where the other side has refused.

    What nobody was asked for, such as a secret that is not stored, concerns all.
    """
    if error.side is None or error.confirmed:
        return Concerns.ALL
    try:
        _ask(line, error)
    except Refused as again:
        error.confirmed = again.confirmed = True
        return Concerns.ALL
    except (Absent, Rejected, Unreadable):
        return Concerns.ONE
    except SynclineError:
        return Concerns.UNKNOWN
    return Concerns.ONE


def shows_list(line: Line, lane: Lane, kind: str) -> bool:
    """Whether HighLevel shows any row of a list, whatever it does not show of it.

    It is asked also where the list fails for everybody: that may be for the sake of one row.

    Raises:
        NoQuota: there is none for longer than a task may sleep.
    """
    api = highlevel_calls(line, lane, insists=True)
    for offset in _LOOKED_AT:
        try:
            api.read(f"list {kind}s", partial(_listed, line, kind, offset))
        except NoQuota:
            raise
        except Again:
            if offset:
                break  # it fails, and does not refuse: more tries would say no more
        except SynclineError:
            continue
        else:
            return True
    return False


def empty_array(line: Line, path: str) -> tuple[str, Callable[[Permit], Any]]:
    """The operation and the call that post an array of nothing, which asks for nothing.

    Source: an array of elements is what every POST takes.
    """
    return (
        without_elements(path),
        lambda permit: line.halo.post(path, [], permit, effect=Effect.READ),
    )


def a_list(line: Line) -> tuple[str, Callable[[Permit], Any]]:
    """The operation and the call that read one order of HighLevel's list."""
    return "check orders", partial(_listed, line, "order", 0)


def _ask(line: Line, error: Refused) -> None:
    if error.side == answers.SIDE:
        halo_calls(line, Lane.UPKEEP).read(*_harmless_of_halo(line, error))
        return
    api = highlevel_calls(line, Lane.UPKEEP)
    found = _LISTS.match(error.call[1])
    kind = found[1] if found else "order"
    for offset in _LOOKED_AT:
        try:
            api.read(f"check {kind}s", partial(_listed, line, kind, offset))
        except BadCredentials:
            raise
        except Refused:  # it may be the very row that is refused
            if offset == _LOOKED_AT[-1]:
                raise
        else:
            return


def _listed(line: Line, kind: str, offset: int, permit: Permit) -> Any:
    return list_records(line.highlevel, permit, RECORDS[kind], Span(1, offset))


def _harmless_of_halo(line: Line, error: Refused) -> tuple[str, Callable[[Permit], Any]]:
    """A list of one row; for a write that is not allowed, an array without elements."""
    method, path = error.call
    found = _OF_HALO.match(path)
    there = CLIENT.path if found is None or path == _TOKEN else found[0]
    if isinstance(error, MissingScope) and method != "GET" and path != _TOKEN:
        return empty_array(line, there)
    params = {"pageinate": "true", "page_size": "1", "page_no": "1"}
    return f"GET {there}", lambda permit: line.halo.get(there, params, permit)
