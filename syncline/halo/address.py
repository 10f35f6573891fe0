"""The address of a Halo tenant, out of the many that people know of it."""

from __future__ import annotations

import re
from typing import Final

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//(?=[^/\s])", re.IGNORECASE)
_PATH = re.compile(r"[/?#\\]")
_END = re.compile(r"[/\s.]+\Z")
_PORT_OF: Final = {"https://": ":443", "http://": ":80"}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::\d{{1,5}})?", re.IGNORECASE)

_HOSTED: Final = ("halopsa.com", "haloitsm.com", "haloservicedesk.com", "halocrm.io")
"""Where Halo itself runs tenants, each under a name of its own and at no path."""

_PARTS: Final = frozenset(
    {
        *("api", "apidoc", "auth", "swagger", "portal", "agent", "login", "logout", "account"),
        *("home", "dashboard", "dashboards", "ticket", "tickets", "customer", "customers"),
        *("client", "clients", "users", "sales", "salesorder", "salesorders", "quotes"),
        *("invoice", "invoices", "report", "reports", "config", "kb", "asset", "assets"),
        *("calendar", "projects", "opportunities", "timesheets", "services"),
    }
)
"""Where a tenant's address ends: what stands there is one of its parts, or of its screens."""


def tenant_address(text: str) -> str:
    """The address of a tenant out of any of one of its pages; once cut, it stays as it is.

    What leads to a page is cut off: from the first part of a tenant on, every query, and on a host
    of Halo's own the whole path. An address without a scheme is taken to be encrypted, if its host
    has a dot.
    """
    address = text
    while (cut := _cut(address)) != address:
        address = cut
    return address


def _cut(text: str) -> str:
    """An address cut once: what was hidden behind the end of it may be another end."""
    typed = text.strip()
    found = _SCHEME.match(typed)
    scheme = "" if found is None else found[0].lower()
    rest = typed[len(scheme) :]
    host, path = _divided(rest)
    if scheme == "//" or (not scheme and "." in host.strip(".")):
        scheme = "https://"
    if not scheme:
        return _END.sub("", rest)
    host = host.lower().removesuffix(_PORT_OF.get(scheme, " ")).rstrip(". ")
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        host = f"{name.rstrip('.')}:{port}"
    return _END.sub("", "/".join([f"{scheme}{host}", *_kept(host, path)]))


def is_of_a_tenant(address: str) -> bool:
    """Whether a cut address can be a tenant's: its host is one, and is not Halo's own website."""
    host, _ = _divided(address.partition("://")[2])
    return bool(_HOST.fullmatch(host)) and host.removeprefix("www.") not in _HOSTED


def _divided(text: str) -> tuple[str, str]:
    """The host, and whatever stands behind it."""
    ends = _PATH.search(text)
    return (text, "") if ends is None else (text[: ends.start()], text[ends.start() :])


def _kept(host: str, path: str) -> list[str]:
    """The segments of a path that belong to a tenant's address."""
    if any(host.partition(":")[0].endswith(f".{one}") for one in _HOSTED):
        return []
    kept: list[str] = []
    for segment in re.split(r"[?#]", path, maxsplit=1)[0].split("/")[1:]:
        if segment.strip(" .").lower() in _PARTS:
            break
        kept.append(segment)
    return kept
