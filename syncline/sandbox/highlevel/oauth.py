"""OAuth of the emulated HighLevel: installing an app, codes, tokens that rotate, location tokens.

Sources: the published OAuth schema; HighLevel's changelog for what a refresh token gives that is
used again. No list of the refusals' texts is published: here they are in the common shape.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from syncline.sandbox.config import SandboxConfig, Token
from syncline.sandbox.highlevel.account import Access, Account, Code, Refresh, UserType
from syncline.sandbox.highlevel.checks import (
    RefusedCallError,
    check_scope,
    check_version,
    invalid,
    refuse,
    whole,
)
from syncline.sandbox.location.forms import stamp
from syncline.sandbox.location.store import Document
from syncline.sandbox.wire.service import Reply, Request

_GRANTS = ("authorization_code", "refresh_token", "client_credentials")
_LOOPBACK = ("127.0.0.1", "localhost")
_USER = "Vq3bX8mKe0RtYcW2LnZa"
_PLAN = "66a0419a0dffa47fb5f8b22f"
_CODE_LIVES = timedelta(minutes=10)


@dataclass(slots=True)
class OAuth:
    """The marketplace app's installs in the one agency with its one location.

    Attributes:
        now: the clock, aware UTC.
        account: holds what was granted.
    """

    config: SandboxConfig
    now: Callable[[], datetime]
    account: Account

    @property
    def installed_at(self) -> datetime | None:
        """Since when the app is installed; None while it is not."""
        return self.account.installed_at

    def access(self, value: str) -> Access | None:
        """The access token of this value, expired or not."""
        return self.account.access.get(value)

    def choose_location(self, query: Mapping[str, str]) -> Reply:
        """The page on which a person installs the app; here the person agrees at once.

        `deny=1` is a person who does not. A wrong app, address or scope is a page and no redirect.
        """
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != self.config.oauth_client_id:
            return _page("No app has this client_id.")
        if not self._may_redirect(redirect):
            return _page("This redirect_uri is not registered for the app.")
        if query.get("response_type") != "code":
            return _page("response_type must be code.")
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("deny"):
            return _redirect(redirect, {"error": "access_denied", **state})
        scopes = tuple(query.get("scope", "").split()) or self.config.oauth_scopes
        unknown = sorted(set(scopes).difference(self.config.oauth_scopes))
        if unknown:
            return _page(f"The app may not ask for: {' '.join(unknown)}")
        code = self._chance(20)
        self.account.codes[code] = Code(scopes, redirect, self.now() + _CODE_LIVES)
        self.account.installed_at = self.now()
        return _redirect(redirect, {"code": code, **state})

    def handle(self, request: Request, trace_id: str) -> Reply:
        """Answer one call below `/oauth/`.

        Raises:
            RefusedCallError: it is refused.
        """
        match request.method, request.path.strip("/"):
            case "POST", "oauth/token":
                return self._token(_form(request), trace_id)
            case "POST", "oauth/locationToken":
                return self._location_token(request, trace_id)
            case "GET", "oauth/installedLocations":
                return self._installed_locations(request, trace_id)
            case "POST", "oauth/reconnect":
                raise refuse(400, "API endpoint has been removed", "Bad Request")
            case _:
                raise refuse(404, f"Cannot {request.method} {request.path}", "Not Found")

    def expire(self) -> int:
        """Let every access token run out now; returns how many were good."""
        now, good = self.now(), 0
        for value, access in self.account.access.items():
            good += access.expires_at > now
            self.account.access[value] = replace(access, expires_at=min(access.expires_at, now))
        return good

    def revoke(self) -> int:
        """Let every refresh token be dead; returns how many there were. Access tokens live on."""
        count = len(self.account.refresh)
        self.account.refresh.clear()
        return count

    def uninstall(self) -> None:
        """Take the app away: no token of it is good any more."""
        self.account.installed_at = None
        self.account.codes.clear()
        self.account.access.clear()
        self.account.refresh.clear()

    def issued(self) -> list[str]:
        """Every code and token that may still be known to somebody, alive or not."""
        answers = [one.answer for one in self.account.refresh.values() if one.answer is not None]
        again = [answer["refresh_token"] for answer in answers]
        return [*self.account.codes, *self.account.access, *self.account.refresh, *again]

    def refreshes(self) -> dict[str, int]:
        """How often each refresh token was used, refusals left out."""
        return {value: one.uses for value, one in self.account.refresh.items() if one.uses}

    def _may_redirect(self, redirect: str) -> bool:
        known = self.config.oauth_redirects
        if redirect in known:
            return True
        try:
            parts = urlsplit(redirect)
            port = parts.port
        except ValueError:
            return False
        without_port = urlunsplit(parts._replace(netloc=parts.hostname or ""))
        return parts.hostname in _LOOPBACK and port is not None and without_port in known

    def _token(self, form: Mapping[str, str], trace_id: str) -> Reply:
        grant = form.get("grant_type", "")
        _refuse_broken(_broken_token(form, grant), trace_id)
        given = (form["client_id"], form["client_secret"])
        if given != (self.config.oauth_client_id, self.config.oauth_client_secret):
            raise refuse(401, "Invalid client credentials", "Unauthorized")
        if grant == "authorization_code":
            return Reply(200, self._exchange(form))
        if grant == "refresh_token":
            return Reply(200, self._rotate(form["refresh_token"]))
        raise refuse(400, "This app may not use client_credentials", "Bad Request")

    def _exchange(self, form: Mapping[str, str]) -> Document:
        code = self.account.codes.pop(form["code"], None)
        if code is None or code.expires_at <= self.now():
            raise refuse(400, "Invalid authorization code", "Bad Request")
        if form.get("redirect_uri", code.redirect) != code.redirect:
            raise refuse(400, "redirect_uri does not match", "Bad Request")
        user_type: UserType = "Company" if form.get("user_type") == "Company" else "Location"
        return self._grant(code.scopes, user_type)

    def _rotate(self, value: str) -> Document:
        """Exchange a refresh token; one that was used just now gives the same answer again."""
        known, now = self.account.refresh.get(value), self.now()
        if known is None:
            raise refuse(400, "Invalid refresh token", "Bad Request")
        if known.answer is None or known.used_at is None:
            known.used_at, known.answer = now, self._grant(known.scopes, known.user_type)
        elif (now - known.used_at).total_seconds() > self.config.oauth_reuse_seconds:
            raise refuse(400, "This refresh token has been used already", "Bad Request")
        known.uses += 1
        return known.answer

    def _grant(self, scopes: tuple[str, ...], user_type: UserType) -> Document:
        location = self.config.location if user_type == "Location" else ""
        refresh = self._jwt({"authClass": user_type, "nonce": self._chance(16)})
        self.account.refresh[refresh] = Refresh(scopes, user_type)
        whose: Document = {"locationId": location} if location else {
            "approvedLocations": [self.config.location],
            "installToFutureLocations": False,
        }  # fmt: skip
        return {
            **self._issue(scopes, user_type, location),
            "refresh_token": refresh,
            "userType": user_type,
            **whose,
            "companyId": self.config.company_id,
            "userId": _USER,
            "planId": _PLAN,
            "isBulkInstallation": user_type == "Company",
        }

    def _issue(self, scopes: tuple[str, ...], user_type: UserType, location: str) -> Document:
        """A new access token, as every answer tells it."""
        seconds = self.config.oauth_seconds
        expires_at = self.now() + timedelta(seconds=seconds)
        owner = location or self.config.company_id
        value = self._jwt(
            {
                "authClass": user_type,
                "authClassId": owner,
                "exp": int(expires_at.timestamp()),
                "nonce": self._chance(16),
            }
        )
        token = Token(value=value, location=location, scopes=scopes)
        self.account.access[value] = Access(token, user_type, expires_at)
        return {
            "access_token": value,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": " ".join(scopes),
        }

    def _chance(self, size: int) -> str:
        return self.account.secrets.randbytes(size).hex()

    def _jwt(self, claims: Document) -> str:
        """A text in the form of a JWT, signed by chance: nobody but the issuer checks it."""
        header = {"alg": "RS256", "typ": "JWT"}
        parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
        texts = [urlsafe_b64encode(part) for part in (*parts, self.account.secrets.randbytes(32))]
        return ".".join(text.decode().rstrip("=") for text in texts)

    def _location_token(self, request: Request, trace_id: str) -> Reply:
        access = self._company(request, "oauth.write")
        form = _form(request)
        _refuse_broken(_missing(form, "companyId", "locationId"), trace_id)
        if form["companyId"] != self.config.company_id:
            raise refuse(403, "The token does not have access to this company.")
        if form["locationId"] != self.config.location:
            raise refuse(400, f"Location not found for id: {form['locationId']}", "Bad Request")
        scopes = tuple(one for one in access.token.scopes if not one.startswith("oauth."))
        app = {"appId": self.config.app_id, "versionId": self.config.app_id}
        whose = {"locationId": self.config.location, "planId": _PLAN, "userId": _USER}
        return Reply(200, {**self._issue(scopes, "Location", self.config.location), **whose, **app})

    def _installed_locations(self, request: Request, trace_id: str) -> Reply:
        self._company(request, "oauth.readonly")
        query = request.query
        broken = _missing(query, "companyId", "appId")
        skip = whole(query, "skip", 0, 0, broken)
        limit = whole(query, "limit", 20, 1, broken)
        _refuse_broken(broken, trace_id)
        if (query["companyId"], query["appId"]) != (self.config.company_id, self.config.app_id):
            raise refuse(403, "The token does not have access to this company.")
        found = self._locations(query)
        return Reply(
            200,
            {
                "locations": found[skip : skip + limit],
                "count": len(found),
                "installToFutureLocations": False,
            },
        )

    def _locations(self, query: Mapping[str, str]) -> list[Document]:
        location = self.config.location
        installed = self.installed_at is not None
        shown: Document = {
            "_id": location,
            "name": "Blue Heron Supply",
            "address": "12 Main Street, Austin, TX",
            "isInstalled": installed,
            "versionId": self.config.app_id,
        }
        if self.installed_at is not None:
            shown["installedAt"] = stamp(self.installed_at)
        fits = (
            query.get("isInstalled", str(installed).lower()) == str(installed).lower()
            and query.get("locationId", location) == location
            and query.get("query", "").lower() in shown["name"].lower()
        )
        return [shown] if fits else []

    def _company(self, request: Request, scope: str) -> Access:
        """The agency's token that a call carries; a location's or a private one does not do."""
        value = request.headers.get("authorization", "").partition(" ")[2]
        access = self.access(value)
        if access is None and any(token.value == value for token in self.config.tokens):
            raise _wrong_class()
        check_alive(access, self.now())
        check_version(request)
        if access is None or access.user_type != "Company":
            raise _wrong_class()
        check_scope(access.token, scope)
        return access


def check_alive(access: Access | None, now: datetime) -> None:
    """Ask for an access token that is known and has not run out.

    Raises:
        RefusedCallError: 401.
    """
    if access is None:
        raise refuse(401, "Invalid JWT")
    if access.expires_at <= now:
        raise refuse(401, "Invalid token: access token is invalid", "Unauthorized")


def _wrong_class() -> RefusedCallError:
    return refuse(401, "This authClass type is not allowed to access this scope.")


def _broken_token(form: Mapping[str, str], grant: str) -> list[str]:
    broken = _missing(form, "client_id", "client_secret")
    if grant not in _GRANTS:
        broken.append(f"grant_type must be one of the following values: {', '.join(_GRANTS)}")
    elif grant != "client_credentials":
        broken += _missing(form, "code" if grant == "authorization_code" else grant)
    if form.get("user_type", "Location") not in ("Location", "Company"):
        broken.append("user_type must be one of the following values: Company, Location")
    return broken


def _missing(given: Mapping[str, str], *names: str) -> list[str]:
    return [f"{name} should not be empty" for name in names if not given.get(name)]


def _refuse_broken(messages: list[str], trace_id: str) -> None:
    if messages:
        raise invalid(messages, trace_id)


def _form(request: Request) -> dict[str, str]:
    """The fields of a form; a body of another kind has none, as the server would see it."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _redirect(to: str, parameters: Mapping[str, str]) -> Reply:
    joint = "&" if "?" in to else "?"
    return Reply(302, "", {"location": f"{to}{joint}{urlencode(parameters)}"})


def _page(text: str) -> Reply:
    return Reply(400, f"This app cannot be installed. {text}\n")
