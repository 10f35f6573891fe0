# ruff: noqa: S608 - every name is one of this file
"""The audit log sealed, anchored, checked and erased, over records that were synced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from syncline.audit import anchor as anchoring
from syncline.audit import chains, sealing
from syncline.audit import seal_tick as sealer
from syncline.audit.chains import Head
from syncline.audit.seal_tick import seal
from syncline.audit.verify import Verified, verify
from syncline.errors import Again, Refused, UnknownName
from syncline.fingerprint import fingerprint
from syncline.ledger import effects
from syncline.privacy.erase import erase
from syncline.sandbox.process import SandboxProcess
from tests.world import World, Worlds, small


@pytest.fixture
def world(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> World:
    """Six orders in line, and their log sealed and anchored."""
    monkeypatch.setattr(sealing, "MARGIN", timedelta(0))
    monkeypatch.setattr(sealer, "PATIENCE", 0.1)
    small(sandbox, orders=6, customers=3, transactions=0, subscriptions=0)
    made = worlds(data=tmp_path)
    made.pull()
    made.drive()
    assert seal(made.worker) > 0
    anchoring.anchor(made.worker)
    return made


def check(world: World, anchors: Sequence[Head] = ()) -> Verified:
    return verify(world.worker, None, None, anchors, lambda _done, _of: None)


def found(world: World, anchors: Sequence[Head] = ()) -> list[tuple[str, str, int]]:
    return [(one.what, one.chain, one.position) for one in check(world, anchors).findings]


@contextmanager
def undone(world: World, *tables: str) -> Iterator[None]:
    """What happens to these tables inside is taken back afterwards."""
    for table in tables:
        world.do(f"create table kept_{table} as table {table}")
    yield
    for table in tables:
        world.do(f"delete from {table}")
        overriding = "overriding system value" if table in {"audit_entry", "change"} else ""
        world.do(f"insert into {table} {overriding} table kept_{table}")
        world.do(f"drop table kept_{table}")


def decide(world: World) -> None:
    world.worker.ledger.run(
        lambda c: effects.decided(c, 1, what="test", subject="acme", by="Ada", after={"n": 1})
    )


EDITS: list[tuple[str, str, str]] = [
    ("an amount that was delivered", "audit_entry", 'after = \'{"total": "0.01"}\''),
    ("who caused it", "audit_entry", "cause = 'nobody'"),
    ("when it was", "audit_entry", "at = at - interval '1 microsecond'"),
    ("the digest in the seal", "seal", "digest = decode(repeat('00', 32), 'hex')"),
    ("the salt", "seal", "salt = decode(repeat('00', 16), 'hex')"),
]


def test_what_was_synced_is_sealed_once_in_the_order_in_which_it_was_done(
    world: World, tmp_path: Path
) -> None:
    [(entries,)] = world.rows(
        "select (select count(*) from change) + (select count(*) from audit_entry)"
    )
    whole = check(world, list(anchoring.read(anchoring.anchor_file(world.settings))))
    assert whole.findings == []
    assert (whole.entries, whole.waiting) == (entries, 0)
    assert whole.anchors == whole.chains == 3
    assert seal(world.worker) == anchoring.anchor(world.worker, timedelta(0)) == 0
    decide(world)
    assert check(world).waiting == 1
    assert seal(world.worker) == 1
    assert anchoring.anchor(world.worker) == 0  # not every second
    assert anchoring.anchor(world.worker, timedelta(0)) == 1

    # An entry of an open transaction is not passed over.
    engine = world.worker.ledger.engine
    with engine.begin() as slow:
        effects.decided(slow, 1, what="slow", subject="acme", by="Ada")
        decide(world)
        assert seal(world.worker) == 0
    assert seal(world.worker) == 2
    assert found(world) == []

    # A line that a crash has cut is left out, and the next one stands by itself.
    anchoring.anchor(world.worker, timedelta(0))
    path = anchoring.anchor_file(world.settings)
    heads = list(anchoring.read(path))
    now = {(one.chain, one.position, one.head) for one in world.worker.ledger.run(chains.heads)}
    assert now <= {(one.chain, one.position, one.head) for one in heads}
    with path.open("a", encoding="utf-8") as file:
        file.write('{"chain": "connec')
    assert list(anchoring.read(path)) == heads
    other = tmp_path / "other.jsonl"
    other.write_text("no head\n{}\n", encoding="utf-8")
    with pytest.raises(Refused):
        list(anchoring.read(other))


def test_whatever_is_changed_is_found_where_it_was_changed(world: World) -> None:
    chain = "connection:1"
    heads = list(anchoring.read(anchoring.anchor_file(world.settings)))
    [(length,)] = world.rows("select length from chain where name = :name", name=chain)

    def seal_of(position: int) -> str:
        return f"chain = '{chain}' and position = {position}"

    def entry_of(position: int) -> str:
        return f"id = (select entry_id from seal where {seal_of(position)})"

    [(at,)] = world.rows(
        "select min(position) from seal where chain = :chain and salt is not null", chain=chain
    )
    for about, table, change in EDITS:
        where = entry_of(at) if table == "audit_entry" else seal_of(at)
        with undone(world, table):
            world.do(f"update {table} set {change} where {where}")
            told = found(world)
            assert (chain, at) in {(one[1], one[2]) for one in told}, about
            assert {one[0] for one in told} <= {"edited", "missing", "inserted"}, about
    with undone(world, "audit_entry"):
        world.do(f"delete from audit_entry where {entry_of(2)}")
        assert found(world) == [("missing", chain, 2)]
    with undone(world, "audit_entry", "seal"):
        world.do(f"delete from audit_entry where {entry_of(2)}")
        world.do(f"delete from seal where {seal_of(2)}")
        assert found(world) == [("gap", chain, 2)]
    with undone(world, "seal"):
        world.do(f"update seal set position = -1 where {seal_of(2)}")
        world.do(f"update seal set position = 2 where {seal_of(3)}")
        world.do(f"update seal set position = 3 where {seal_of(-1)}")
        assert found(world) == [("head", chain, 2), ("head", chain, 3)]
    with undone(world, "audit_entry", "seal", "chain"):
        world.do(f"delete from audit_entry where {entry_of(length)}")
        world.do(f"delete from seal where {seal_of(length)}")
        world.do(
            "update chain set length = length - 1, head = (select head from seal "
            f"where {seal_of(length - 1)}) where name = '{chain}'"
        )
        assert found(world) == []  # nobody can tell, but for an anchor
        assert found(world, heads) == [("cut", chain, length)]
    what_is_built_anew_is_found_out(world, heads)
    with undone(world, "record"):
        world.do('update record set canonical = canonical || \'{"amount": "1"}\'')
        assert {what for what, *_ in found(world)} == {"record"}
    with undone(world, "seal"):
        world.do("update seal set salt = null where salt is not null")
        assert {what for what, *_ in found(world)} == {"bared"}
    assert found(world, heads) == []

    # As if a clock had been set back, or somebody had added it by hand.
    world.do(
        """
        insert into audit_entry (at, connection_id, flow, source_id, role, effect, target,
                                 target_id, version, cause)
        select min(at) - interval '1 hour', 1, 'orders', 'o', 'order', 'create', 'order', '1', 1, ''
        from audit_entry
        """
    )
    assert [what for what, *_ in found(world)] == ["inserted"]
    world.do("update sealing set swept_at = null")
    assert seal(world.worker) == 1
    assert [what for what, *_ in found(world)] == ["late"]


def what_is_built_anew_is_found_out(world: World, heads: list[Head]) -> None:
    """By a copy of the heads, or what a person copied, though the own file fits the new chain."""
    with undone(world, "audit_entry", "chain", "seal", "sealing"):
        for table in ("seal", "chain", "sealing"):
            world.do(f"delete from {table}")
        world.do("update audit_entry set cause = 'nobody'")
        assert seal(world.worker) > 0
        new = world.worker.ledger.run(chains.heads)
        assert found(world, new) == []
        told = found(world, chains.expected(" ".join(map(str, heads))))
        assert {what for what, *_ in told} == {"rewritten"}
        assert found(world, [*heads, *new]) == told
    for text in ("", "connection:1:5", f"connection:1:5:{'a' * 15}", f"{new[0]} and so on"):
        with pytest.raises(Refused):
            chains.expected(text)


def test_a_person_is_erased_and_the_chain_still_proved(
    world: World, sandbox: SandboxProcess
) -> None:
    [(email, contact, name)] = world.rows(
        """
        select distinct on (canonical -> 'contact' ->> 'id') canonical -> 'contact' ->> 'email',
               canonical -> 'contact' ->> 'id', canonical -> 'contact' ->> 'name'
        from record where kind = 'order' and canonical -> 'contact' ->> 'email' is not null
        order by 2 limit 1
        """
    )
    said_of(world, contact, f"{name} <{email.upper()}>")
    with pytest.raises(UnknownName):
        erase(world.worker, "nobody@example.com", dry_run=True)
    looked = erase(world.worker, email, dry_run=True)
    assert looked.erased is None
    assert looked.found.records
    assert mentions(world, email)
    world.do("update delivery set state = 'doubtful' where target = 'order'")
    with pytest.raises(Again):
        erase(world.worker, email, dry_run=False)
    world.do("update delivery set state = 'delivered' where target = 'order'")

    done = erase(world.worker, contact, dry_run=False)
    assert done.erased is not None
    assert done.erased.records == len(looked.found.records)
    assert mentions(world, email) == mentions(world, name) == mentions(world, "Engine Road") == []
    [(reason,)] = world.rows("select distinct reason from delivery where reason is not null")
    assert reason == "Halo refuses [erased] <[erased]>."
    assert seal(world.worker) == 1  # its own entry
    assert found(world, list(anchoring.read(anchoring.anchor_file(world.settings)))) == []

    # The same reading brings nothing back, and a new mapping writes no blanks to Halo.
    writes = len(sandbox.calls("halo"))
    assert world.pull().changed == 0
    world.do(
        "update delivery set state = 'due', wanted_version = wanted_version + 1, "
        "due_at = clock_timestamp() where flow = 'orders'"
    )
    world.drive()
    parked = world.rows("select reason from delivery where state = 'parked'")
    assert parked
    assert all("was erased" in row.reason for row in parked)
    assert mentions(world, email) == []

    # One who says that an erasure took more than it did is found out.
    world.do(
        "update seal set salt = null, erased_by = :entry where salt is not null",
        entry=done.erased.entry,
    )
    assert {what for what, *_ in found(world)} == {"bared"}
    assert writes <= len(sandbox.calls("halo"))


SAID: list[str] = [
    """update delivery set reason = 'Halo refuses ' || :words || '.', target_meta =
       jsonb_build_object('accepted', jsonb_build_object('note', jsonb_build_array('', :words)))
       where source_id in (select foreign_id from record
                           where canonical -> 'contact' ->> 'id' = :contact)""",
    "update call set error = :words",
    "insert into event (source, body, state, note) values ('halo', '', 'done', :words)",
    """insert into reconciliation (connection_id, first, last, mode, cause, note)
       values (1, '2026-01-01', '2026-01-01', 'full', 'test', :words)""",
    """insert into discrepancy (connection_id, found_by, seen_by, flow, source_kind, source_id,
                                role, target, cause, field, ours, theirs, delivered)
       select 1, 1, 1, 'orders', 'order', foreign_id, 'order', 'order', 'changed', 'customfields.7',
              'Engine Road 1', 'Engine Road 2', 'Engine Road 1'
       from record where kind = 'order' and canonical -> 'contact' ->> 'id' = :contact""",
    """insert into alert (connection_id, kind, cause, severity, title, detail, source_id)
       values (1, 'parked', 'a', 'warning', :words, jsonb_build_object('text', :words),
               'alert-1')""",
    """insert into alert_message (alert_id, connection_id, what, channel, severity, title, body)
       values (1, 1, 'opened', 'mail', 'warning', :words, :words)""",
    """insert into change (place, kind, foreign_id, version, fields, cause, fingerprint)
       values ('location:1', 'alert', 'alert-1', 1, '{}', 'alert 1', 'x'),
              ('location:1', 'alert', 'alert-1', 2,
               jsonb_build_object('text', jsonb_build_array('', :words)), 'alert 1', :mark)""",
    """insert into record (place, kind, foreign_id, version, canonical, fingerprint)
       values ('location:1', 'alert', 'alert-1', 2,
               jsonb_build_object('id', 'alert-1', 'text', :words), :mark)""",
    """insert into audit_entry (connection_id, flow, source_id, role, effect, target, target_id,
                                version, cause, before, after)
       select 1, 'command', foreign_id, 'command', 'command', 'discrepancies apply', foreign_id, 0,
              'discrepancies apply by Ada of support',
              jsonb_build_object('field', 'name', 'ours', :words, 'theirs', :words),
              jsonb_build_object('takes', :words)
       from record where kind = 'order' and canonical -> 'contact' ->> 'id' = :contact""",
]
"""What was said of a contact elsewhere than in its records."""


def said_of(world: World, contact: str, words: str) -> None:
    mark = fingerprint({"id": "alert-1", "text": words})
    for said in SAID:
        given = {"words": words, "contact": contact, "mark": mark}
        statement = said.replace(":words", "cast(:words as text)")
        world.do(statement, **{name: given[name] for name in given if f":{name}" in statement})
    assert seal(world.worker) > 0


def mentions(world: World, word: str) -> list[str]:
    """The tables that hold a word anywhere."""
    tables = world.rows(
        """
        select relname as name from pg_class
        where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
          and not relispartition
        """
    )
    said = "encode(body, 'escape')", "t::text"
    return [
        table.name
        for table in tables
        if world.rows(_HOLDS.format(table.name, said[table.name != "event"]), word=word)
    ]


_HOLDS = "select 1 from {} t where {} ilike '%' || :word || '%' limit 1"
