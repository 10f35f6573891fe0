"""The tables of the way of a record: who is connected, what was seen, what is owed, what was done.

`place` says whose record it is: `location:<id>` for HighLevel's, `tenant:<id>` for Halo's and for
customers, who are one per tenant. `record` is partitioned by hash; `change`, `call` and `event` by
month.
Times are the database's. Amounts stand in jsonb as numbers or decimal text, never as floats.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from syncline.deliveries.states import State
from syncline.ledger.tables.base import NOW, Base


class Tenant(Base):
    """One Halo instance."""

    __tablename__ = "tenant"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    base_url: Mapped[str] = mapped_column(unique=True)
    tenant_key: Mapped[str | None]
    client_id: Mapped[str]
    scope: Mapped[str]
    quota_calls: Mapped[int]
    quota_seconds: Mapped[int]
    settle_seconds: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Location(Base):
    """One HighLevel sub-account; those of one trial `account` share a budget of calls."""

    __tablename__ = "location"
    __table_args__ = (CheckConstraint("auth in ('private', 'oauth')", name="auth"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    location_id: Mapped[str] = mapped_column(unique=True)
    base_url: Mapped[str]
    quota_calls: Mapped[int]
    quota_seconds: Mapped[int]
    quota_daily: Mapped[int]
    auth: Mapped[str] = mapped_column(server_default="private")
    company_id: Mapped[str | None]
    account: Mapped[str | None]
    events_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Connection(Base):
    """A location paired with a tenant, with its mapping document and mode."""

    __tablename__ = "connection"
    __table_args__ = (
        UniqueConstraint("location_id", "tenant_id"),
        CheckConstraint("mode in ('sandbox', 'live')", name="mode"),
        CheckConstraint("state in ('active', 'stopped', 'rehearsing')", name="state"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"))
    mapping: Mapped[str]
    mode: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="active")
    note: Mapped[str | None]
    start_from: Mapped[date]
    owed_under: Mapped[str | None]
    owed_live_under: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Credential(Base):
    """One sealed secret of a location or tenant."""

    __tablename__ = "credential"
    owner: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    expires_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sealed_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Session(Base):
    """One worker process that may own rows while its heartbeat is fresh."""

    __tablename__ = "session"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class Cursor(Base):
    """When a reading of a connection is due next."""

    __tablename__ = "cursor"
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    band: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]


class Pull(Base):
    """One reading of a window, with its certificate."""

    __tablename__ = "pull"
    __table_args__ = (
        Index(
            "uq_pull_running",
            "connection_id",
            "kind",
            "first",
            "last",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
        Index("ix_pull_latest", "connection_id", "kind", "id"),
        CheckConstraint(
            "state in ('running', 'certified', 'provisional', 'uncertain')", name="state"
        ),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    kind: Mapped[str]
    first: Mapped[date]
    last: Mapped[date]
    state: Mapped[str] = mapped_column(server_default="running")
    owner: Mapped[UUID | None]
    total: Mapped[int | None]
    seen: Mapped[int] = mapped_column(server_default="0")
    new: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    unreadable: Mapped[int] = mapped_column(server_default="0")
    rereads: Mapped[int] = mapped_column(server_default="0")
    note: Mapped[str | None]
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]


class PullPage(Base):
    """One page of a running pull: what a resumed one need not read again."""

    __tablename__ = "pull_page"
    pull_id: Mapped[int] = mapped_column(
        ForeignKey("pull.id", ondelete="CASCADE"), primary_key=True
    )
    row_offset: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
    ids: Mapped[list[str]]


class Record(Base):
    """One foreign object in its canonical form."""

    __tablename__ = "record"
    __table_args__ = (
        Index(
            "ix_record_entity",
            text("(canonical ->> 'entity_id')"),
            postgresql_where=text("kind = 'transaction'"),
        ),
        Index(
            "ix_record_parcels",
            "place",
            postgresql_where=text(
                "kind = 'order' and canonical ->> 'fulfillment_status' "
                "not in ('unfulfilled', 'fulfilled')"
            ),
        ),
        Index("ix_record_created", "place", "kind", "created_at"),
        {"postgresql_partition_by": "HASH (foreign_id)"},
    )
    place: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    foreign_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    canonical: Mapped[dict[str, Any]]
    fingerprint: Mapped[bytes]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    noticed_at: Mapped[datetime] = mapped_column(server_default=NOW)
    changed_at: Mapped[datetime] = mapped_column(server_default=NOW)
    erased_at: Mapped[datetime | None]


class Facet(Base):
    """One shape in which a record was last seen: list row, detail, event."""

    __tablename__ = "facet"
    place: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    foreign_id: Mapped[str] = mapped_column(primary_key=True)
    facet: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[dict[str, Any]]
    fingerprint: Mapped[bytes]
    updated_at: Mapped[datetime | None]
    read_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Change(Base):
    """A new version of a record: which fields, from what to what, and what showed it.

    `fingerprint` is that of the canonical form after it.
    """

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_record", "foreign_id", "kind"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=NOW)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    place: Mapped[str]
    kind: Mapped[str]
    foreign_id: Mapped[str]
    version: Mapped[int]
    fields: Mapped[dict[str, Any]]
    cause: Mapped[str]
    fingerprint: Mapped[bytes | None]


class Delivery(Base):
    """What the other side must look like against what it confirmed."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("tenant_id", "flow", "source_id", "role", name="uq_delivery_one_target"),
        CheckConstraint(
            "state in ({})".format(", ".join(f"'{state}'" for state in State)), name="state"
        ),
        Index(
            "ix_delivery_due",
            "connection_id",
            "target",
            "state",
            "due_at",
            postgresql_where=text("state in ('due', 'doubtful')"),
        ),
        Index(
            "ix_delivery_owned",
            "owner",
            postgresql_where=text("state in ('leased', 'sending', 'checking')"),
        ),
        Index(
            "ix_delivery_parked",
            "connection_id",
            postgresql_where=text("state = 'parked'"),
        ),
        Index(
            "ix_delivery_waiting",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_delivery_urgent",
            "connection_id",
            "target",
            "due_at",
            postgresql_where=text("urgent and state = 'due'"),
        ),
        Index("ix_delivery_source", "source_id"),
        Index(
            "ix_delivery_row",
            "tenant_id",
            "target",
            "target_id",
            postgresql_where=text("target_id is not null"),
        ),
        Index("ix_delivery_connection", "connection_id", "flow", "state"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"))
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    flow: Mapped[str]
    role: Mapped[str]
    target: Mapped[str]
    place: Mapped[str]
    source_kind: Mapped[str]
    source_id: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="due")
    wanted_version: Mapped[int]
    sent_version: Mapped[int | None]
    delivered_version: Mapped[int | None]
    projection: Mapped[dict[str, Any] | None]
    sent_projection: Mapped[dict[str, Any] | None]
    target_id: Mapped[str | None]
    target_meta: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    array_limit: Mapped[int | None]
    urgent: Mapped[bool] = mapped_column(server_default=text("false"))
    owner: Mapped[UUID | None]
    call_id: Mapped[UUID | None]
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    cause: Mapped[str]
    reason: Mapped[str | None]
    field: Mapped[str | None]


