"""Tokens of the emulated Halo: discovery, client credentials, what a scope permits.

Source: the facts known of Halo's clients; the bodies of 401 and 403 are undocumented, so the usual
ones of its platform stand here.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs

from syncline.sandbox.halo.tenant.store import Token
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.wire.service import Reply, Request

PREFIX = "/halo"
"""Where the shell mounts the tenant."""

TENANT = "sandbox"
"""The name of the tenant; a token may be asked for without naming it."""

_AREAS = (
    "tickets", "calendar", "customers", "crm", "timesheets", "contracts", "suppliers", "items",
    "projects", "sales", "quotes", "sos", "pos", "invoices", "reporting", "software",
    "softwarelicensing", "kb", "assets",
)  # fmt: skip
KNOWN_SCOPES = frozenset(
    ["all", "all:standard", "admin", "admin:webhooks", "editMine:timesheets", "access:chat"]
    + [f"{verb}:{area}" for verb in ("read", "edit") for area in _AREAS]
)


def discovery(request: Request) -> Reply:
    """Where the tokens come from; needs no token."""
    host = request.headers.get("host", "localhost")
    return Reply(200, {"auth_url": f"http://{host}{PREFIX}/auth", "tenant_id": TENANT})


def issue(tenant: Tenant, request: Request) -> Reply:
    """A token for client credentials; the tenant may be named in the query, the form, or not."""
    form = {
        key: values[0] for key, values in parse_qs(request.body.decode(errors="replace")).items()
    }
    config = tenant.config
    if form.get("grant_type") != "client_credentials":
        return Reply(400, {"error": "unsupported_grant_type"})
    named = request.query.get("tenant") or form.get("tenant") or TENANT
    given = (form.get("client_id"), form.get("client_secret"), named)
    if given != (config.halo_client_id, config.halo_client_secret, TENANT):
        return Reply(400, {"error": "invalid_client"})
    asked = form.get("scope", "all").split()
    if not asked or not KNOWN_SCOPES.issuperset(asked):
        return Reply(400, {"error": "invalid_scope"})
    scopes = _granted(frozenset(config.halo_scopes.split()), frozenset(asked))
    value = tenant.store.secrets.randbytes(32).hex()
    lifetime = config.halo_token_seconds
    tenant.store.tokens[value] = Token(scopes, tenant.now() + timedelta(seconds=lifetime))
    body = {"access_token": value, "token_type": "Bearer", "expires_in": lifetime}
    return Reply(200, body | {"scope": " ".join(sorted(scopes))})


def _granted(held: frozenset[str], asked: frozenset[str]) -> frozenset[str]:
    """What a token may do: what was asked for, as far as the application was granted it."""
    if "all" in held:
        return asked
    if "all" in asked:
        return held
    given = {scope for scope in asked if scope in held or _within(scope, held)}
    if "all:standard" in asked:
        given |= {scope for scope in held if scope == "all:standard" or ":" in scope}
        given -= {"read:reporting", "edit:reporting"} - asked
    return frozenset(given)


def _within(scope: str, held: frozenset[str]) -> bool:
    verb, _, area = scope.partition(":")
    return area in _AREAS and _covers(held, area, verb)


def permit(tenant: Tenant, request: Request, areas: frozenset[str], *, verb: str) -> None:
    """Let a call pass that carries a living token whose scopes cover one of the areas.

    Raises:
        RefusalError: 401 for the token, 403 for its scopes.
    """
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    token = tenant.store.tokens.get(value) if kind.lower() == "bearer" else None
    if token is None or token.expires_at <= tenant.now():
        raise RefusalError(401, {"Message": "Authorization has been denied for this request."})
    if areas and not any(_covers(token.scopes, area, verb) for area in areas):
        raise RefusalError(403, {"Message": "You do not have permission to perform this action."})


def _covers(scopes: frozenset[str], area: str, verb: str) -> bool:
    if "all" in scopes or ("all:standard" in scopes and area not in ("reporting", "admin")):
        return True
    return (
        area in scopes or f"edit:{area}" in scopes or (verb == "read" and f"read:{area}" in scopes)
    )
