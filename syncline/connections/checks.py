"""What `syncline connection check` asks both sides, one question a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.connections.questions import ConnectionCheck, Questions
from syncline.connections.scope_checks import CheckResult, halo_scopes, highlevel_scopes
from syncline.credentials import stored
from syncline.errors import (
    Again,
    Refused,
    SynclineError,
)
from syncline.halo.address import tenant_address
from syncline.halo.auth import Token, TokenEndpoint
from syncline.halo.entities.currencies import currency_ids, currency_rates
from syncline.halo.entities.resources import (
    CLIENT,
    CONSIGNMENT,
    CURRENCY,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
    AnyResource,
)
from syncline.halo.entities.rows import count_rows, list_legible, next_page, read_row, walk_of
from syncline.halo.models import CurrencyRow
from syncline.halo.sql.reports import run_sql
from syncline.highlevel.records import RECORDS, Records, Span, list_records
from syncline.mapping.document import Document
from syncline.operations import HALO_DISCOVERY, HALO_TOKEN
from syncline.transport import Counted, Permit, Transport

_CLIENTS = "select top 1 Aarea as id from AREA"


@dataclass(frozen=True, slots=True)
class Inspected:
    """All findings, and the first error that keeps the connection from working.

    Attributes:
        waits: why some questions could not be asked, which is no finding about the connection.
    """

    findings: tuple[CheckResult, ...]
    error: SynclineError | None
    waits: Again | None = None


def inspect(
    line: Line,
    *,
    probe: Callable[[ApiCalls], CheckResult] | None,
    tell: Callable[[str], None],
) -> Inspected:
    """Ask both sides whatever the connection needs; nothing is changed there but by `probe`.

    A side that fails for everybody is asked all the same: somebody wants to know.

    Args:
        line: the connection.
        probe: writes to Halo and takes it away again, if that is wanted.
        tell: hears what is asked next, since a side that is silent takes a minute.
    """
    granted: list[Token] = []
    highlevel = Questions(line, line.highlevel_key, line.highlevel.sign_in, tell)
    halo = Questions(line, line.halo_key, line.halo.sign_in, tell)
    with closing(Transport(connections=1)) as transport:
        endpoint = _token_endpoint(line, transport)
        highlevel.ask_all(_of_highlevel(line))
        if highlevel.is_well:
            highlevel.findings.append(highlevel_scopes(line, highlevel.api))
        halo.ask_all(_of_halo(line, endpoint, granted))
        if halo.is_well:
            halo.findings.append(halo_scopes(line, granted))
    findings = [*highlevel.findings, *halo.findings]
    errors = [error for side in (highlevel, halo) for error in side.all_errors]
    waits = highlevel.waits or halo.waits
    if probe is not None and not errors and waits is None:
        tell("a test order in Halo")
        findings.append(probe(halo.api))
    return Inspected(tuple(findings), errors[0] if errors else None, waits)


def _of_highlevel(line: Line) -> Iterator[ConnectionCheck]:
    """A token first, where it is one that is renewed; then what is read with it."""
    if line.link.auth == "oauth":
        yield ConnectionCheck(
            "HighLevel: a token",
            line.highlevel.sign_in,
            lambda _: "there is one that is good",
            is_token=True,
        )
    yield from _lists_of_highlevel(line)


def _lists_of_highlevel(line: Line) -> Iterator[ConnectionCheck]:
    for kind, records in RECORDS.items():

        def make(permit: Permit, records: Records[Any, Any] = records) -> Any:
            return list_records(line.highlevel, permit, records, Span(1))

        yield ConnectionCheck(
            f"HighLevel: reading {kind}s",
            _one_call(f"check {kind}s", make),
            lambda page: _many_in(line, page.total_count),
        )


def _many_in(line: Line, many: int | None) -> str:
    told = "may be read" if many is None else str(many)
    return f"{told} in location {line.link.location_id}"


def _one_call(operation: str, make: Callable[[Permit], Any]) -> Callable[[Counted], Any]:
    return lambda counted: counted(operation, make)


def _of_halo(
    line: Line, endpoint: TokenEndpoint, granted: list[Token]
) -> Iterator[ConnectionCheck]:
    def fetch(counted: Counted) -> Token:
        address = counted(HALO_DISCOVERY, endpoint.discover)
        granted.append(counted(HALO_TOKEN, partial(endpoint.fetch, address)))
        return granted[-1]

    yield ConnectionCheck(
        "Halo: a token",
        fetch,
        lambda token: f"valid until {token.expires_at:%Y-%m-%d %H:%M} UTC",
        is_token=True,
    )
    yield ConnectionCheck(
        "Halo: currencies",
        _one_call("GET /Currency", lambda permit: list_legible(line.halo, permit, CURRENCY)),
        lambda rows: _remember_currencies(line, rows),
    )
    yield ConnectionCheck(
        "Halo: customers",
        _one_call(
            "GET /Client", lambda permit: next_page(line.halo, permit, CLIENT, walk_of(CLIENT))
        ),
        lambda rows: f"{len(rows)} on the first page",
    )
    for what, resource in _lists(line.document):
        yield ConnectionCheck(
            f"Halo: {what}",
            _one_call(
                f"GET {resource.path}",
                partial(count_rows, line.halo, resource=resource),
            ),
            lambda seen: f"{seen} there" if seen else "may be read",
        )
    default = line.document.customers.default_client
    if default is not None:
        yield ConnectionCheck(
            "Halo: the default client",
            _one_call(
                "GET /Client/id", lambda permit: read_row(line.halo, permit, CLIENT, default)
            ),
            lambda row: f"{row.id} exists",
        )
    yield ConnectionCheck(
        "Halo: SQL through reports",
        _one_call("POST /Report", lambda permit: run_sql(line.halo, permit, _CLIENTS)),
        lambda _: _reports_run(line),
        needed=False,
    )


def _lists(document: Document) -> list[tuple[str, AnyResource]]:
    """What the mapping writes or reads beside customers."""
    wanted: list[tuple[str, AnyResource]] = [("sales orders", ORDER)]
    if document.fulfillments.into == "highlevel":
        wanted.append(("consignments", CONSIGNMENT))
    if document.payments.into == "invoice":
        wanted += [("invoices", INVOICE), ("payments", PAYMENT)]
    if document.subscriptions.into == "recurring-invoice":
        wanted.append(("recurring invoices", RECURRING))
    return wanted


def _reports_run(line: Line) -> str:
    halo_queries.let_reports_be_asked(line)
    return "many rows are found in one call"


def _token_endpoint(line: Line, transport: Transport) -> TokenEndpoint:
    """Asks for a token of its own: the one that is kept may have come from an older secret."""
    link = line.link
    secret = line.worker.ledger.run(
        lambda connection: stored.secret(
            connection, line.worker.sealer, link.tenant_place, "client_secret"
        )
    )
    if secret is None:
        raise Refused(
            f"Connection {link.name!r} has no client secret.",
            remedy=f"Store it with: syncline credentials set {link.name} client-secret",
        )
    return TokenEndpoint(
        transport,
        base_url=tenant_address(link.halo_url),
        tenant=link.tenant_key,
        client_id=link.client_id,
        client_secret=secret,
        scope=link.scope,
        now=line.worker.now,
    )


def _remember_currencies(line: Line, rows: Sequence[CurrencyRow]) -> str:
    found, rates = currency_ids(rows), currency_rates(rows)
    capabilities.teach(
        line,
        lambda known: known.with_currencies(
            found, rates=rates, found_at=line.worker.now(), how="connection check"
        ),
    )
    return ", ".join(sorted(found)) or "none with an ISO code"
