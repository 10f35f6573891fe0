"""A command that waits says for what: for quota, an answer, the workers, or until something is so.

It does so on standard error: in place, where somebody looks at a terminal, else by a line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from syncline.calls.context import QuotaPatience
from syncline.terminal.messages import one_line, remark
from syncline.terminal.output import error_console

SILENT_S = 3.0
"""Seconds without an answer after which a command says that it waits for one."""

_WORTH_A_WORD_S = 1.0
_STEP_S = 0.1
_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}


def _side(what_for: str) -> str | None:
    """The side of a quota key, by its name; None for anything else."""
    return _SIDES.get(what_for.partition(":")[0])


def _rest(what_for: str, seconds: float, sleep: Callable[[float], None]) -> None:
    if seconds < _WORTH_A_WORD_S:
        sleep(seconds)
        return
    side = _side(what_for)
    text = f"Waiting for {side}'s quota, which the workers use too" if side else what_for
    console = error_console()
    if not console.is_terminal:
        remark(f"{text.rstrip('.')}: it goes on in {ceil(seconds)} s.")
        sleep(seconds)
        return

    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - if it comes to it

    columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[left]} s"))
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(text, total=seconds, left=ceil(seconds))
        passed = 0.0
        while passed < seconds:
            step = min(_STEP_S, seconds - passed)
            sleep(step)
            passed += step
            bar.update(row, completed=passed, left=ceil(seconds - passed))


@contextmanager
def _asking(key: str) -> Iterator[None]:
    """Around a call: one that is not answered soon is told of, since it may take a minute."""
    late = threading.Timer(SILENT_S, _say, [f"Waiting for an answer of {_side(key) or key}."])
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()


def _say(text: str) -> None:
    console = error_console()
    if console.is_terminal:  # above whatever is shown in place there
        console.print(f"note: {one_line(text)}", markup=False, highlight=False)
    else:
        remark(text)


@contextmanager
def waiting() -> Iterator[Callable[[str], None]]:
    """Tells what a command waits for, again and again, where only a change is worth a line."""
    console = error_console()
    if console.is_terminal:
        with console.status("") as status:
            yield status.update
        return
    told: set[str] = set()

    def tell(what: str) -> None:
        if what not in told:
            told.add(what)
            remark(f"Waiting: {what}.")

    yield tell


OF_A_PERSON = QuotaPatience(by_hand=True, rest=_rest, asking=_asking)
"""A person's command waits for its few calls, which go into the reserve, and says for what."""
