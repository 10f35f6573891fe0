"""A ledger with so many entries in its audit log: half of them changes, half effects, all sealed.

Filled by statements, sealed by the sealer itself. Orders have many versions each, so that a look at
one of them at a moment has something to take back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from syncline.audit.anchor import anchor
from syncline.audit.seal_tick import seal
from syncline.calls.context import WorkerContext
from syncline.ledger import new_connections
from syncline.ledger.connections import Link
from syncline.ledger.new_connections import NewConnection

VERSIONS = 20
"""Of each order; as many effects."""

Progress = Callable[[str], None]


def fill(worker: WorkerContext, entries: int, progress: Progress) -> Link:
    """Make a connection and its log, and seal and anchor it."""
    orders = max(1, entries // (2 * VERSIONS))
    started = time.monotonic()
    link = worker.ledger.run(_connect)
    values = {"orders": orders, "versions": VERSIONS, "place": link.location_place, "id": link.id}
    for statement in (_CHANGES, _RECORDS, _EFFECTS, "analyze"):
        with worker.ledger.engine.begin() as connection:
            connection.execute(text("set local statement_timeout = 0"))
            connection.execute(text(statement), values)
    progress(f"{2 * orders * VERSIONS} entries made in {time.monotonic() - started:.1f} s")
    started, sealed = time.monotonic(), 0
    while sealed < 2 * orders * VERSIONS:
        sealed += seal(worker)
    progress(f"sealed in {time.monotonic() - started:.1f} s")
    anchor(worker)
    with worker.ledger.engine.begin() as connection:
        connection.execute(text("analyze"))
    return link


def _connect(connection: Connection) -> Link:
    return new_connections.add(
        connection,
        NewConnection(
            name="bench",
            location_id="loc1",
            highlevel_url="http://127.0.0.1:1/highlevel",
            highlevel_calls=100,
            highlevel_seconds=10,
            highlevel_daily=200_000,
            halo_url="http://127.0.0.1:1/halo",
            tenant_key=None,
            client_id="client",
            scope="all",
            halo_calls=300,
            halo_seconds=300,
            settle_seconds=None,
            mapping="",
            mode="sandbox",
            start_from=datetime.now(UTC).date(),
        ),
    )


_FORM = (
    """format('{"amount":"%s.00","contact":{"email":"c%s@example.com","id":"c%s"},"""
    """"currency":"USD","id":"o%s","status":"completed"}', v, o, o, o)"""
)
"""An order's canonical form at a version, in the canonical order of its keys."""

# The last days of this month: its partitions are there.
_AT = """
    greatest(date_trunc('month', now()), now() - interval '3 days') + interval '1 second'
    + (least(interval '3 days', now() - date_trunc('month', now())) - interval '1 minute')
      * ((v - 1) * cast(:orders as float) + o) / (cast(:orders as float) * :versions)
"""

_CHANGES = f"""
    insert into change (at, place, kind, foreign_id, version, fields, cause, fingerprint)
    select {_AT}, :place, 'order', 'o' || o, v,
           case v when 1 then '{{}}' else jsonb_build_object(
               'amount', jsonb_build_array((v - 1) || '.00', v || '.00')) end,
           'pull ' || v, sha256(convert_to({_FORM}, 'UTF8'))
    from generate_series(1, :versions) v, generate_series(1, :orders) o
"""  # noqa: S608 - built from constants

_RECORDS = f"""
    insert into record (place, kind, foreign_id, version, canonical, fingerprint)
    select :place, 'order', 'o' || o, v, cast({_FORM} as jsonb),
           sha256(convert_to({_FORM}, 'UTF8'))
    from (values (cast(:versions as int))) as last (v), generate_series(1, :orders) o
"""  # noqa: S608 - built from constants

_EFFECTS = f"""
    insert into audit_entry (at, connection_id, flow, source_id, role, effect, target, target_id,
                             version, call_id, cause, before, after)
    select {_AT}, :id, 'orders', 'o' || o, 'order', case v when 1 then 'create' else 'update' end,
           'order', cast(o as text), v, gen_random_uuid(), 'pull ' || v,
           case when v > 1 then jsonb_build_object('po_number', 'HL-o' || o, 'total', v - 1 || '.0',
               'client_id', '5', 'currency_code', '1', 'note', 'for customer ' || o) end,
           jsonb_build_object('po_number', 'HL-o' || o, 'total', v || '.0', 'client_id', '5',
               'currency_code', '1', 'note', 'for customer ' || o)
    from generate_series(1, :versions) v, generate_series(1, :orders) o
"""  # noqa: S608 - built from constants
