"""The calls that get a token, by the names that call rows, quota and clients have for them."""

from __future__ import annotations

HALO_DISCOVERY = "GET /authinfo"
HALO_TOKEN = "POST /token"  # noqa: S105 - the name of a call
HIGHLEVEL_TOKEN = "POST /oauth/token"  # noqa: S105 - the name of a call
LOCATION_TOKEN = "POST /oauth/locationToken"  # noqa: S105 - the name of a call

TOKENS = frozenset({HALO_DISCOVERY, HALO_TOKEN, HIGHLEVEL_TOKEN, LOCATION_TOKEN})
"""Without one of these answered, nothing else can be asked."""
