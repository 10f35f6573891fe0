"""What became of records of every shape: by the emulations' word, and by what a person is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from syncline.ledger.connections import Link
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.nonsense import INDISPENSABLE, is_indispensable
from syncline.sandbox.process import SandboxProcess
from workers.demo.stage import Stage

_FAMILY = {kind: family for family, kinds in INDISPENSABLE.items() for kind in kinds}

_OPEN = "state in ('due', 'leased', 'sending', 'doubtful', 'checking')"
_ORPHANED = """
    state = 'waiting' and not exists (
        with recursive awaited as (
            select dep.id, dep.state from wait w
            join delivery dep using (tenant_id, flow, source_id, role)
            where w.delivery_id = delivery.id
            union
            select dep.id, dep.state from awaited a
            join wait w on w.delivery_id = a.id
            join delivery dep using (tenant_id, flow, source_id, role)
        )
        select 1 from awaited where state = 'parked')
"""
"""Waiting, and for nothing that a person was asked about."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A connection and the emulation at its other end.

    Attributes:
        name: tells them apart.
        config: of the emulation.
        foreign: the share of its calls that somebody else answers.
    """

    name: str
    config: SandboxConfig
    foreign: float
    sandbox: SandboxProcess
    link: Link


@dataclass(slots=True)
class Verdict:
    """What became of the records of one connection, or of several.

    Attributes:
        records: how many there are.
        decidable: those of which enough is told.
        in_line: those of these that Halo holds as they are, or rightly not at all.
        asked: what a person is asked.
        wrong: rows that Halo holds wrong, twice, or that nobody asked for.
        lost: records that are not in line, and of which nobody is told.
        rejected: calls that a limit refused.
        calls: how many there were.
        found: what the emulation found, and of which kind of nonsense is what is not in line.
        by_shape: records of each shape and each kind of nonsense.
        foreign: calls that somebody else answered, by what they answered.
    """

    records: int = 0
    decidable: int = 0
    in_line: int = 0
    asked: int = 0
    wrong: int = 0
    lost: int = 0
    rejected: int = 0
    calls: int = 0
    found: Counter[str] = field(default_factory=Counter)
    by_shape: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)

    def add(self, other: Verdict) -> None:
        """Take another connection's records in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def told(self) -> str:
        """In a line."""
        figures = ("records", "decidable", "in_line", "asked", "wrong", "lost", "rejected")
        found = (f"{name}: {many}" for name, many in self.found.items())
        return ", ".join((*(f"{name} {getattr(self, name)}" for name in figures), *found))


def stuck(on: Stage) -> int:
    """What is still open, or waits for nothing that anybody was told of."""
    [(deliveries,)] = on.rows(
        f"select count(*) from delivery where {_OPEN} or {_ORPHANED}"  # noqa: S608 - constants
    )
    [(pulls,)] = on.rows("select count(*) from pull where state = 'running'")
    return int(deliveries + pulls)


def judged(on: Stage, pair: Pair) -> Verdict:
    """What became of the records of a connection."""
    said = pair.sandbox.audit(each=True)
    counters = pair.sandbox.counters()
    asked = _asked(on, pair.link)
    records: list[dict[str, Any]] = said["records"]
    decidable = [one for one in records if one["decidable"]]
    verdict = Verdict(
        records=len(records),
        decidable=len(decidable),
        in_line=sum(one["in_line"] for one in decidable),
        asked=sum(asked.values()),
        wrong=sum(many for kind, many in said["counts"].items() if not kind.startswith("missing")),
        lost=_lost(records, asked),
        rejected=sum(said["rejected_429"].values()),
        calls=sum(counters[side]["calls"] for side in ("highlevel", "halo")),
    )
    verdict.found.update({kind: many for kind, many in said["counts"].items() if many})
    verdict.found.update(
        f"not in line: {one['kind']} with {one['nonsense']}"
        for one in decidable
        if not one["in_line"]
    )
    verdict.foreign.update(counters["faults"])
    verdict.by_shape.update(
        {
            f"highlevel {pair.config.highlevel_shape}": len(records),
            f"halo {pair.config.halo_shape}": len(records),
        }
    )
    verdict.by_shape.update(
        f"nonsense {_FAMILY.get(one['nonsense'], one['nonsense'])}"
        for one in records
        if one["nonsense"]
    )
    return verdict


def reasons(on: Stage) -> Iterator[str]:
    """Why connections stand still and deliveries are parked, the most frequent ones first."""
    for row in on.rows("select name, state, note from connection where state <> 'active'"):
        yield f"  {row.name} is {row.state}: {row.note}"
    for row in on.rows(
        """
        select c.name, d.target, count(*) as many,
               left(regexp_replace(d.reason, '[0-9a-f]{24}', 'ID', 'g'), 160) as why
        from delivery d join connection c on c.id = d.connection_id
        where d.state = 'parked' group by 1, 2, 4 order by 3 desc, 1 limit 40
        """
    ):
        yield f"  {row.many} x {row.name} {row.target}: {row.why}"


def _asked(on: Stage, link: Link) -> Counter[str]:
    """What a person is asked, by the id of the record that it is about."""
    rows = on.rows(
        """
        select source_id, count(*) as many from delivery
        where state = 'parked' and connection_id = :connection group by source_id
        """,
        connection=link.id,
    )
    return Counter({row.source_id: row.many for row in rows})


def _lost(records: list[dict[str, Any]], asked: Counter[str]) -> int:
    """Records that are not in line and of which nobody is told.

    One whose id is nonsense is told under a name that nobody can foretell: these are counted.
    """
    silent, nameless = 0, 0
    for one in records:
        if one["nonsense"] and _FAMILY.get(one["nonsense"]) == "id":
            nameless += 1
        elif is_indispensable(one["nonsense"]):
            silent += one["due"] and one["id"] not in asked and one["order"] not in asked
        elif one["decidable"] and not one["in_line"]:
            silent += one["id"] not in asked and one["order"] not in asked
    known = {one["id"] for one in records}
    strange = sum(1 for source_id in asked if source_id not in known)
    return silent + max(0, nameless - strange)
