"""Going live, purely: what must be green, by what was found, and the one command that mends it.

Nothing is read here. Who gathers the facts stands in `run.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from syncline.golive.facts import Facts, Load
from syncline.mapping.document import Document

State = Literal["green", "red", "accepted", "not needed"]

ROOM: Final = 0.8
"""How much of a day's calls the busiest day may take, so that there is room to catch up."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of the check.

    Attributes:
        name: as `golive switch --accept` takes it.
        state: red keeps the connection from going live.
        found: what is so.
        remedy: the one command, or the one thing to do, where it is red.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def lines(facts: Facts) -> list[CheckLine]:
    """All lines, in the order in which they are best mended."""
    return [_as_accepted(facts, check(facts)) for check in _CHECKS.values()]


def red(found: Collection[CheckLine]) -> list[CheckLine]:
    """The lines that keep a connection from going live."""
    return [line for line in found if line.state == "red"]


def _as_accepted(facts: Facts, line: CheckLine) -> CheckLine:
    taken = facts.accepted.get(line.name)
    if taken is None or line.state != "red":
        return line
    return CheckLine(
        line.name, "accepted", f"{line.found}; accepted by {taken.by}: {taken.because}"
    )


def _green(name: str, found: str) -> CheckLine:
    return CheckLine(name, "green", found)


def _red(name: str, found: str, remedy: str) -> CheckLine:
    return CheckLine(name, "red", found, remedy)


def _state(facts: Facts) -> CheckLine:
    if facts.state == "active" and not facts.is_requested_again:
        return _green("state", "at work, all records under its mapping of now")
    if facts.state == "active":
        return _red(
            "state",
            "records are still looked at anew, or sent",
            "Wait a minute while `syncline up` runs.",
        )
    return _red("state", f"it is {facts.state}", f"syncline connection start {facts.name}")


def _scopes(facts: Facts) -> CheckLine:
    wrong = [side for side in facts.sides if side.needed and not side.works]
    if wrong:
        said = "; ".join(f"{side.what}: {side.found}" for side in wrong)
        return _red("scopes", said, wrong[0].remedy or f"syncline connection check {facts.name}")
    return _green("scopes", f"{sum(side.works for side in facts.sides)} questions answered well")


def _targets(document: Document) -> list[str]:
    """The rows of Halo that the mapping makes, of which the first test order shows each."""
    wanted = ["client", "user", "order"]
    if document.payments.into == "invoice":
        wanted += ["invoice", "payment"]
    return wanted


def _finding(facts: Facts) -> CheckLine:
    # Customers may be Halo's own, and are then never made.
    wanted = [name for name in _targets(facts.document) if name not in {"client", "user"}]
    missing = [name for name in wanted if name not in facts.ways]
    known = ", ".join(f"{name} by {way}" for name, way in sorted(facts.ways.items()))
    if missing:
        return _red(
            "finding",
            f"not proved how these are found again: {', '.join(missing)}",
            f"syncline golive test {facts.name}",
        )
    return _green("finding", known)


def _arrays(facts: Facts) -> CheckLine:
    proved = {name: size for name, size in facts.arrays.items() if size}
    if "order" not in proved:
        return _red("arrays", "no order was confirmed yet", f"syncline golive test {facts.name}")
    said = ", ".join(f"{name} {size}" for name, size in sorted(proved.items()))
    return _green("arrays", f"elements a call: {said}")


def _currencies(facts: Facts) -> CheckLine:
    missing = sorted(set(facts.used_currencies) - set(facts.known_currencies))
    if missing:
        return _red(
            "currencies",
            f"records are in {', '.join(missing)}, which Halo does not have",
            f"Add them in Halo, then: syncline connection check {facts.name}",
        )
    if not facts.known_currencies:
        return _red(
            "currencies",
            "Halo's currencies were not read yet",
            f"syncline connection check {facts.name}",
        )
    used = ", ".join(sorted(facts.used_currencies)) or "none"
    return _green("currencies", f"of the records: {used}")


