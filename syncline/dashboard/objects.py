"""What of the dashboard stands in Halo: found, compared, made or put right, and taken away.

Ours is what the ledger knows by its id, or what has our name and our remark: so a command that died
between a write and its confirmation makes nothing twice. What has our name and not our remark is
somebody else's, and is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.connections.set_up import SetUp
from syncline.dashboard import queries as ledger
from syncline.dashboard.queries import DashboardFigures
from syncline.errors import Absent, Refused
from syncline.halo.dashboards.differences import Change, changes, with_ids
from syncline.halo.entities.resources import Resource
from syncline.halo.entities.rows import (
    delete_row,
    next_page,
    read_row,
    refuse_hidden,
    save_row,
    walk_of,
)
from syncline.halo.models import NamedRow
from syncline.queues import Lane

FLOW = "dashboard"

Fate = Literal["made", "repaired", "unchanged", "removed", "not offered"]


@dataclass(frozen=True, slots=True)
class DashboardItem:
    """One thing of the dashboard, and what became of it, or with a dry run would become.

    Attributes:
        noun: `report`, `dashboard`, `custom table`, `widget` or `reports`.
        changes: the fields that stood otherwise than wanted.
        why: what the tenant says where it does not offer it.
        remedy: what to do then.
    """

    noun: str
    name: str
    fate: Fate
    row_id: int | None = None
    changes: tuple[Change, ...] = ()
    why: str = ""
    remedy: str = ""


@dataclass(slots=True)
class StoredDashboard:
    """What the ledger knows of the dashboard in Halo.

    Attributes:
        ids: key of a report, `dashboard` or `table` → Halo's id.
        unkept: the same → fields that Halo answers otherwise than they were sent.
        table: whether reports were seen to read our custom table; None: it was not tried.
        db_name: under which name.
        rows: how many rows it holds.
        refreshed: when and with what urgent figures the figures were written last.
        rest: after figures were refused: `since` when, `pause_s` how long they rest, `until` when,
            and `why`; empty where they were written since.
    """

    ids: dict[str, int] = field(default_factory=dict)
    unkept: dict[str, list[str]] = field(default_factory=dict)
    table: bool | None = None
    db_name: str | None = None
    rows: int = 0
    refreshed: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, line: Line) -> StoredDashboard:
        """As the ledger has it."""
        found = line.worker.ledger.run(lambda connection: ledger.standing(connection, line.link.id))
        return cls(**{name: found[name] for name in cls.__slots__ if name in found})

    def note_refresh(self, counted: DashboardFigures) -> None:
        """Note that these figures were written."""
        self.refreshed = {"at": counted.at.isoformat(), "pressing": asdict(counted.pressing)}

    def write(self, line: Line) -> None:
        """Keep it; what is known already is not written again."""
        value = {name: getattr(self, name) for name in self.__slots__}
        line.worker.ledger.run(lambda connection: ledger.remember(connection, line.link.id, value))


class Shelf:
    """Reads and writes of one command or one refresh.

    Args:
        line: the connection.
        name: what the dashboard is called.
        cause: who or what asked for it.
    """

    def __init__(self, line: Line, name: str, cause: str) -> None:
        self.worker = line.worker
        self.line = line
        self.api = halo_calls(line, Lane.UPKEEP)
        self.kept = StoredDashboard.read(line)
        self._set_up = SetUp(line, self.api, flow=FLOW, reference=name, cause=cause)

    def everything(self, kind: Resource[NamedRow]) -> list[NamedRow]:
        """All rows of an entity, as its list shows them.

        Raises:
            MissingScope: our application may not see them.
            Unreadable: one that may be ours has no id.
            SynclineError: Halo could not be asked.
        """
        walk = walk_of(kind)
        found: list[NamedRow] = []
        while not walk.finished:
            found += self.api.read(
                f"GET {kind.path}", lambda permit: next_page(self.line.halo, permit, kind, walk)
            )
        refuse_hidden(kind, walk.illegible, _may_be_ours)
        return found

    def find(
        self, kind: Resource[NamedRow], key: str, name: str, remark: str, listed: Sequence[NamedRow]
    ) -> NamedRow | None:
        """Ours with all its details, None where there is none.

        Raises:
            Refused: another one has its name.
        """
        known = self.kept.ids.get(key)
        if known in {row.id for row in listed}:
            return self.read(kind, known)
        same = [self.read(kind, row.id) for row in listed if row.name == name]
        ours = next((row for row in same if row.carries(remark)), None)
        if ours is None and same:
            raise Refused(
                f"Halo has a {kind.name} named {name!r} (id {same[0].id}) that is not ours.",
                remedy="Rename or remove it in Halo, then run the command again.",
            )
        return ours

    def read(self, kind: Resource[NamedRow], row_id: int) -> NamedRow:
        """One row with its details."""
        return self.api.read(
            f"GET {kind.path}/{{id}}",
            lambda permit: read_row(self.line.halo, permit, kind, row_id),
        )

    def differences(self, key: str, standing: NamedRow, body: Mapping[str, Any]) -> list[Change]:
        """The fields that are to be put right: not those that Halo keeps in its own way."""
        unkept = set(self.kept.unkept.get(key, ()))
        return [one for one in changes(standing.raw, body) if one.field not in unkept]

    def save(
        self,
        kind: Resource[NamedRow],
        key: str,
        body: Mapping[str, Any],
        standing: NamedRow | None,
        remark: str,
    ) -> NamedRow:
        """Make it, or put the standing one right; and keep what Halo confirmed."""
        sent = dict(body)
        if standing is not None:
            sent = {**with_ids(standing.raw, body), "id": standing.id}
        made = self.post(kind, sent, partial(self._landed, kind, sent, remark))
        self.kept.ids[key] = made.id
        unkept = [one.field for one in changes(made.raw, body)]
        self.kept.unkept.pop(key, None)
        if unkept:
            self.kept.unkept[key] = unkept
        self.kept.write(self.line)
        return made

    def post(
        self,
        kind: Resource[NamedRow],
        sent: Mapping[str, Any],
        look: Callable[[], NamedRow | None] | None,
    ) -> NamedRow:
        """One write; `look` is as in `SetUp.written`."""
        return self._set_up.written(
            f"POST {kind.path}",
            "update" if "id" in sent else "create",
            kind.name,
            lambda permit: save_row(self.line.halo, permit, kind, sent),
            look,
            lambda row: str(row.id),
        )

    def remove(self, kind: Resource[NamedRow], row_id: int) -> None:
        """Take a row away; one that is gone already is well."""
        self._set_up.gone(
            f"DELETE {kind.path}",
            kind.name,
            str(row_id),
            lambda permit: delete_row(self.line.halo, permit, kind, row_id),
            lambda: self._there(kind, row_id),
        )

    def _landed(
        self, kind: Resource[NamedRow], sent: Mapping[str, Any], remark: str
    ) -> NamedRow | None:
        """What a write with an unknown outcome left, None where it had no effect."""
        if "id" in sent:
            row = self.read(kind, sent["id"])
            return None if changes(row.raw, sent) else row
        same = [row for row in self.everything(kind) if row.name == sent["name"]]
        found = (self.read(kind, row.id) for row in same)
        return next((row for row in found if row.carries(remark)), None)

    def _there(self, kind: Resource[NamedRow], row_id: int) -> bool:
        try:
            self.read(kind, row_id)
        except Absent:
            return False
        return True


def _may_be_ours(row: Mapping[str, Any]) -> bool:
    """Whether a row may have one of our names, each of which begins with that of this program."""
    name = row.get("name")
    return not isinstance(name, str) or name.strip().casefold().startswith("syncline")


def by_hand(noun: str, why: str) -> DashboardItem:
    """Something that the tenant does not let us make."""
    remedies = {
        "reports": "Give our application the permissions read:reporting and edit:reporting, and "
        "its agent a role that may report.",
        "custom table": "Give our application the permission to custom tables (admin).",
        "dashboard": "Give our application and its agent the right to dashboards; or put the "
        "reports on a dashboard by hand.",
    }
    again = "Then run the command again."
    return DashboardItem(noun, "", "not offered", why=why, remedy=f"{remedies[noun]} {again}")
