"""A command that waits for quota says so: a bar where somebody looks, else a line."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from syncline.calls.context import QuotaPatience
from syncline.terminal.messages import remark
from syncline.terminal.output import error_console

_WORTH_A_WORD_S = 1.0
_STEP_S = 0.1
_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}


def _rest(what_for: str, seconds: float, sleep: Callable[[float], None]) -> None:
    if seconds < _WORTH_A_WORD_S:
        sleep(seconds)
        return
    side = _SIDES.get(what_for.partition(":")[0])
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


OF_A_PERSON = QuotaPatience(by_hand=True, rest=_rest)
"""A person's command waits for its few calls, which go into the reserve, and says for what."""
