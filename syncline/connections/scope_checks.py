"""Whether what both sides have granted to a connection is what its mapping needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.credentials.oauth_grants import read_grant
from syncline.credentials.scopes import (
    COMPANY_SCOPES,
    WIDE,
    Need,
    asked,
    compare,
    halo_needs,
    highlevel_needs,
)
from syncline.errors import BadCredentials, MissingScope, SynclineError
from syncline.halo.auth import Token
from syncline.highlevel.providers import list_providers

_PROVIDERS = (
    "; `syncline provider list NAME` alone uses payments/integration.readonly, and "
    "`syncline provider register NAME` payments/integration.write."
)


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
        if not scopes:
            return CheckResult(
                "HighLevel: scopes",
                works=True,
                needed=True,
                found="HighLevel did not say which it granted; what was read above may be read",
                remedy="",
            )
        if link.company_id is not None:
            scopes -= COMPANY_SCOPES
        return _judged(
            "HighLevel: scopes",
            needs,
            scopes,
            missing=f"Give them to the app, then: syncline connect highlevel {link.name}",
            unneeded=f"Take what is not needed from the app on HighLevel's marketplace{_PROVIDERS}",
        )
    # A private token does not say what it may do. Reading was tried above; writing is not tried.
    unseen = [need for need in needs if need.scopes[0].endswith(".write")]
    seen, unasked = {scope for need in needs if need not in unseen for scope in need.scopes}, ""
    try:
        api.read(
            "check providers",
            lambda permit: list_providers(line.highlevel, permit, limit=1, offset=0),
        )
    except (BadCredentials, MissingScope):
        extra = frozenset[str]()
    except SynclineError as error:
        extra, unasked = (
            frozenset[str](),
            f"; not asked whether it may more than that: {error.what}",
        )
    else:
        extra = frozenset({"payments/integration.readonly"})
    finding = _judged(
        "HighLevel: scopes",
        [need for need in needs if need not in unseen],
        seen | extra,
        missing="",
        unneeded=f"Take what is not needed from the private integration{_PROVIDERS}",
    )
    hidden = "; ".join(f"{need.scopes[0]} ({need.reason})" for need in unseen)
    more = f"; not visible with a private token, and needed: {hidden}" if hidden else ""
    return replace(finding, found=f"{finding.found}{more}{unasked}")


def halo_scopes(line: Line, granted: Sequence[Token]) -> CheckResult:
    """What Halo's token may do and need not; where Halo does not say, what was asked for."""
    said = granted[0].scope if granted else ""
    scopes = (said or line.link.scope).split()
    needs = halo_needs(line.document)
    return _judged(
        "Halo: scopes" if said else "Halo: scopes, as asked for",
        needs,
        scopes,
        missing="Grant the API application in Halo what it lacks, and ask for that.",
        unneeded=_enough(needs)
        if WIDE & set(scopes)
        else "Take what is not needed from the API application in Halo.",
    )


def _enough(needs: Sequence[Need]) -> str:
    """What would do in place of a scope that is wide, with what only some commands need."""
    more = [
        f"Also {need.scopes[0]} for {need.reason}, if you use them."
        for need in needs
        if need.if_used
    ]
    enough = f"These would do: {' '.join(asked(needs))}."
    return " ".join([enough, *more, "Grant the API application in Halo no more."])


def _judged(
    what: str, needs: Sequence[Need], granted: Collection[str], *, missing: str, unneeded: str
) -> CheckResult:
    """The comparison in words; what is granted for nothing works, and is said all the same."""
    compared = compare(needs, granted)
    parts = [
        f"{label}: {_in_words(found)}"
        for label, found in (("missing", compared.missing), ("would help", compared.wished))
        if found
    ]
    if compared.unneeded:
        parts.append(f"granted and not needed: {', '.join(compared.unneeded)}")
    found = "; ".join(parts) or "exactly what is needed"
    if compared.spared:
        found += f"; not granted, and for some commands alone: {_in_words(compared.spared)}"
    lacks = bool(compared.missing or compared.wished)
    remedies = [missing if lacks else "", unneeded if compared.unneeded else ""]
    return CheckResult(
        what,
        works=not compared.missing,
        needed=True,
        found=found,
        remedy=" ".join(filter(None, remedies)),
    )


def _in_words(needs: Sequence[Need]) -> str:
    return ", ".join(f"{need.scopes[0]} ({need.reason})" for need in needs)
