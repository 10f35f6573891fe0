"""What `syncline connection check` asks both sides, one question a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpcore

from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.connections.scope_checks import CheckResult, halo_scopes, highlevel_scopes
from syncline.credentials import stored
from syncline.errors import (
    BadCredentials,
    Doubtful,
    MissingScope,
    NotSent,
    RateLimited,
    Refused,
    SynclineError,
    Unreachable,
    WrongPlace,
)
from syncline.halo.address import tenant_address
from syncline.halo.answers import listing
from syncline.halo.auth import Token, TokenEndpoint
from syncline.halo.entities.currencies import currency_ids, currency_rates
from syncline.halo.entities.resources import (
    CLIENT,
    CURRENCY,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
)
from syncline.halo.entities.rows import list_rows, next_page, read_row, walk_of
from syncline.halo.models import CurrencyRow
from syncline.halo.sql.reports import run_sql
from syncline.highlevel.records import RECORDS, Records, Span, list_records
from syncline.mapping.document import Document
from syncline.queues import Lane
from syncline.transport import Permit, Transport

_CLIENTS = "select top 1 Aarea as id from AREA"


@dataclass(frozen=True, slots=True)
class Inspected:
    """All findings, and the first error that keeps the connection from working."""

    findings: tuple[CheckResult, ...]
    error: SynclineError | None


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
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


def inspect(
    line: Line,
    *,
    probe: Callable[[ApiCalls], CheckResult] | None,
    tell: Callable[[str], None],
) -> Inspected:
    """Ask both sides whatever the connection needs; nothing is changed there but by `probe`.

    Args:
        line: the connection.
        probe: writes to Halo and takes it away again, if that is wanted.
        tell: hears what is asked next, since a side that is silent takes a minute.
    """
    findings: list[CheckResult] = []
    errors: list[SynclineError] = []
    who = (line.link.id, line.link.name)
    highlevel = ApiCalls(line.worker, who, line.highlevel_key, Lane.UPKEEP)
    halo = ApiCalls(line.worker, who, line.halo_key, Lane.UPKEEP)
    granted: list[Token] = []
    with closing(Transport(connections=1)) as transport:
        endpoint = _token_endpoint(line, transport)
        for answered, scopes in (
            (
                _highlevel(line, highlevel, tell),
                partial(highlevel_scopes, line, highlevel),
            ),
            (
                _asked(halo, _halo(line, endpoint, granted), tell),
                partial(halo_scopes, line, granted),
            ),
        ):
            wrong = False
            for finding, error in answered:
                findings.append(finding)
                if error is not None and finding.needed:
                    wrong = True
                    errors.append(error)
            if not wrong:
                findings.append(scopes())
                errors += _refusals(findings[-1])
    if probe is not None and not errors:
        tell("a test order in Halo")
        findings.append(probe(halo))
    return Inspected(tuple(findings), errors[0] if errors else None)


def _asked(
    api: ApiCalls, questions: Iterator[ConnectionCheck], tell: Callable[[str], None]
) -> Iterator[tuple[CheckResult, SynclineError | None]]:
    """Each question in turn, until an error that all the others would meet as well."""
    for question in questions:
        tell(question.what)
        try:
            answer = api.read(question.operation, question.make)
        except SynclineError as raised:
            error = _explained(raised)
            works, found, remedy = False, error.what, error.remedy
            yield CheckResult(question.what, works, question.needed, found, remedy), error
            shut = isinstance(error, (BadCredentials, WrongPlace, Unreachable, RateLimited))
            if shut or type(error) is Refused or _is_silence(error):
                return
        else:
            described = question.describe(answer)
            yield CheckResult(question.what, True, question.needed, described, ""), None


def _is_silence(error: SynclineError) -> bool:
    """No answer came within the time that a call has; it would not come to the next one either."""
    return isinstance(error, (Doubtful, NotSent)) or isinstance(error.__cause__, Doubtful)


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


def _refusals(finding: CheckResult) -> list[SynclineError]:
    """The error that a missing scope will be once what it is for comes up."""
    return [] if finding.works else [MissingScope(finding.found, remedy=finding.remedy)]


def _highlevel(
    line: Line, api: ApiCalls, tell: Callable[[str], None]
) -> Iterator[tuple[CheckResult, SynclineError | None]]:
    """A token first, where it is one that is renewed; then what is read with it."""
    try:
        line.highlevel.sign_in(api.read)
    except SynclineError as raised:
        error = _explained(raised)
        found, remedy = error.what, error.remedy
        yield (
            CheckResult("HighLevel: a token", works=False, needed=True, found=found, remedy=remedy),
            error,
        )
        return
    yield from _asked(api, _lists_of_highlevel(line), tell)


def _lists_of_highlevel(line: Line) -> Iterator[ConnectionCheck]:
    for kind, records in RECORDS.items():

        def make(permit: Permit, records: Records[Any, Any] = records) -> Any:
            return list_records(line.highlevel, permit, records, Span(1))

        yield ConnectionCheck(
            f"HighLevel: reading {kind}s",
            f"check {kind}s",
            make,
            lambda page: f"{page.total_count} in location {line.link.location_id}",
        )


def _halo(line: Line, endpoint: TokenEndpoint, granted: list[Token]) -> Iterator[ConnectionCheck]:
    def fetch(permit: Permit) -> Token:
        granted.append(endpoint.fetch(permit))
        return granted[-1]

    yield ConnectionCheck(
        "Halo: a token",
        "check token",
        fetch,
        lambda token: f"valid until {token.expires_at:%Y-%m-%d %H:%M} UTC",
    )
    yield ConnectionCheck(
        "Halo: currencies",
        "GET /Currency",
        lambda permit: list_rows(line.halo, permit, CURRENCY),
        lambda rows: _remember_currencies(line, rows),
    )
    yield ConnectionCheck(
        "Halo: customers",
        "GET /Client",
        lambda permit: next_page(line.halo, permit, CLIENT, walk_of(CLIENT)),
        lambda rows: f"{len(rows)} on the first page",
    )
    for what, path in _lists(line.document):
        yield ConnectionCheck(
            f"Halo: {what}",
            f"GET {path}",
            partial(_first_page, line, path),
            lambda seen: f"{seen} there" if seen else "may be read",
        )
    default = line.document.customers.default_client
    if default is not None:
        yield ConnectionCheck(
            "Halo: the default client",
            f"GET /Client/{default}",
            lambda permit: read_row(line.halo, permit, CLIENT, default),
            lambda row: f"{row.id} exists",
        )
    yield ConnectionCheck(
        "Halo: SQL through reports",
        "POST /Report",
        lambda permit: run_sql(line.halo, permit, _CLIENTS),
        lambda _: _reports_run(line),
        needed=False,
    )


def _lists(document: Document) -> list[tuple[str, str]]:
    """What the mapping writes beside customers, and where it stands."""
    wanted = [("sales orders", ORDER.path)]
    if document.payments.into == "invoice":
        wanted += [("invoices", INVOICE.path), ("payments", PAYMENT.path)]
    if document.subscriptions.into == "recurring-invoice":
        wanted.append(("recurring invoices", RECURRING.path))
    return wanted


def _first_page(line: Line, path: str, permit: Permit) -> int | None:
    """How many rows a list has, where Halo tells it."""
    params = {"pageinate": "true", "page_size": "1", "page_no": "1"}
    return listing(line.halo.get(path, params, permit).document).record_count


def _reports_run(line: Line) -> str:
    halo_queries.let_reports_be_asked(line)
    return "works: many rows are found in one call"


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