class Wait(Base):
    """An edge: a delivery waits until another one is delivered."""

    __tablename__ = "wait"
    __table_args__ = (Index("ix_wait_on", "tenant_id", "flow", "source_id", "role"),)
    delivery_id: Mapped[int] = mapped_column(
        ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True
    )
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    flow: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Call(Base):
    """One call, written before it is made; what the quota is rebuilt from."""

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_quota", "quota_key", "at"),
        Index("ix_call_id", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=NOW)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    quota_key: Mapped[str]
    connection_id: Mapped[int | None]
    session_id: Mapped[UUID]
    operation: Mapped[str]
    elements: Mapped[int]
    deadline_seconds: Mapped[int]
    sent: Mapped[bool | None]
    answered_at: Mapped[datetime | None]
    status: Mapped[int | None]
    error: Mapped[str | None]


class Ability(Base):
    """What was found out about a tenant or location: what works, when, how."""

    __tablename__ = "ability"
    owner: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    found_at: Mapped[datetime] = mapped_column(server_default=NOW)
    how: Mapped[str]


class AuditEntry(Base):
    """One effect outside or one decision of a person, with what caused it; inserted unsealed."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_source", "source_id"),
        Index("ix_audit_entry_at", "at", "id"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    flow: Mapped[str]
    source_id: Mapped[str]
    role: Mapped[str]
    effect: Mapped[str]
    target: Mapped[str]
    target_id: Mapped[str]
    version: Mapped[int]
    call_id: Mapped[UUID | None]
    cause: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class Event(Base):
    """A webhook as it arrived: raw bytes, committed before it was answered.

    `location_id` is HighLevel's own id, as the body says it; `connection_id` is known where the
    address says it. `kind` and `foreign_id` name the record that it told of.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_new", "id", postgresql_where=text("state = 'new'")),
        Index(
            "ix_event_place",
            "source",
            "location_id",
            "connection_id",
            "id",
            postgresql_where=text("state = 'new'"),
        ),
        Index("ix_event_record", "foreign_id", "kind", postgresql_where=text("kind is not null")),
        CheckConstraint("state in ('new', 'done', 'ignored', 'parked')", name="state"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=NOW)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source: Mapped[str]
    location_id: Mapped[str | None]
    connection_id: Mapped[int | None]
    webhook_id: Mapped[str | None]
    type: Mapped[str | None]
    body: Mapped[bytes]
    content_type: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="new")
    kind: Mapped[str | None]
    foreign_id: Mapped[str | None]
    note: Mapped[str | None]
    handled_at: Mapped[datetime | None]


class EventSeen(Base):
    """That an event was stored once: what comes again with this id has no effect."""

    __tablename__ = "event_seen"
    __table_args__ = (Index("ix_event_seen_at", "seen_at"),)
    source: Mapped[str] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Expected(Base):
    """A change that a pull found before its event came; it may come yet, or be missed."""

    __tablename__ = "expected"
    __table_args__ = (Index("ix_expected_found", "location_id", "found_at"),)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    foreign_id: Mapped[str] = mapped_column(primary_key=True)
    updated_at: Mapped[datetime] = mapped_column(primary_key=True)
    found_at: Mapped[datetime] = mapped_column(server_default=NOW)
    came_at: Mapped[datetime | None]
