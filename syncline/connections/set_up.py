"""Writes to Halo's own set-up, one at a time: webhooks, reports, dashboards, custom tables.

Every write leaves through the gate with its call row and an audit entry. One without a clear answer
is looked up in Halo's list, at once or after the settle time, and never sent a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Planned
from syncline.calls.changes import change
from syncline.calls.context import Line
from syncline.errors import Absent, Again, Doubtful
from syncline.ledger import effects
from syncline.transport import Permit

T = TypeVar("T")

UNKNOWN = "The outcome of a write is unknown, so it is looked for once it must have landed"
"""What a command waits for after a write without a clear answer."""


class SetUp:
    """Writes of one command about one connection.

    Args:
        line: the connection.
        api: the way out.
        flow: which command's entries these are in the audit log.
        reference: by which name what is written is known in Halo.
        cause: who or what asked for it.
    """

    def __init__(self, line: Line, api: ApiCalls, *, flow: str, reference: str, cause: str) -> None:
        self.worker = line.worker
        self.line = line
        self.api = api
        self._flow = flow
        self._reference = reference
        self._cause = cause

    def written(
        self,
        operation: str,
        effect: str,
        target: str,
        make: Callable[[Permit], T],
        look: Callable[[], T | None] | None,
        id_of: Callable[[T], str],
    ) -> T:
        """Make a write; `look` gives what it made, once that is there; None: nobody waits for that.

        Raises:
            Again: it had no effect.
            Doubtful: its outcome is unknown, and nobody was to look.
            SynclineError: Halo could not be asked, or refused.
        """

        def note(connection: Connection, made: T, call_id: UUID) -> None:
            self._note(connection, effect, target, id_of(made), call_id)

        outcome = change(self.worker, self.api, Planned(operation), make, note)
        made: T | None = outcome.result  # type: ignore[assignment]  # what `make` gave
        if isinstance(outcome.error, Doubtful) and look is not None:
            made = self._looked_for(look)
            if made is not None:
                self._note_later(note, made, outcome.call_id)
        elif outcome.error is not None:
            raise outcome.error
        if made is None:
            raise Again(f"{operation} had no effect: Halo does not list it.")
        return made

    def gone(
        self,
        operation: str,
        target: str,
        target_id: str,
        make: Callable[[Permit], None],
        is_there: Callable[[], bool],
    ) -> None:
        """Take something away; what is gone already is well.

        Raises:
            Again: it had no effect.
            SynclineError: Halo could not be asked, or refused.
        """

        def note(connection: Connection, _made: None, call_id: UUID) -> None:
            self._note(connection, "delete", target, target_id, call_id)

        outcome = change(self.worker, self.api, Planned(operation), make, note)
        if isinstance(outcome.error, Absent):
            return
        if isinstance(outcome.error, Doubtful):
            if self._looked_for(lambda: None if is_there() else True) is None:
                raise Again(f"{operation} had no effect: Halo still lists it.")
            self._note_later(note, None, outcome.call_id)
        elif outcome.error is not None:
            raise outcome.error

    def _looked_for(self, look: Callable[[], T | None]) -> T | None:
        """Looked for at once, and once more when it must have landed."""
        found = look()
        if found is None:
            settle = self.line.link.settle(self.worker.settings.settle)
            self.worker.patience.rest(UNKNOWN, settle.total_seconds(), self.worker.sleep)
            found = look()
        return found

    def _note_later(
        self, note: Callable[[Connection, T, UUID], None], made: T, call_id: UUID
    ) -> None:
        """Note what a look has shown, which must not be lost either."""
        self.worker.ledger.run_patiently(
            lambda connection: note(connection, made, call_id), sleep=self.worker.sleep
        )

    def _note(
        self, connection: Connection, effect: str, target: str, target_id: str, call_id: UUID
    ) -> None:
        effects.note(
            connection,
            self.line.link.id,
            flow=self._flow,
            effect=effect,
            target=target,
            target_id=target_id,
            reference=self._reference,
            call_id=call_id,
            cause=self._cause,
        )
