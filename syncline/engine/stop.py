"""Stopping a connection whose settings or credentials are wrong, until a person changes them."""

from __future__ import annotations

from syncline.calls.context import Line
from syncline.errors import Refused
from syncline.ledger import connections


def stop_connection(line: Line, error: Refused) -> None:
    """Say why in the ledger, for `status`."""
    line.worker.ledger.run_patiently(
        lambda connection: connections.stop(connection, line.link, str(error)),
        sleep=line.worker.sleep,
    )
