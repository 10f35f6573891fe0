"""What a command says of an error that work in the ledger would get over by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncline.errors import Again, NotSent, Rehearsing, SynclineError, Unanswered
from syncline.terminal.messages import in_words, of_a_command


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (Again("Busy.", after=timedelta(seconds=5.2)), "Run the command again in 6 s."),
        (NotSent("Late.", after=timedelta(0)), "Run the command again in 1 s."),
        (Again("Away.", remedy="Look there."), "Look there."),
        (Rehearsing.of("POST /x"), "Let it work for real: syncline connection start NAME."),
        (
            Unanswered("Nobody."),
            "Check the address in `syncline connection list`. Run the command again in 1 s.",
        ),
    ],
)
def test_a_command_tries_nothing_again_by_itself_and_promises_no_such_thing(
    error: SynclineError, remedy: str
) -> None:
    assert of_a_command(error).remedy == remedy
    assert in_words(error).endswith(remedy)