def _mapping(facts: Facts) -> CheckLine:
    sorted_ = {*facts.document.payments.paid, *facts.document.payments.unpaid}
    unknown = sorted(set(facts.statuses) - sorted_)
    if facts.document.payments.into == "invoice" and unknown:
        return _red(
            "mapping",
            f"nobody has said whether money came in with: {', '.join(unknown)}",
            "Add them to paid or unpaid under [payments], then: "
            f"syncline connection set-mapping {facts.name} FILE",
        )
    return _green("mapping", "loads, and knows every status of the transactions")


def _parked(facts: Facts) -> CheckLine:
    if facts.parked:
        many = "1 delivery is" if facts.parked == 1 else f"{facts.parked} deliveries are"
        return _red("parked", f"{many} parked", f"syncline parked list --connection {facts.name}")
    if facts.parked_events:
        many = "1 webhook is" if facts.parked_events == 1 else f"{facts.parked_events} webhooks are"
        return _red("parked", f"{many} parked", "syncline events list --state parked")
    if facts.refused:
        shown = ", ".join(sorted(facts.refused)[:3])
        return _red(
            "parked",
            f"HighLevel does not show all of its lists: {shown}",
            f"syncline status {facts.name} says why, and since when",
        )
    return _green("parked", "nothing needs a person")


def _order(facts: Facts) -> CheckLine:
    tried = facts.tried
    wanted = {"order": tried.order}
    if facts.document.payments.into == "invoice":
        wanted |= {"payment": tried.payment, "refund": tried.refund}
    return _went(facts, "order", wanted, "in Halo")


def _shipment(facts: Facts) -> CheckLine:
    if facts.document.fulfillments.into == "none":
        return CheckLine("shipment", "not needed", "the mapping brings no shipments to HighLevel")
    wanted = {"shipment": facts.tried.shipment, "tracking": facts.tried.tracking}
    return _went(facts, "shipment", wanted, "on both sides")


def _went(facts: Facts, name: str, wanted: Mapping[str, str | None], where: str) -> CheckLine:
    missing = [what for what, found in wanted.items() if found is None]
    there = ", ".join(f"{what} {found}" for what, found in wanted.items() if found is not None)
    if not missing:
        return _green(name, f"confirmed {where}: {there}")
    so_far = f"; there: {there}" if there else ""
    return _red(
        name,
        f"of test orders not confirmed {where} yet: {', '.join(missing)}{so_far}",
        f"syncline golive test {facts.name}",
    )


def _webhooks(facts: Facts) -> CheckLine:
    heard = {"HighLevel": facts.heard_highlevel, "Halo": facts.heard_halo}
    silent = [side for side, age in heard.items() if age is None or age > facts.within]
    said = ", ".join(f"{side} {_ago(age)}" for side, age in heard.items() if age is not None)
    if not silent:
        return _green("webhooks", f"verified events: {said}")
    remedy = (
        f"syncline halo webhooks install {facts.name}"
        if silent == ["Halo"]
        else "See docs/webhooks.md"
    )
    why = "" if facts.app or "HighLevel" not in silent else "; a private token gets none"
    return _red(
        "webhooks",
        f"no verified event of {' and '.join(silent)} within {_days(facts.within)}{why}",
        f"{remedy}; or poll alone: syncline golive check {facts.name} --accept-polling",
    )


def _quota(side: str) -> Callable[[Facts], CheckLine]:
    name = f"{side.lower()}-quota"

    def check(facts: Facts) -> CheckLine:
        load = facts.loads[side]
        if load.calls_a_record is None:
            return _red(
                name,
                "calls a record were never measured, as nothing was delivered",
                f"syncline golive test {facts.name}",
            )
        said = (
            f"{load.expected:,} calls on a day like the busiest of 30 ({load.records:,} records at "
            f"{load.calls_a_record:.1f}, {load.cadence:,} to look, {load.others:,} of others), "
            f"of {load.budget:,}: {_head_room(load)} left"
        )
        if load.expected > ROOM * load.budget:
            return _red(name, said, _SLOWER[side])
        return _green(name, said)

    return check


