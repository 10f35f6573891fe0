"""What `syncline connection check` asks both sides, one question a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpcore

from syncline.errors import (
    BadCredentials,
    NotSent,
    RateLimited,
    Refused,
    SynclineError,
    Unreachable,
    WrongPlace,
)
from syncline.halo import invoices, orders, payments, recurring
from syncline.halo.answers import listing
from syncline.halo.auth import TokenDesk
from syncline.halo.currencies import currency_ids, currency_rates, list_currencies
from syncline.halo.customers import client_walk, get_client, list_clients_page
from syncline.halo.models import CurrencyRow
from syncline.halo.reports import run_sql
from syncline.highlevel.orders import list_orders
from syncline.highlevel.subscriptions import list_subscriptions
from syncline.highlevel.transactions import list_transactions
from syncline.mapping.document import Document
from syncline.quota.keys import Lane
from syncline.steps import abilities, tokens
from syncline.steps.gate import Gate
from syncline.steps.parts import Line, Parts
from syncline.transport import Permit, Transport

_CLIENTS = "select top 1 Aarea as id from AREA"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    Attributes:
        needed: whether the connection cannot work without it.
        found: what is there, or what went wrong.
        remedy: what to do where it does not work.
    """

    what: str
    works: bool
    needed: bool
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """All findings, and the first error that keeps the connection from working."""

    findings: tuple[Finding, ...]
    error: SynclineError | None


@dataclass(frozen=True, slots=True)
class Question:
    """One call and what its answer means.

    Attributes:
        what: what works if it is answered.
        operation: the call in words, as the ledger keeps it.
        make: makes the call.
        describe: says what the answer shows.
        needed: whether the connection cannot work without it.
    """

    what: str
    operation: str
    make: Callable[[Permit], Any]
    describe: Callable[[Any], str]
    needed: bool = True


def inspect(parts: Parts, line: Line, *, probe: Callable[[Gate], Finding] | None) -> Inspected:
    """Ask both sides whatever the connection needs; nothing is changed there but by `probe`."""
    findings: list[Finding] = []
    errors: list[SynclineError] = []
    who = (line.link.id, line.link.name)
    highlevel = Gate(parts, who, line.highlevel_key, Lane.UPKEEP)
    halo = Gate(parts, who, line.halo_key, Lane.UPKEEP)
    with closing(Transport(connections=1)) as transport:
        desk = _token_desk(parts, line, transport)
        for gate, questions in ((highlevel, _highlevel(line)), (halo, _halo(parts, line, desk))):
            for finding, error in _asked(gate, questions):
                findings.append(finding)
                if error is not None and finding.needed:
                    errors.append(error)
    if probe is not None and not errors:
        findings.append(probe(halo))
    return Inspected(tuple(findings), errors[0] if errors else None)


def _asked(
    gate: Gate, questions: Iterator[Question]
) -> Iterator[tuple[Finding, SynclineError | None]]:
    """Each question in turn, until an error that all the others would meet as well."""
    for question in questions:
        try:
            answer = gate.read(question.operation, question.make)
        except SynclineError as raised:
            error = _explained(raised)
            works, found, remedy = False, error.what, error.remedy
            yield Finding(question.what, works, question.needed, found, remedy), error
            if isinstance(error, (BadCredentials, WrongPlace, Unreachable, RateLimited)):
                return
            if type(error) is Refused:
                return
        else:
            described = question.describe(answer)
            yield Finding(question.what, True, question.needed, described, ""), None


def _explained(error: SynclineError) -> SynclineError:
    """A host that never answered will not answer by itself: a person must look at its address."""
    no_connection = (httpcore.NetworkError, httpcore.TimeoutException)
    if isinstance(error, NotSent) and isinstance(error.__cause__, no_connection):
        return Unreachable(
            error.what,
            remedy="Check the address in `syncline connection list`, and the way there.",
            call_id=error.call_id,
        )
    return error


def _highlevel(line: Line) -> Iterator[Question]:
    for kind, listed in (
        ("orders", list_orders),
        ("transactions", list_transactions),
        ("subscriptions", list_subscriptions),
    ):

        def make(permit: Permit, read: Callable[..., Any] = listed) -> Any:
            return read(line.highlevel, permit, limit=1, offset=0)

        yield Question(
            f"HighLevel: reading {kind}",
            f"check {kind}",
            make,
            lambda page: f"{page.total_count} in location {line.link.location_id}",
        )


def _halo(parts: Parts, line: Line, desk: TokenDesk) -> Iterator[Question]:
    yield Question(
        "Halo: a token",
        "check token",
        desk.fetch,
        lambda token: f"valid until {token.expires_at:%Y-%m-%d %H:%M} UTC",
    )
    yield Question(
        "Halo: currencies",
        "GET /Currency",
        lambda permit: list_currencies(line.halo, permit),
        lambda rows: _remember_currencies(parts, line, rows),
    )
    yield Question(
        "Halo: customers",
        "GET /Client",
        lambda permit: list_clients_page(line.halo, permit, client_walk()),
        lambda rows: f"{len(rows)} on the first page",
    )
    for what, path in _lists(line.document):
        yield Question(
            f"Halo: {what}",
            f"GET {path}",
            partial(_first_page, line, path),
            lambda seen: f"{seen} there" if seen else "may be read",
        )
    default = line.document.customers.default_client
    if default is not None:
        yield Question(
            "Halo: the default client",
            f"GET /Client/{default}",
            lambda permit: get_client(line.halo, permit, default),
            lambda row: f"{row.id} exists",
        )
    yield Question(
        "Halo: SQL through reports",
        "POST /Report",
        lambda permit: run_sql(line.halo, permit, _CLIENTS),
        lambda _: "works: many rows are found in one call",
        needed=False,
    )


def _lists(document: Document) -> list[tuple[str, str]]:
    """What the mapping writes beside customers, and where it stands."""
    wanted = [("sales orders", orders.PATH)]
    if document.payments.into == "invoice":
        wanted += [("invoices", invoices.PATH), ("payments", payments.PATH)]
    if document.subscriptions.into == "recurring-invoice":
        wanted.append(("recurring invoices", recurring.PATH))
    return wanted


def _first_page(line: Line, path: str, permit: Permit) -> int | None:
    """How many rows a list has, where Halo tells it."""
    params = {"pageinate": "true", "page_size": "1", "page_no": "1"}
    return listing(line.halo.get(path, params, permit).document).record_count


def _token_desk(parts: Parts, line: Line, transport: Transport) -> TokenDesk:
    """Asks for a token of its own: the one that is kept may have come from an older secret."""
    link = line.link
    secret = parts.ledger.run(
        lambda connection: tokens.secret(
            connection, parts.sealer, link.tenant_place, "client_secret"
        )
    )
    if secret is None:
        raise Refused(
            f"Connection {link.name!r} has no client secret.",
            remedy=f"Store it with: syncline connection set-secret {link.name}",
        )
    return TokenDesk(
        transport,
        base_url=link.halo_url.rstrip("/").removesuffix("/api"),
        tenant=link.tenant_key,
        client_id=link.client_id,
        client_secret=secret,
        scope=link.scope,
        now=parts.now,
    )


def _remember_currencies(parts: Parts, line: Line, rows: Sequence[CurrencyRow]) -> str:
    found, rates = currency_ids(rows), currency_rates(rows)
    abilities.teach(
        parts,
        line,
        lambda known: known.with_currencies(
            found, rates=rates, found_at=parts.now(), how="connection check"
        ),
    )
    return ", ".join(sorted(found)) or "none with an ISO code"
