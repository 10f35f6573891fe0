"""`syncline provider`: white-label payment providers of a HighLevel location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import caused
from syncline.calls.calls import ApiCalls, Outcome, Planned, highlevel_calls
from syncline.calls.changes import change
from syncline.calls.context import Line
from syncline.connections.set_up import UNKNOWN
from syncline.errors import Again, Doubtful, Refused, SynclineError
from syncline.highlevel.providers import (
    PATH,
    IntegrationProvider,
    NewProvider,
    create_provider,
    creation,
    list_providers,
)
from syncline.ledger import effects
from syncline.queues import Lane
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, group, plain, say, show, table
from syncline.transport import Permit

app = group("provider", "Look at white-label payment providers in HighLevel, and register one.")

PAGE = 100
"""Providers to ask for at once; no maximum is documented."""

_CAUSE = "provider register"

Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")]


class Kind(StrEnum):
    """What a provider is built on."""

    AUTHORIZE_NET = "authorize-net"
    NMI = "nmi"


@dataclass(frozen=True, slots=True)
class _ShownProvider:
    id: str
    name: str | None
    title: str | None
    provider: str | None
    description: str | None
    image_url: str | None
    created_at: datetime | None


@app.command("list")
def list_registered(context: typer.Context, *, connection: Name, as_json: AsJson = False) -> None:
    """List the providers that are registered in a connection's location.

    Example: syncline provider list acme
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        found = [_shown(one) for one in _registered(line, highlevel_calls(line, Lane.UPKEEP))]
    show(as_json, {"providers": found}, lambda: _render(line, found))


@app.command("register")
def register(
    context: typer.Context,
    *,
    connection: Name,
    name: Annotated[
        str, typer.Option(help="Its unique name: lower-case letters, and hyphens in between.")
    ],
    title: Annotated[str, typer.Option(help="Its name for people.")],
    provider: Annotated[Kind, typer.Option(help="What it is built on.")],
    description: Annotated[str, typer.Option(help="A few words about it.")],
    image_url: Annotated[
        str, typer.Option(help="Its picture: an https address that everybody can open.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request, and send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is registered.")] = False,
) -> None:
    """Register a provider in HighLevel; one that is there already is not registered again.

    HighLevel has no operation that changes or removes a provider.

    Example: syncline provider register acme --name easy-direct --title "Easy Direct" --provider nmi
    --description "Cards" --image-url https://example.com/logo.png --dry-run
    """
    wanted = _wanted(
        unique_name=name,
        title=title,
        provider=provider.value,
        description=description,
        image_url=image_url,
    )
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        if dry_run:
            _print_request(line, wanted)
            return
        api = highlevel_calls(line, Lane.UPKEEP)
        known = _registered(line, api)
        standing = _of_name(known, wanted)
        if standing is not None:
            _refuse_another(standing, wanted)
            say(f"{name} is registered already, as {standing.id}. Nothing was sent.")
            return
        if not yes:
            _confirm(line, wanted)
        made = _Registration(line, api, wanted, known).made()
    say(f"Registered {wanted.unique_name} as {made.id} in location {line.link.location_id}.")


class _Registration:
    """One provider on its way into HighLevel, at most once, whatever becomes of the call."""

    def __init__(
        self,
        line: Line,
        api: ApiCalls,
        wanted: NewProvider,
        known: Sequence[IntegrationProvider],
    ) -> None:
        self._worker = line.worker
        self._line = line
        self._api = api
        self._wanted = wanted
        self._known = {one.id for one in known}

    def made(self) -> IntegrationProvider:
        """Register it, and say what HighLevel made of it.

        Raises:
            SynclineError: it was not registered, or nobody knows.
        """
        outcome = self._sent()
        if outcome.error is None:
            made: IntegrationProvider = outcome.result  # type: ignore[assignment]  # as sent
            return made
        if not isinstance(outcome.error, Doubtful):
            raise outcome.error
        return self._looked_up(outcome, outcome.error)

    def _sent(self) -> Outcome:
        return change(
            self._worker,
            self._api,
            Planned(f"POST {PATH}", elements=1),
            lambda permit: create_provider(self._line.highlevel, permit, self._wanted),
            self._note,
        )

    def _looked_up(self, outcome: Outcome, doubt: Doubtful) -> IntegrationProvider:
        """What became of it: looked for at once, and once more when it must have landed."""
        settle = self._line.link.settle(self._worker.settings.settle)
        made = self._found(doubt)
        if made is None:
            self._worker.patience.rest(UNKNOWN, settle.total_seconds(), self._worker.sleep)
            made = self._found(doubt)
        if made is None:
            raise Again(
                f"{self._wanted.unique_name} was not registered: it is not in HighLevel's list. "
                f"{doubt.what}"
            )
        found = made
        self._worker.ledger.run_patiently(
            lambda connection: self._note(connection, found, outcome.call_id),
            sleep=self._worker.sleep,
        )
        return made

    def _found(self, doubt: Doubtful) -> IntegrationProvider | None:
        try:
            now = _registered(self._line, self._api)
        except SynclineError as error:
            raise Doubtful(
                f"Whether {self._wanted.unique_name} was registered is unknown: {doubt.what} "
                f"Then the list could not be read: {error.what}",
                remedy=f"See `syncline provider list {self._line.link.name}` before it is "
                "registered again.",
            ) from error
        named = _of_name(now, self._wanted)
        if named is not None:
            return named
        # The name's way into `route` is seen in no document, so what is new and alike counts too.
        alike = (
            one for one in now if one.id not in self._known and not _differing(one, self._wanted)
        )
        return next(alike, None)

    def _note(self, connection: Connection, made: IntegrationProvider, call_id: UUID) -> None:
        effects.note(
            connection,
            self._line.link.id,
            flow="provider",
            effect="create",
            target="provider",
            target_id=made.id,
            reference=self._wanted.unique_name,
            call_id=call_id,
            cause=caused(_CAUSE, self._worker.settings),
        )