_SLOWER: Final = {
    "HighLevel": "Raise SYNCLINE_PULL_HOT, or connect through an app of its own: docs/webhooks.md",
    "Halo": 'Ask Halo for a higher limit, or use lines = "summary" in the mapping',
}


def _reconciliation(facts: Facts) -> CheckLine:
    last = facts.reconciled
    run = f"syncline reconcile run {facts.name}"
    if last is None:
        return _red("reconciliation", "both sides were never compared", run)
    if last.open:
        many = "1 difference is" if last.open == 1 else f"{last.open} differences are"
        decide = f"syncline discrepancies list --connection {facts.name}"
        return _red("reconciliation", f"{many} open after run {last.number}", decide)
    if not last.whole:
        shows = f"syncline reconcile show {last.number} says what; then: {run}"
        return _red("reconciliation", f"run {last.number} did not compare everything", shows)
    if last.age > facts.within:
        return _red("reconciliation", f"run {last.number} was {_ago(last.age)}", run)
    return _green("reconciliation", f"run {last.number}, {_ago(last.age)}: no difference")


def _alerts(facts: Facts) -> CheckLine:
    test = f"syncline alerts test {facts.name}"
    if facts.told is None:
        return _red("alerts", "none was ever delivered", test)
    if facts.told > facts.within:
        return _red("alerts", f"the last one was delivered {_ago(facts.told)}", test)
    return _green("alerts", f"delivered {_ago(facts.told)}")


def _dump(facts: Facts) -> CheckLine:
    take = f"syncline golive dump {facts.name}"
    if facts.dump is None:
        return _red("dump", "no dump of the ledger is known", take)
    if facts.dump.age > facts.within:
        return _red("dump", f"{facts.dump.place} is of {_ago(facts.dump.age)}", take)
    return _green("dump", f"{facts.dump.place}, {_ago(facts.dump.age)}")


def _adoption(facts: Facts) -> CheckLine:
    if facts.adopted:
        return _green("adoption", "done")
    if facts.strangers == 0:
        return CheckLine("adoption", "not needed", "Halo holds no order that is not ours")
    many = (
        "orders that nobody has counted"
        if facts.strangers is None
        else (f"{facts.strangers:,} orders that are not ours")
    )
    return _red(
        "adoption",
        f"Halo holds {many}",
        f"syncline adopt {facts.name} says whether they are HighLevel's; if none is: "
        f"syncline golive switch {facts.name} --accept adoption --because TEXT",
    )


_CHECKS: Final[Mapping[str, Callable[[Facts], CheckLine]]] = {
    "state": _state,
    "scopes": _scopes,
    "currencies": _currencies,
    "mapping": _mapping,
    "adoption": _adoption,
    "order": _order,
    "shipment": _shipment,
    "finding": _finding,
    "arrays": _arrays,
    "parked": _parked,
    "webhooks": _webhooks,
    "highlevel-quota": _quota("HighLevel"),
    "halo-quota": _quota("Halo"),
    "reconciliation": _reconciliation,
    "alerts": _alerts,
    "dump": _dump,
}

NAMES: Final = tuple(_CHECKS)
"""The lines by their names."""


def _head_room(load: Load) -> str:
    return f"{max(0.0, 1 - load.expected / load.budget):.0%}" if load.budget else "nothing"


def _days(length: timedelta) -> str:
    return "a day" if length.days == 1 else f"{length.days} days"


def _ago(age: timedelta) -> str:
    if age < timedelta(hours=2):
        return f"{age.total_seconds() / 60:.0f} min ago"
    if age < timedelta(days=2):
        return f"{age.total_seconds() / 3600:.0f} h ago"
    return f"{age.days} days ago"
