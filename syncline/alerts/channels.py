"""Other channels: messages of alerts leave by e-mail, chat or pager, through apprise.

A channel cannot be asked what came. So a message goes at least once: one whose outcome is unknown
goes again, and its text carries the alert's number by which it is known.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.alerts import messages as alert_messages
from syncline.alerts.messages import Message
from syncline.calls.context import WorkerContext
from syncline.credentials.stored import ALERT_URLS, secret
from syncline.engine.failures import backoff
from syncline.ledger.connections import Link

MOST = 20
"""Messages of one round: each may take seconds."""

BACKOFF = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(hours=1)

_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


def names(worker: WorkerContext, connection: Connection, link: Link) -> list[str]:
    """The names of a connection's channels: their scheme and number, never their address."""
    return list(_addresses(worker, connection, link))


def notify(worker: WorkerContext, link: Link) -> float | None:
    """Send the messages of a connection whose time has come.

    Returns:
        Seconds after which there may be more to send, or None when nothing is due.
    """

    def work(connection: Connection) -> tuple[list[Message], dict[str, SecretStr]]:
        taken = alert_messages.take(connection, link.id, MOST)
        return taken, _addresses(worker, connection, link) if taken else {}

    messages, addresses = worker.ledger.run(work)
    for message in messages:
        wrong = _send(addresses.get(message.channel), message)
        _note(worker, message, wrong)
    return 0.05 if len(messages) == MOST else None


def _note(worker: WorkerContext, message: Message, wrong: str | None) -> None:
    def work(connection: Connection) -> None:
        if wrong is None:
            alert_messages.sent(connection, message)
        else:
            after = backoff(message.attempts - 1, BACKOFF, LONGEST_BACKOFF)
            alert_messages.not_sent(connection, message, after=after, why=wrong)

    worker.ledger.run_patiently(work, sleep=worker.sleep)


def _addresses(worker: WorkerContext, connection: Connection, link: Link) -> dict[str, SecretStr]:
    """The channels by name: those of the connection, else those of the installation."""
    own = secret(connection, worker.sealer, link.own_place, ALERT_URLS)
    given = own or worker.settings.alert_urls
    if given is None:
        return {}
    return {
        f"{url.split('://', 1)[0].lower()} {number}": SecretStr(url)
        for number, url in enumerate(given.get_secret_value().split(), start=1)
    }


def _send(address: SecretStr | None, message: Message) -> str | None:
    """Send one message; returns what went wrong, without the address."""
    if address is None:
        return "this channel is not among the addresses any more"
    try:
        channel = _channel(address)
        if channel is None:
            return "its address is not understood; see docs/alerts.md"
        done = channel.notify(
            title=message.title, body=message.body, notify_type=_TYPES[message.severity]
        )
    except Exception as error:  # noqa: BLE001 - plug-ins of other people, each with its own errors
        return f"it failed with {type(error).__name__}"
    return None if done else "it did not take the message"


def _channel(address: SecretStr) -> Any:
    """The channel at an address; None where it is none."""
    import apprise  # noqa: PLC0415 - large, and only processes that tell an alert need it

    # What it logs may hold addresses, which are secrets; the outcome stands in the ledger.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    channel = apprise.Apprise()
    return channel if channel.add(address.get_secret_value()) else None