def _registered(line: Line, api: ApiCalls) -> list[IntegrationProvider]:
    """All of them: no total is given, so pages are read until one brings nothing new."""
    found: dict[str, IntegrationProvider] = {}
    while True:
        page = api.read(f"GET {PATH}", partial(_page, line, offset=len(found)))
        fresh = {one.id: one for one in page if one.id not in found}
        if not fresh:
            return list(found.values())
        found |= fresh


def _page(line: Line, permit: Permit, *, offset: int) -> list[IntegrationProvider]:
    return list_providers(line.highlevel, permit, limit=PAGE, offset=offset)


def _wanted(**fields: Any) -> NewProvider:
    try:
        return NewProvider(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = str(first["loc"][0])
        option = "--name" if field == "unique_name" else f"--{field.replace('_', '-')}"
        why = first["msg"].removeprefix("Value error, ")
        raise Refused(
            f"{option} will not do: {why}.", remedy=f"Correct {option}; nothing was sent."
        ) from None


def _of_name(
    providers: Sequence[IntegrationProvider], wanted: NewProvider
) -> IntegrationProvider | None:
    return next((one for one in providers if one.route == wanted.unique_name), None)


def _differing(standing: IntegrationProvider, wanted: NewProvider) -> list[str]:
    names = ("title", "provider", "description", "image_url")
    return [name for name in names if getattr(standing, name) != getattr(wanted, name)]


def _refuse_another(standing: IntegrationProvider, wanted: NewProvider) -> None:
    differing = [name.replace("_", " ") for name in _differing(standing, wanted)]
    if differing:
        raise Refused(
            f"{wanted.unique_name} is registered already, as {standing.id}, with another "
            f"{' and another '.join(differing)}.",
            remedy="Choose another --name: HighLevel has no operation that changes a provider.",
        )


def _print_request(line: Line, wanted: NewProvider) -> None:
    request = creation(line.highlevel, wanted)
    typer.echo(f"{request.method} {request.url}")
    for name, value in {**request.headers, "authorization": "Bearer (the token)"}.items():
        typer.echo(f"{name}: {value}")
    typer.echo(f"\n{(request.content or b'').decode()}\n")
    say("Nothing was sent.")


def _confirm(line: Line, wanted: NewProvider) -> None:
    place = f"location {line.link.location_id} of {line.link.name}"
    question = f"Register {wanted.unique_name} in {place}? It cannot be changed or removed by us."
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        raise Refused(
            "Nobody said yes, so nothing was registered.", remedy="Answer y, or give --yes."
        ) from None
    if not agreed:
        say("Nothing was registered.")
        raise typer.Exit(WRONG_DATA)


def _shown(one: IntegrationProvider) -> _ShownProvider:
    return _ShownProvider(
        id=one.id,
        name=one.route,
        title=one.title,
        provider=one.provider,
        description=one.description,
        image_url=one.image_url,
        created_at=one.created_at,
    )


def _render(line: Line, found: list[_ShownProvider]) -> RenderableType:
    if not found:
        return plain(f"No provider is registered in location {line.link.location_id}.")
    columns = ["id", "name", "title", "built on", "description", "picture", "created"]
    rows = [list(asdict(one).values()) for one in found]
    return table(f"providers of {line.link.name}", columns, rows)
