"""`syncline halo`: what is set up in Halo: the webhook that tells of its changes, the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor, caused
from syncline.errors import Refused
from syncline.halo.webhooks.bindable import WANTED
from syncline.halo_changes.installed_webhook import Bound, bound
from syncline.ledger import connections, effects
from syncline.sending.restored import mark
from syncline.terminal import options
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_SETTINGS
from syncline.terminal.output import AsJson, Commands, group, plain, say, show, stack, table
from syncline.webhooks import installing
from syncline.webhooks.installing import InstalledWebhook, Seen, install, look, remove

app = group("halo", "Set up what Halo sends to syncline, and what it shows of it.")
webhooks = typer.Typer(
    name="webhooks",
    help="Install, show and remove the webhook by which Halo tells of its changes.",
    cls=Commands,
    no_args_is_help=True,
)
app.add_typer(webhooks)

Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]
ShowSecret = Annotated[
    bool, typer.Option("--show-secret", help="Show the secret of the URL and the password.")
]

_HIDDEN = "(hidden)"
_CALLED = {
    "salesorder": "new and changed sales orders",
    "payment": "payments",
    "consignment": "consignments",
}


@dataclass(frozen=True, slots=True)
class _InstallReport:
    """What `install` came to, without secrets unless they were asked for."""

    connection: str
    webhook: str
    webhook_id: str | None
    url: str
    username: str
    password: str
    bound: list[str]
    newly_bound: list[str]
    polled: list[str]
    by_hand: list[str]
    why: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _ShownWebhook:
    webhook_id: str
    url: str
    active: bool | None
    bound: list[str]


@dataclass(frozen=True, slots=True)
class _WebhookStatus:
    """Our webhook as Halo shows it, beside what was bound when it was installed.

    `lost` is what an event told of then and tells of no more.
    """

    connection: str
    webhooks: list[_ShownWebhook]
    remembered: str | None
    polled: list[str]
    lost: list[str]


@dataclass(frozen=True, slots=True)
class _RemovedWebhooks:
    connection: str
    removed: list[str]
    dry_run: bool


@webhooks.command("install")
def install_webhook(
    context: typer.Context,
    connection: Name,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Where Halo reaches the receiver; else SYNCLINE_PUBLIC_URL.",
        ),
    ] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new key; the one before stays valid.")
    ] = False,
    dry_run: DryRun = False,
    show_secret: ShowSecret = False,
    as_json: AsJson = False,
) -> None:
    """Make our webhook in Halo or put it right, and bind it to the events that fit.

    Where our application may not do that, it says what to do by hand, and ends with 2.

    Example: syncline halo webhooks install acme --url https://sync.example.com
    """
    public_url = _public_url(context, url)
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        result = install(
            line,
            public_url,
            rotate=rotate,
            dry_run=dry_run,
            cause=caused("halo webhooks install", worker.settings),
        )
    done = _done(connection, result, show_secret=show_secret)
    show(as_json, done, lambda: _render_done(done))
    if result.fate == "by hand":
        raise typer.Exit(WRONG_SETTINGS)


@webhooks.command("show")
def show_webhook(
    context: typer.Context,
    connection: Name,
    *,
    show_secret: Annotated[
        bool, typer.Option("--show-secret", help="Show the secret of the URL.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show our webhook as Halo has it now, and what it is bound to.

    Example: syncline halo webhooks show acme
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        found = look(line)
        known = worker.ledger.run(lambda database: bound(database, line.link.id))
    shown = [
        _ShownWebhook(
            one.webhook_id, _url(one.url, show_secret=show_secret), one.active, list(one.bound)
        )
        for one in found
    ]
    lost = _lost(known, found)
    standing = _WebhookStatus(connection, shown, known.webhook_id, list(known.missing), lost)
    show(as_json, standing, lambda: _render_standing(standing))


@webhooks.command("remove")
def remove_webhook(
    context: typer.Context, connection: Name, *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Take our webhook and its bindings away; from then on Halo's changes are polled for.

    Example: syncline halo webhooks remove acme --dry-run
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        gone = _RemovedWebhooks(
            connection,
            remove(line, dry_run=dry_run, cause=caused("halo webhooks remove", worker.settings)),
            dry_run,
        )
    show(as_json, gone, lambda: plain(_sentence(gone)))


def _public_url(context: typer.Context, given: str | None) -> str:
    name, found = "--url", given
    if found is None:
        name, found = "SYNCLINE_PUBLIC_URL", command_context(context).settings().public_url
    if found is None:
        raise Refused(
            "It is not known where Halo reaches the receiver.",
            remedy="Give --url, such as https://sync.example.com, or set SYNCLINE_PUBLIC_URL.",
        )
    return options.url(name, found)


def _done(connection: str, result: InstalledWebhook, *, show_secret: bool) -> _InstallReport:
    url = _url(result.url, show_secret=show_secret)
    key = result.key
    shown = key.password.get_secret_value() if key is not None and show_secret else _HIDDEN
    password = "" if key is None else shown
    username = "" if key is None else key.username
    by_hand = _steps(result.name, url, username, password) if result.fate == "by hand" else []
    return _InstallReport(
        connection=connection,
        webhook=result.fate,
        webhook_id=result.webhook_id,
        url=url,
        username=username,
        password=password,
        bound=[event.name for event in result.fitting],
        newly_bound=[event.name for event in result.bound],
        polled=list(result.missing),
        by_hand=by_hand,
        why=result.why,
        dry_run=result.dry_run,
    )


def _url(url: str, *, show_secret: bool) -> str:
    """The URL, whose last part lets webhooks in and is shown only where that was asked for."""
    before, place, rest = url.partition(f"{installing.PATH}/")
    if show_secret or not place:
        return url
    return f"{before}{place}{rest.partition('/')[0]}/{_HIDDEN}"


def _steps(name: str, url: str, username: str, password: str) -> list[str]:
    told = ", ".join(_CALLED[entity] for entity in WANTED)
    hidden = password == _HIDDEN
    return [
        "In Halo, open Configuration > Integrations > Webhooks and add one.",
        f"Name: {name}",
        f"Payload URL: {url}",
        "Method: POST. Content type: application/json.",
        f"Authentication: Basic, user name {username}, password {password}.",
        f"Events: every one of {told}; of two that are alike, the one that ends with All.",
        "Payload: any kind; information of the event only is enough. Batching: off.",
        *(["Run this command again with --show-secret to see what is hidden."] if hidden else []),
        "Or give our application the permission admin:webhooks, and run this command again.",
    ]


@app.command("restored")
def restored(
    context: typer.Context,
    *,
    name: Name,
    clear: Annotated[
        bool, typer.Option("--clear", help="It is over: rows are written without being read.")
    ] = False,
) -> None:
    """Say whether Halo seems to have been restored from a backup, so that ids were given anew.

    Example: syncline halo restored acme
    """
    with command_context(context).open() as worker:
        by = actor(worker.settings)

        def work(connection: Connection) -> str:
            link = connections.by_name(connection, name)
            seen = mark.seen(connection, link)
            if clear and seen:
                mark.clear(connection, link)
                effects.decided(
                    connection,
                    link.id,
                    what="halo restored --clear",
                    subject=name,
                    by=by,
                    before={"seen": seen},
                )
            return seen

        seen = worker.ledger.run(work)
    if not seen:
        say("Nothing shows that Halo was restored from a backup.")
    elif clear:
        say("Rows are written again without being read before.")
    else:
        say(f"{seen} Each row is read before it is written.")


def _render_done(done: _InstallReport) -> RenderableType:
    if done.by_hand:
        numbered = [f"{at}. {step}" for at, step in enumerate(done.by_hand, 1)]
        return plain("\n".join([f"{done.why} So it is to be done by hand:", *numbered]))
    would = " (dry run: nothing was changed)" if done.dry_run else ""
    new = set(done.newly_bound)
    verb = "would be bound" if done.dry_run else "bound now"
    rows = [[name, verb if name in new else "bound before"] for name in done.bound]
    return stack(
        plain(f"webhook {done.webhook_id or ''} {done.webhook}{would}\nsends to {done.url}"),
        *([table("events", ["event", "state"], rows)] if rows else []),
        plain(_polled(done.polled)),
    )


def _render_standing(standing: _WebhookStatus) -> RenderableType:
    if not standing.webhooks:
        return plain(
            f"Halo has no webhook for {standing.connection}. Make it with: "
            f"syncline halo webhooks install {standing.connection}"
        )
    states = {True: "active", False: "switched off", None: "not said"}
    rows = [
        [one.webhook_id, one.url, states[one.active], "\n".join(one.bound)]
        for one in standing.webhooks
    ]
    return stack(
        table(
            f"Halo's webhooks for {standing.connection}", ["id", "sends to", "state", "bound"], rows
        ),
        plain(_told(standing)),
    )


def _lost(known: Bound, seen: Sequence[Seen]) -> list[str]:
    """What was told by an event that is bound no more, or whose webhook is switched off."""
    told = {number for one in seen if one.active is not False for number in one.events}
    entities = {event.entity for event in known.events if event.number in told}
    return [one for one in WANTED if one not in known.missing and one not in entities]


def _told(standing: _WebhookStatus) -> str:
    if standing.lost:
        return (
            f"No event tells of these any more, as Halo shows it now: {', '.join(standing.lost)}. "
            f"Put it right with: syncline halo webhooks install {standing.connection}"
        )
    if all(one.active is None for one in standing.webhooks) and not standing.polled:
        return "Every kind of change is bound to an event. Halo does not say whether it is active."
    return _polled(standing.polled)


def _polled(missing: list[str]) -> str:
    if not missing:
        return "Every kind of change is told by an event."
    return f"No event tells of these, so they are polled for: {', '.join(missing)}."


def _sentence(gone: _RemovedWebhooks) -> str:
    if not gone.removed:
        return f"Halo has no webhook for {gone.connection}."
    verb = "would be removed" if gone.dry_run else "removed"
    return f"Webhook {', '.join(gone.removed)} {verb}, with all that it is bound to."
