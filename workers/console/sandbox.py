"""`syncline sandbox`: lets the emulated HighLevel send events to a receiver."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from syncline.errors import Again, Refused, UnknownName, Unreachable
from syncline.sandbox.highlevel.events.writer import TYPES
from syncline.sandbox.keeping.journal import StateError, check, discard
from syncline.settings import Settings
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, group, say, show, table
from workers import processes
from workers.embedded import data_folder, ports

app = group("sandbox", "Let the emulated HighLevel of `syncline up --sandbox` send events.")

PATH = "/webhooks/highlevel"
"""Where a receiver takes HighLevel's events."""

_PATIENCE_SECONDS = 120.0

Sandbox = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The sandbox; by default that of `syncline up --sandbox`."),
]


def port_file(settings: Settings) -> Path:
    """Where the port of `syncline up`'s sandbox is remembered."""
    return settings.data / "sandbox.port"


def state_of_sandbox(settings: Settings, *, afresh: bool) -> Path:
    """Where `syncline up`'s sandbox keeps what it holds; can be taken up when this returns.

    Args:
        settings: name the folder.
        afresh: forget what it held.

    Raises:
        Refused: it is of another version, broken or in use.
    """
    state = settings.data / "sandbox.state"
    emulated_before = port_file(settings).exists()
    try:
        if afresh:
            discard(state)
        check(state)
    except StateError as error:
        raise Refused(
            str(error),
            remedy="`syncline up --fresh-sandbox` begins the emulation afresh; what was delivered "
            "to the old one is then missing in it.",
        ) from error
    if emulated_before and not state.exists():
        say(
            "The sandbox begins afresh: what was delivered to an earlier one is missing in it. "
            f"For a start from nothing: SYNCLINE_DATA={settings.data}-2 syncline up --sandbox"
        )
    return state


@app.command("events")
def list_events(*, as_json: AsJson = False) -> None:
    """List every type of event that HighLevel's documents describe.

    Example: syncline sandbox events
    """
    show(
        as_json,
        {"types": list(TYPES)},
        lambda: table("Events of HighLevel", ["type"], [[kind] for kind in TYPES]),
    )


@app.command("send")
def send(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="One of `sandbox events`.")],
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The receiver; by default that of `syncline up`."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 1,
    location: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The events' location; by default the sandbox's own."),
    ] = None,
    sandbox: Sandbox = None,
    as_json: AsJson = False,
) -> None:
    """Send signed events of a type to a receiver, one attempt each; 1 if any is not taken.

    An OrderCreate of the sandbox's own location makes a new order there, an OrderStatusUpdate
    changes one; all other events are about nothing that is stored.

    Example: syncline sandbox send OrderCreate --count 3
    """
    _known(kind)
    settings = command_context(context).settings()
    form = {
        "type": kind,
        "to": to or _own_receiver(settings),
        "count": count,
        "location": location,
    }
    answer = _ask(sandbox or _own_sandbox(settings), form)
    sent: list[dict[str, Any]] = [{**one, "taken": _is_taken(one)} for one in answer["sent"]]
    document = {"url": answer["url"], "sent": sent}
    rows = [
        [one["type"], one["webhook_id"], one["status"] or one["error"], f"{one['seconds']:.3f}"]
        for one in sent
    ]
    columns = ["type", "webhook id", "answer", "seconds#"]
    show(as_json, document, lambda: table(f"Sent to {answer['url']}", columns, rows))
    if not all(one["taken"] for one in sent):
        raise typer.Exit(WRONG_DATA)


def _known(kind: str) -> None:
    if kind in TYPES:
        return
    by_lower = {name.lower(): name for name in TYPES}
    close = [by_lower[name] for name in get_close_matches(kind.lower(), by_lower, n=3)]
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise UnknownName(
        f"HighLevel's documents describe no event {kind!r}.",
        remedy=f"{meant}All of them: syncline sandbox events.",
    )


def _own_receiver(settings: Settings) -> str | None:
    """The receiver of this installation; None leaves it to where the sandbox's events go anyway."""
    port = ports.remembered(processes.port_file(settings))
    return None if port is None else f"http://{ports.LOOPBACK}:{port}{PATH}"


def _own_sandbox(settings: Settings) -> str:
    port = ports.remembered(port_file(settings))
    if port is None:
        raise Refused(
            f"No sandbox was started in {settings.data}. {data_folder.others(settings)}".strip(),
            remedy="Start one with `syncline up --sandbox`, or name one with --sandbox URL.",
        )
    return f"http://{ports.LOOPBACK}:{port}"


def _ask(sandbox: str, form: dict[str, Any]) -> dict[str, Any]:
    url = f"{sandbox.rstrip('/')}/admin/highlevel/send"
    try:
        with httpx.Client(timeout=_PATIENCE_SECONDS, trust_env=False) as client:
            response = client.post(url, json=form)
    except httpx.TimeoutException:
        raise Again(
            f"The sandbox at {sandbox} does not come to an end.",
            remedy="Send fewer events at once, or look at what the receiver does.",
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"No sandbox answers at {sandbox} ({type(error).__name__}).",
            remedy="Start one with `syncline up --sandbox`, or name one with --sandbox URL.",
        ) from None
    if response.status_code != httpx.codes.OK:
        raise Refused(
            f"The sandbox at {sandbox} refused: {_reason(response)}.",
            remedy="Name a receiver with --to URL, and a location that exists with --location.",
        )
    answer: dict[str, Any] = response.json()
    return answer


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"


def _is_taken(one: dict[str, Any]) -> bool:
    return one["status"] is not None and httpx.codes.is_success(one["status"])
