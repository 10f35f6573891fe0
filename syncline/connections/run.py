"""Connections added, started, stopped and given another mapping, each as an audited decision."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import WorkerContext
from syncline.credentials.stored import keep, secret
from syncline.engine.connection_rules import begin
from syncline.errors import Refused
from syncline.ledger import connections, effects, new_connections
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.ledger.new_connections import NewConnection

NOTICED_AFTER_S = 6.0
"""After so many seconds every worker has seen that a connection changed."""


def until_noticed(worker: WorkerContext) -> None:
    """Wait until every worker has seen that a connection changed."""
    worker.patience.rest("Until all workers have noticed", NOTICED_AFTER_S, worker.sleep)


def add(
    worker: WorkerContext,
    new: NewConnection,
    secrets: Mapping[str, SecretStr],
    *,
    waits_for: str | None,
    dry_run: bool,
) -> None:
    """Add a connection with its secrets.

    Args:
        worker: what the process works with.
        new: the connection.
        secrets: its secrets by their purpose: `private_token`, `client_secret`.
        waits_for: what must be done before it works; it is then added stopped. None: nothing.
        dry_run: check everything, and add nothing.

    Raises:
        Refused: it is there already, or another connection knows another secret of a side.
    """

    def work(database: Connection) -> None:
        with database.begin_nested() as attempt:
            link = new_connections.add(database, new)
            if waits_for is not None:
                connections.stop(database, link, waits_for)
            for purpose, value in secrets.items():
                place = link.location_place if purpose == "private_token" else link.tenant_place
                _no_other(secret(database, worker.sealer, place, purpose), value, purpose)
                keep(database, worker.sealer, place, purpose, value)
            after = {
                "location": link.location_id,
                "halo": link.halo_url,
                "mode": link.mode,
                "start_from": link.start_from,
                "waits": waits_for,
                "secrets": sorted(secrets),
            }
            _decided(database, worker, link, "connection add", after=after)
            if dry_run:
                attempt.rollback()

    worker.ledger.run(work)


def start(
    worker: WorkerContext, name: str, *, dry_run: bool, without_adoption: bool = False
) -> Link:
    """Let a connection go on that was stopped, or rehearses; returns it as it was before.

    Raises:
        Refused: it waits for its adoption, and nobody says that Halo holds nothing of it.
    """

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if link.awaits_adoption and not without_adoption:
            raise Refused(
                f"{name} waits for its adoption: Halo may hold its orders already, and started now "
                "it would create them a second time.",
                remedy=f"Take them over with `syncline adopt {name}`. If Halo holds none of them: "
                f"syncline connection start {name} --without-adoption",
            )
        if not dry_run and link.state != "active":
            begin(database, link)
            _moved(database, worker, link, "connection start", "active")
        return link

    return worker.ledger.run(work)


def rehearse(worker: WorkerContext, name: str, *, dry_run: bool) -> Link:
    """Let a connection read and not write, from when this returns; returns it as it was before."""

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if not dry_run and link.state != "rehearsing":
            connections.rehearse(database, link)
            _moved(database, worker, link, "connection rehearse", "rehearsing")
        return link

    before = worker.ledger.run(work)
    if before.state == "active" and not dry_run:
        until_noticed(worker)
    return before


def stop(worker: WorkerContext, name: str, *, dry_run: bool) -> Link:
    """Stop a connection, whose workers have noticed when this returns; returns it as before."""

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if link.reads and not dry_run:
            connections.stop(database, link, connections.by_hand(name))
            _moved(database, worker, link, "connection stop", "stopped")
        return link

    before = worker.ledger.run(work)
    if before.reads and not dry_run:
        until_noticed(worker)
    return before


def set_mapping(worker: WorkerContext, name: str, document: str) -> None:
    """Let a connection follow another mapping document, which was checked before."""

    def work(database: Connection) -> None:
        link = connections.by_name(database, name)
        replace_mapping(database, link.id, document)
        before, after = {"mapping": link.mapping}, {"mapping": document}
        _decided(database, worker, link, "connection set-mapping", before=before, after=after)

    worker.ledger.run(work)


def replace_mapping(connection: Connection, connection_id: int, document: str) -> None:
    """Let a connection follow another document; workers read it within seconds."""
    connection.execute(
        text("update connection set mapping = :document where id = :id"),
        {"id": connection_id, "document": document},
    )


def _moved(database: Connection, worker: WorkerContext, link: Link, what: str, state: str) -> None:
    before = {"state": link.state, "note": link.note}
    _decided(database, worker, link, what, before=before, after={"state": state})


def _decided(
    database: Connection,
    worker: WorkerContext,
    link: Link,
    what: str,
    *,
    after: Mapping[str, object],
    before: Mapping[str, object] | None = None,
) -> None:
    effects.decided(
        database,
        link.id,
        what=what,
        subject=link.name,
        by=actor(worker.settings),
        before=before,
        after=after,
    )


def _no_other(known: SecretStr | None, given: SecretStr, purpose: str) -> None:
    """A secret that other connections work with is not replaced in passing."""
    if known is not None and known.get_secret_value() != given.get_secret_value():
        raise Refused(
            f"Another connection uses this side already, with another {purpose.replace('_', ' ')}.",
            remedy="Give the same one; to replace it: syncline credentials set NAME "
            f"{purpose.replace('_', '-')}",
        )
