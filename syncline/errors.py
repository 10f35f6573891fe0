"""The one tree of errors. A class says what to do next; a message what, to what, and the remedy.

SynclineError
├── Again            may be tried again by itself, not before `after`
│   ├── RateLimited  the other side answered 429
│   ├── Troubled     the other side says that it is in trouble itself
│   ├── ForeignAnswer    somebody else answered in its place: a firewall, a gateway, a proxy
│   ├── NoAnswer     what only reads was sent, and no whole answer came
│   ├── Suspended    the other side keeps the account shut for now
│   └── NotSent      nothing left this machine: no connection, or the permit to send had expired
│       ├── Unanswered   nobody took it up: no connection, or no token came
│       └── Rehearsing   its connection rehearses, so nothing is written
├── Doubtful         the call left this machine and its outcome is unknown: look it up first
├── Unreadable       an answer is not what the API promises
│   └── NotOurs      a whole page is another location's
├── Absent           the other side says that the record does not exist
├── Rejected         the other side understood and said no: a person must decide
├── Unmappable       a record cannot be rendered: a person must decide
├── Refused          settings, credentials or arguments are wrong: nothing works until they change
│   ├── BadCredentials
│   ├── MissingScope
│   ├── WrongPlace   the credentials belong to another location or tenant
│   ├── Unreachable  the host does not answer at all
│   ├── UnknownName  no such connection, order, task …
│   └── BadDocument  a mapping document is wrong; carries the line
└── Broken           an internal promise does not hold: a bug
"""

from __future__ import annotations

from datetime import timedelta


def sentence(text: str) -> str:
    """The text with a full stop; what others say often ends without one."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


class SynclineError(Exception):
    """Base of all errors of syncline.

    Args:
        what: what happened, and to what. Never holds a secret.
        remedy: what to do next, as a sentence for the operator.
        status: the HTTP status, where an answer came.
        call_id: our id of the call, where one was made.
        answered_by: who answered in place of the other side, in a few words; None where nobody did.
        of_all: whether by now a call fails like this for everybody, so that it says nothing about
            what was asked.
    """

    of_all = False

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        status: int | None = None,
        call_id: str | None = None,
        answered_by: str | None = None,
    ) -> None:
        self.what = what
        self.remedy = remedy
        self.status = status
        self.call_id = call_id
        self.answered_by = answered_by
        super().__init__(f"{sentence(what)} {remedy}" if remedy else what)


BY_ITSELF = "It is tried again by itself."
"""What work in the ledger does, which no command does."""


class Again(SynclineError):
    """Transient: may be tried again by itself, not before `after` from now."""

    def __init__(
        self,
        what: str,
        *,
        after: timedelta = timedelta(seconds=1),
        remedy: str = BY_ITSELF,
        status: int | None = None,
        call_id: str | None = None,
        answered_by: str | None = None,
    ) -> None:
        super().__init__(
            what, remedy=remedy, status=status, call_id=call_id, answered_by=answered_by
        )
        self.after = after


class RateLimited(Again):
    """A 429 came; `after` says how long the key must rest.

    Where somebody else than the other side has sent it, `answered_by` says who.

    Attributes:
        of_day: whether it is the day's calls that are used up, so that a long rest is meant.
    """

    of_day = False


class Troubled(Again):
    """The other side answered a call that changes nothing, and says that it is in trouble itself.

    After a write that is `Doubtful`.
    """


class ForeignAnswer(Again):
    """Somebody else answered a call that changes nothing: it says nothing about what was asked.

    What somebody else answered to a write is `Doubtful`; `answered_by` says in both who it was.
    """


class NoAnswer(Again):
    """A call that changes nothing left this machine, and no whole answer came."""


class Suspended(Again):
    """The other side keeps the whole account shut until somebody there opens it again."""


class NotSent(Again):
    """Not one byte of the request left this machine, so it may be sent again freely."""


class Unanswered(NotSent):
    """Nobody took the call up: there is no connection to the other side, or no token came of it."""


class Rehearsing(NotSent):
    """A write was kept back, since its connection reads both sides and writes to neither."""

    @classmethod
    def of(cls, call: str) -> Rehearsing:
        """Of this call, by its method and path."""
        return cls(
            f"{call} was not sent: the connection rehearses, so nothing is written.",
            after=timedelta(seconds=30),
            remedy="Let it work for real: syncline connection start NAME.",
        )


class Doubtful(SynclineError):
    """The request left, and whether it took effect is unknown: it must be looked up.

    Attributes:
        rest: how long the key must rest, where it was a 429 that the other side may not have sent.
    """

    rest = timedelta(0)


class Unreadable(SynclineError):
    """An answer came, but its body is not what the API promises."""


class NotOurs(Unreadable):
    """All that was shown is another location's: that is no verdict on any row of ours."""


class Absent(SynclineError):
    """The other side says that this record does not exist."""


class Rejected(SynclineError):
    """The other side understood the request and refused it.

    Args:
        text: the other side's own words.
        field: the offending field, where the other side names one.
    """

    def __init__(
        self,
        what: str,
        *,
        text: str,
        field: str | None = None,
        remedy: str = "",
        status: int | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(what, remedy=remedy, status=status, call_id=call_id)
        self.text = text
        self.field = field


class Unmappable(SynclineError):
    """A record cannot be rendered as its mapping asks; `field` names the target field."""

    def __init__(self, what: str, *, field: str, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.field = field


class Refused(SynclineError):
    """Settings, credentials or arguments are wrong; commands end with exit code 2.

    Attributes:
        side: who refused, `highlevel` or `halo`; None where nobody was asked.
        call: the method and path of what was refused, such as `("GET", "/payments/orders")`.
        confirmed: whether something harmless was refused as well, so that it is not the record.
    """

    side: str | None = None
    call: tuple[str, str] = ("", "")
    confirmed: bool = False


class BadCredentials(Refused):
    """The other side does not accept the token or secret."""


class MissingScope(Refused):
    """The credentials are good but not allowed to do this."""


class WrongPlace(Refused):
    """The credentials belong to another location or tenant."""


class Unreachable(Refused):
    """The host cannot be reached at all."""


class UnknownName(Refused):
    """Nothing of that name is known here."""


class BadDocument(Refused):
    """A mapping document is wrong; `line` is its 1-based line, where known."""

    def __init__(self, what: str, *, line: int | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.line = line


class Broken(SynclineError):
    """An internal promise does not hold: a bug, to be reported."""
