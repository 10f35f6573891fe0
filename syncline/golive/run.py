"""Going live: what is known of a connection, the switch of its mode, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.alerts import queries
from syncline.alerts.targets import TARGETS
from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line, WorkerContext
from syncline.connections.run import until_noticed
from syncline.deliveries import unleased
from syncline.engine.connection_rules import hold_live
from syncline.errors import Absent, MissingScope, Refused, Rejected, Unreadable
from syncline.fingerprint import fingerprint
from syncline.flows import payments
from syncline.golive import queries as golive_queries
from syncline.golive import rules as checks
from syncline.golive import unsettled
from syncline.golive.facts import AcceptedLine, Dump, Facts, Load, Reconciled, Side, Tried
from syncline.halo.capabilities import Capabilities
from syncline.halo.entities.resources import ORDER
from syncline.halo.entities.rows import count_rows
from syncline.halo_changes.installed_webhook import bound
from syncline.ledger import connections, effects, modes
from syncline.ledger.connections import Link
from syncline.queues import Lane
from syncline.settings import Settings

_DAY = timedelta(days=1)
_KINDS = 3
"""Orders, transactions, subscriptions; and of Halo orders, consignments, payments."""

Sides = Sequence[Side]


def gather(line: Line, sides: Sides, within: timedelta) -> Facts:
    """Everything that the lines are judged by; Halo is asked how many orders it holds.

    Args:
        line: the connection.
        sides: what both sides answered just now.
        within: how old events, dumps, alerts and comparisons may be.
    """
    strangers = _strangers(line) if all(s.works for s in sides if s.needed) else None
    known = capabilities.known(line)
    return line.worker.ledger.run(
        lambda connection: _facts(
            connection, line.worker.settings, line, sides, within, known, strangers
        )
    )


def accept(connection: Connection, link: Link, line: str, because: str, by: str) -> None:
    """Take a line as it is, until the mode is switched; by name, with the reason.

    Raises:
        Refused: there is no such line.
    """
    if line not in checks.NAMES:
        raise Refused(
            f"There is no line {line!r:.40}.", remedy=f"Name one of: {', '.join(checks.NAMES)}."
        )
    certificate = {"line": line, "because": because}
    golive_queries.note(connection, link, "accept", by, certificate)
    effects.decided(
        connection, link.id, what="golive accept", subject=link.name, by=by, after=certificate
    )


def live_already(link: Link) -> Refused:
    """What is said to whoever wants to go live with a connection that is."""
    return Refused(
        f"{link.name} is live already.", remedy=f"To go back: syncline golive back {link.name}"
    )


def switch(line: Line, found: Sequence[checks.CheckLine], by: str) -> dict[str, Any]:
    """Let live rows through, and write down what was green; returns the certificate.

    Raises:
        Refused: a line is red, the connection is live already, or it is not as it was checked.
    """
    if line.link.mode == "live":
        raise live_already(line.link)
    missing = checks.red(found)
    if missing:
        raise Refused(
            f"{line.link.name} cannot go live: {', '.join(one.name for one in missing)} "
            f"{'is' if len(missing) == 1 else 'are'} red.",
            remedy=f"See what mends each: syncline golive check {line.link.name}",
        )

    def work(connection: Connection) -> dict[str, Any]:
        link = connections.by_name(connection, line.link.name)
        if (link.mapping, link.state) != (line.link.mapping, line.link.state):
            raise Refused(
                f"{link.name} got another mapping or state while it was checked.",
                remedy=f"Check it again: syncline golive check {link.name}",
            )
        certificate = {
            "lines": [{"name": one.name, "state": one.state, "found": one.found} for one in found],
            "test rows that stay": asdict(golive_queries.went(connection, link)),
            "mapping": fingerprint({"mapping": link.mapping}).hex(),
        }
        if not modes.set_mode(connection, link, "live"):
            raise live_already(link)
        unleased.release_held(connection, link.id)
        golive_queries.note(connection, link, "switch", by, certificate)
        _decided(connection, link, "golive switch", by, "live")
        return certificate

    return line.worker.ledger.run(work)


def back(worker: WorkerContext, link: Link, by: str, because: str) -> int:
    """Let nothing live through any more; what was delivered stays. Returns how much is held back.

    Workers notice it within seconds; what they requested until then under the old mode is held back
    after that.

    Raises:
        Refused: the connection is in sandbox mode already.
    """

    def work(connection: Connection) -> int:
        if not modes.set_mode(connection, link, "sandbox"):
            raise Refused(f"{link.name} is in sandbox mode already.")
        golive_queries.note(connection, link, "back", by, {"because": because})
        _decided(connection, link, "golive back", by, "sandbox")
        return _hold(connection, link)

    held = worker.ledger.run(work)
    if link.is_emulated:
        return held
    until_noticed(worker)
    return held + worker.ledger.run(lambda connection: _hold(connection, link))


def _hold(connection: Connection, link: Link) -> int:
    return hold_live(connection, connections.by_id(connection, link.id))


def _decided(connection: Connection, link: Link, what: str, by: str, mode: str) -> None:
    effects.decided(
        connection,
        link.id,
        what=what,
        subject=link.name,
        by=by,
        before={"mode": link.mode},
        after={"mode": mode},
    )


def _strangers(line: Line) -> int | None:
    """How many orders Halo holds that are not ours; None: it does not say how many it has."""
    api: ApiCalls = halo_calls(line, Lane.UPKEEP)
    try:
        count = api.read(f"GET {ORDER.path}", lambda permit: count_rows(line.halo, permit, ORDER))
    except (Absent, MissingScope, Rejected, Unreadable):
        return None
    if count is None:
        return None
    ours = line.worker.ledger.run(
        lambda connection: golive_queries.orders_of_ours(connection, line.link)
    )
    return max(0, count - ours)


def _facts(
    connection: Connection,
    settings: Settings,
    line: Line,
    sides: Sides,
    within: timedelta,
    known: Capabilities,
    strangers: int | None,
) -> Facts:
    link, document = connections.by_name(connection, line.link.name), line.document
    went = golive_queries.went(connection, link)
    heard = golive_queries.heard(connection, link)
    compared = golive_queries.reconciled(connection, link)
    dumps = golive_queries.steps(connection, link, ["dump"], most=1)
    accepted = golive_queries.acceptances(connection, link)
    now = connections.by_id(connection, link.id).read_at
    told_at = queries.delivered(connection, link.id)
    return Facts(
        name=link.name,
        state=link.state,
        document=document,
        sides=tuple(sides),
        ways={name: way for name in TARGETS if (way := known.find_way(name)) is not None},
        arrays={name: known.array_size(name).proved for name in TARGETS},
        known_currencies=frozenset(known.currencies),
        used_currencies=frozenset(_used(connection, link, "currency")),
        statuses=frozenset(
            word.lower()
            for word in golive_queries.words(connection, link, payments.SOURCE_KIND, "status")
        ),
        is_requested_again=link.name in modes.under_new_rules(connection)
        or golive_queries.is_requested_again(connection, link),
        parked=unsettled.parked(connection, link),
        parked_events=unsettled.parked_events(connection, link),
        refused=unsettled.refused_windows(connection, link),
        tried=Tried(went.order, went.payment, went.refund, went.shipment, went.tracking),
        app=link.auth == "oauth",
        heard_highlevel=heard.get("highlevel"),
        heard_halo=heard.get("halo"),
        loads=_loads(connection, settings, line, link),
        reconciled=None
        if compared is None
        else Reconciled(compared.number, compared.age, compared.open, compared.whole),
        told=None if told_at is None else now - told_at,
        dump=Dump(str(dumps[0].certificate["place"]), dumps[0].age) if dumps else None,
        strangers=strangers,
        adopted=golive_queries.was_adopted(connection, link),
        accepted={
            name: AcceptedLine(step.by, str(step.certificate["because"]))
            for name, step in accepted.items()
        },
        within=within,
    )


def _used(connection: Connection, link: Link, field: str) -> set[str]:
    kinds = ("order", "transaction", "subscription")
    return {word for kind in kinds for word in golive_queries.words(connection, link, kind, field)}


def _loads(
    connection: Connection, settings: Settings, line: Line, link: Link
) -> Mapping[str, Load]:
    busiest = golive_queries.busiest_day(connection, link)
    missing = bool(bound(connection, link.id).missing)
    halo_every = settings.poll_halo if missing else settings.pull_warm
    looks: Mapping[str, tuple[str, Callable[[], int], int]] = {
        "HighLevel": (
            line.highlevel_key.name,
            lambda: _pulls_a_day(settings, busiest),
            min(
                link.highlevel_daily,
                int(_DAY.total_seconds() / link.highlevel_seconds) * link.highlevel_calls,
            ),
        ),
        "Halo": (
            line.halo_key.name,
            lambda: _times(halo_every) * _KINDS,
            int(_DAY.total_seconds() / link.halo_seconds) * link.halo_calls,
        ),
    }
    return {
        side: Load(
            records=busiest,
            calls_a_record=golive_queries.calls_a_record(connection, link, key),
            cadence=cadence(),
            others=golive_queries.calls_of_others(connection, link, key),
            budget=budget,
        )
        for side, (key, cadence, budget) in looks.items()
    }


def _times(every: timedelta) -> int:
    return int(_DAY / every)


def _pulls_a_day(settings: Settings, busiest: int) -> int:
    """Pages of the trailing windows, each kind read on its cadence, a busy day every day."""
    from syncline.ingest import pull  # noqa: PLC0415 - only this command needs it
    from syncline.ingest.window_reading import PAGE  # noqa: PLC0415 - likewise

    bands = (
        (settings.pull_hot, pull.HOT),
        (settings.pull_warm, pull.WARM),
        (settings.pull_cold, pull.COLD),
    )
    return sum(
        _times(every) * (_KINDS + busiest * (window.days + 1) // PAGE) for every, window in bands
    )
