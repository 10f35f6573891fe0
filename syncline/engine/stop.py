"""Stopping a connection whose settings or credentials are wrong, until a person changes them."""

from __future__ import annotations

from syncline.calls.context import Line, Parts
from syncline.errors import Refused
from syncline.ledger import connections


def stop_connection(parts: Parts, line: Line, error: Refused) -> None:
    """Say why in the ledger, for `status`."""
    parts.ledger.run_patiently(
        lambda connection: connections.stop(connection, line.link, str(error)), sleep=parts.sleep
    )
