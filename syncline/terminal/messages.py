"""Messages of one line, and exit codes. It imports little, for processes without a terminal."""

from __future__ import annotations

import sys
import unicodedata
from math import ceil

from syncline.errors import BY_ITSELF, Again, Refused, SynclineError, Unanswered, sentence

WRONG_DATA = 1
"""Exit code: something is wrong with what was asked about, or it may pass by itself."""

WRONG_SETTINGS = 2
"""Exit code: settings, credentials or arguments; nothing works until they change."""


def complain(error: SynclineError) -> int:
    """Say an error in one line on standard error; returns the exit code it ends with."""
    sys.stderr.write(f"error: {in_words(error)}\n")
    sys.stderr.flush()
    return WRONG_SETTINGS if isinstance(error, Refused) else WRONG_DATA


def remark(text: str) -> None:
    """One line on standard error that is no error: what a person should know beside the answer."""
    sys.stderr.write(f"note: {one_line(text)}\n")
    sys.stderr.flush()


def in_words(error: SynclineError) -> str:
    """What happened and what to do, in one line."""
    return f"{sentence(one_line(error.what))} {one_line(error.remedy)}".strip()


def one_line(text: str) -> str:
    """The text in one line, without anything that steers a terminal."""
    return " ".join("".join(c if is_printable(c) else " " for c in text).split())


def is_printable(character: str) -> bool:
    """Whether a character is shown as itself, and steers nothing."""
    return unicodedata.category(character)[0] != "C"


def of_a_command(error: SynclineError) -> SynclineError:
    """The same error; what work in the ledger does by itself, a person does by a command."""
    if not isinstance(error, Again) or error.remedy != BY_ITSELF:
        return error
    seconds = max(1, ceil(error.after.total_seconds()))
    error.remedy = f"Run the command again in {seconds} s."
    if isinstance(error, Unanswered):
        error.remedy = f"Check the address in `syncline connection list`. {error.remedy}"
    return error
