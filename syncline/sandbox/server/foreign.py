"""Answers not of the API: of a firewall, a gateway, a proxy, or of a line that damages them.

Source: what users of both APIs report in public: pages in the place of the API's errors, redirects
to a log-in, an empty 403, and JSON that is cut, wrapped twice or called HTML; what the manuals of
gateways say of their own errors.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from syncline.sandbox.wire.faults import Rule
from syncline.sandbox.wire.service import Reply, Request

SERVER = "edge-shield"
"""What calls itself the server of these answers."""

LOGIN = "https://sso.example.com/login"

_TITLES = {
    200: "Sign in",
    403: "Just a moment...",
    404: "Page not found",
    502: "Bad gateway",
    503: "Down for maintenance",
}
_WANTS_A_KEY = "Access denied due to invalid subscription key. Provide a valid key."
_HTML = "text/html; charset=utf-8"
_JSON = "application/json; charset=utf-8"
_REPLACING = frozenset({"html", "redirect", "forbidden", "gateway"})
"""These never show anything of the API's own answer."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def hides_limits(kind: str | None) -> bool:
    """Whether an answer comes from somebody who knows nothing of the API's limits."""
    return kind in _REPLACING


def reaches_the_api(rule: Rule, request: Request) -> bool:
    """Whether the call gets through, so that its effect is made."""
    return rule.effect or (rule.kind not in _REPLACING and request.method == "GET")


def foreign(rule: Rule, own: Reply | None) -> Reply:
    """The answer in place of the API's own.

    Args:
        rule: which one.
        own: what the API answered, None where the call did not reach it.
    """
    match rule.kind:
        case "html":
            title = _TITLES.get(rule.status, "Request blocked")
            return Reply(rule.status, _page(title), {"content-type": _HTML, "server": SERVER})
        case "redirect":
            return Reply(302, "", {"location": LOGIN, "server": SERVER, "content-type": _HTML})
        case "forbidden":
            return Reply(403, "", {"server": SERVER, "content-type": "text/plain"})
        case "gateway":
            return _of_a_gateway(rule)
        case _:
            return _damaged(rule.kind, own or Reply(200, []))


def _page(title: str) -> str:
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body></body></html>"


def _of_a_gateway(rule: Rule) -> Reply:
    """An error of a gateway's own; one with a success tells of trouble all the same."""
    status, headers = rule.status, {"server": SERVER}
    is_well = status < HTTPStatus.BAD_REQUEST
    phrase = "Endpoint request timed out" if is_well else HTTPStatus(status).phrase
    body: Any = {"message": phrase}
    match rule.says:
        case "key":
            body = {"statusCode": status, "message": _WANTS_A_KEY}
        case "error":
            body = {"error": phrase}
        case "status":
            body = {"timestamp": 1767225600000, "path": "/", "status": status, "error": phrase}
        case "problem":
            body = {"type": "about:blank", "title": phrase, "status": status, "detail": phrase}
            headers["content-type"] = "application/problem+json"
        case "mark":
            body = {"statusCode": status, "message": phrase, "Message": phrase}
            headers["x-amzn-errortype"] = "AccessDeniedException"
        case "phrase":
            body = phrase
        case "page_as_json":
            body, headers["content-type"] = _page(phrase), _JSON
        case "oauth":
            body = {"error": "temporarily_unavailable"}
    return Reply(status, body, headers)


def _damaged(kind: str, own: Reply) -> Reply:
    """The API's own answer as it arrives over a line that is at fault."""
    body = _encoder.encode(own.body).decode()
    match kind:
        case "truncated":
            body, content_type = body[: max(1, len(body) // 2)], _JSON
        case "double_encoded":
            body, content_type = _encoder.encode(body).decode(), _JSON
        case "wrong_type":
            content_type = _HTML
        case _:
            content_type = _JSON
    return Reply(own.status, body, {**own.headers, "content-type": content_type})
