"""Whether what both sides have granted to a connection is what its mapping needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.credentials.oauth_grants import read_grant
from syncline.credentials.scopes import (
    ALL,
    COMPANY_SCOPES,
    Need,
    asked,
    compare,
    halo_needs,
    highlevel_needs,
)
from syncline.errors import SynclineError
from syncline.halo.auth import Token
from syncline.highlevel.providers import list_providers


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The answer to one question.

    Attributes:
        needed: whether the connection cannot work without it.
        found: what is there, or what went wrong.
        remedy: what to do where it does not work.
        checked: whether it could be asked; else nothing is known about it.
    """

    what: str
    works: bool
    needed: bool
    found: str
    remedy: str
    checked: bool = True


def highlevel_scopes(line: Line, api: ApiCalls) -> CheckResult:
    """What HighLevel's token may do and need not, as far as can be seen from here."""
    link = line.link
    needs = highlevel_needs(line.document)
    if link.auth == "oauth":
        grant = line.worker.ledger.run(
            lambda connection: read_grant(connection, line.worker.sealer, link.location_place)
        )
        scopes = grant.scopes if grant is not None else frozenset[str]()
        if link.company_id is not None:
            scopes -= COMPANY_SCOPES
        return _judged(
            "HighLevel: scopes",
            needs,
            scopes,
            missing=f"Give them to the app, then: syncline connect highlevel {link.name}",
            unneeded="Take them from the app on HighLevel's marketplace.",
        )
    # A private token does not say what it may do. Reading was tried above; writing is not tried.
    unseen = [need for need in needs if need.scopes[0].endswith(".write")]
    seen = {scope for need in needs if need not in unseen for scope in need.scopes}
    try:
        api.read(
            "check providers",
            lambda permit: list_providers(line.highlevel, permit, limit=1, offset=0),
        )
    except SynclineError:
        extra = frozenset[str]()
    else:
        extra = frozenset({"payments/integration.readonly"})
    finding = _judged(
        "HighLevel: scopes",
        [need for need in needs if need not in unseen],
        seen | extra,
        missing="",
        unneeded="Take them from the private integration, unless you want to use "
        "`syncline provider register NAME`.",
    )
    hidden = "; ".join(f"{need.scopes[0]} ({need.reason})" for need in unseen)
    more = f"; not visible with a private token, and needed: {hidden}" if hidden else ""
    return replace(finding, found=f"{finding.found}{more}")


def halo_scopes(line: Line, granted: Sequence[Token]) -> CheckResult:
    """What Halo's token may do and need not; where Halo does not say, what was asked for."""
    said = granted[0].scope if granted else ""
    scopes = (said or line.link.scope).split()
    enough = " ".join(asked(halo_needs(line.document)))
    return _judged(
        "Halo: scopes" if said else "Halo: scopes, as asked for",
        halo_needs(line.document),
        scopes,
        missing="Grant them to the API application in Halo, and ask for them.",
        unneeded=f"These would do: {enough}. Grant the API application in Halo no more."
        if ALL & set(scopes)
        else "Take them from the API application in Halo.",
    )


def _judged(
    what: str, needs: Sequence[Need], granted: Collection[str], *, missing: str, unneeded: str
) -> CheckResult:
    """The comparison in words; what is granted for nothing works, and is said all the same."""
    compared = compare(needs, granted)
    parts = [
        f"{label}: " + ", ".join(f"{need.scopes[0]} ({need.reason})" for need in found)
        for label, found in (("missing", compared.missing), ("would help", compared.wished))
        if found
    ]
    if compared.unneeded:
        parts.append(f"granted and not needed: {', '.join(compared.unneeded)}")
    remedies = [missing if compared.missing else "", unneeded if compared.unneeded else ""]
    return CheckResult(
        what,
        works=not compared.missing,
        needed=True,
        found="; ".join(parts) or "exactly what is needed",
        remedy=" ".join(filter(None, remedies)),
    )
