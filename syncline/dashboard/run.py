"""The dashboard in Halo: made or put right with all that it rests on, and taken away again.

What a tenant offers differs: reports are read by SQL, a custom table holds what only the ledger
knows, HTML on the dashboard holds it where reports cannot read such a table. What is not offered is
named, with what to do. A second run with nothing changed makes no write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.dashboard import report_sql
from syncline.dashboard import rules as flow
from syncline.dashboard.html import cells, reconciled
from syncline.dashboard.objects import DashboardItem, Shelf, StoredDashboard, by_hand
from syncline.dashboard.queries import DashboardFigures, figures
from syncline.dashboard.rules import Frame, ReportKey
from syncline.errors import Absent, MissingScope, Rejected, SynclineError, Unreadable
from syncline.halo.capabilities import Capabilities
from syncline.halo.dashboards.custom_tables import db_name_of, rows_body, table_body, table_name
from syncline.halo.entities.resources import CUSTOM_TABLE, DASHBOARD, REPORT, Resource
from syncline.halo.models import NamedRow
from syncline.halo.sql.reports import run_sql
from syncline.ledger import connections
from syncline.money import minor_digits

NOT_OFFERED = (MissingScope, Absent, Rejected)
"""How a tenant says that it does not let our application do something at all."""

_TABLE_KEY, _DASHBOARD_KEY = "table", "dashboard"
_UNREAD = "Reports do not show the rows of a custom table here."
_FALLBACK = "None is needed: the dashboard shows these figures itself."


@dataclass(frozen=True, slots=True)
class InstalledDashboard:
    """What an installation came to, or with `dry_run` would come to.

    Attributes:
        shows: where the figures of the ledger stand: `table`, `html` or, for nowhere, None.
    """

    name: str
    items: tuple[DashboardItem, ...]
    shows: str | None
    dry_run: bool


def install(line: Line, *, dry_run: bool, cause: str) -> InstalledDashboard:
    """Make the dashboard or put it right; with nothing to do, nothing is written.

    Args:
        line: the connection.
        dry_run: read, and change nothing.
        cause: the command that asked for it, for the audit.

    Raises:
        Refused: something of somebody else's has our name.
        SynclineError: Halo could not be asked, refused, or did not say what it did.
    """
    return _Install(line, cause, dry_run=dry_run).run()


def remove(line: Line, *, dry_run: bool, cause: str) -> list[DashboardItem]:
    """Take away what of the dashboard is ours; a tenant that shows nothing has nothing.

    Raises:
        SynclineError: Halo could not be asked, refused, or did not say what it did.
    """
    name = flow.name_of(line.link.name)
    shelf = Shelf(line, name, cause)
    remark = flow.remark_of(line.link.name)
    known = {DASHBOARD.name: [_DASHBOARD_KEY], CUSTOM_TABLE.name: [_TABLE_KEY]}
    gone = []
    for kind in (DASHBOARD, REPORT, CUSTOM_TABLE):
        keys = known.get(kind.name, [*flow.COUNTED, *flow.OF_TABLE])
        ids = {shelf.kept.ids[key] for key in keys if key in shelf.kept.ids}
        named = name if kind is not CUSTOM_TABLE else table_name("syncline", line.link.name)
        for row in _ours(shelf, kind, ids, named, remark):
            if not dry_run:
                shelf.remove(kind, row.id)
            gone.append(DashboardItem(kind.name, row.name, "removed", row.id))
    if not dry_run:
        StoredDashboard().write(line)
    return gone


def _ours(
    shelf: Shelf, kind: Resource[NamedRow], ids: set[int], name: str, remark: str
) -> list[NamedRow]:
    try:
        listed = shelf.everything(kind)
    except NOT_OFFERED:
        return []
    return [
        row
        for row in listed
        if row.id in ids or (row.name.startswith(name) and shelf.read(kind, row.id).carries(remark))
    ]


class _Install:
    """One installation: what the tenant offers is learnt on the way."""

    def __init__(self, line: Line, cause: str, *, dry_run: bool) -> None:
        self._worker = line.worker
        self._line = line
        self._connection = line.link.name
        self._dry_run = dry_run
        self._shelf = Shelf(line, flow.name_of(line.link.name), cause)
        self._figures: DashboardFigures = line.worker.ledger.run(lambda c: figures(c, line.link))
        self._frame = _frame(line, self._figures)
        self._items: list[DashboardItem] = []
        self._report_ids: dict[str, int | None] = {}
        self._refused: SynclineError | None = None

    def run(self) -> InstalledDashboard:
        """All of it: reports first, since whatever else is shown rests on them."""
        try:
            listed = self._listed(REPORT, "reports")
        except NOT_OFFERED as error:
            listed = None
            self._items.append(by_hand("reports", error.what))
        if listed is not None:
            for key in flow.COUNTED:
                self._report(key, listed)
            # Where none may be run, none shows whether it reads a table.
            if (self._refused is None or self._shelf.kept.table) and self._table():
                for key in flow.OF_TABLE:
                    self._report(key, listed)
        self._dashboard()
        if self._shelf.kept.rest and not self._dry_run:
            self._shelf.kept.rest = {}
            self._shelf.kept.write(self._line)
        shows = self._shown()
        return InstalledDashboard(
            flow.name_of(self._connection), tuple(self._items), shows, self._dry_run
        )

    def _shown(self) -> str | None:
        if "state" in self._report_ids:
            return "table"
        made = any(one.noun == DASHBOARD.name and one.why == "" for one in self._items)
        return "html" if made else None

    def _listed(self, kind: Resource[NamedRow], what: str) -> list[NamedRow]:
        """All rows of an entity; whether the tenant offers it at all is remembered."""
        try:
            listed = self._shelf.everything(kind)
        except NOT_OFFERED:
            self._learn(what, offered=False)
            raise
        self._learn(what, offered=True)
        return listed

    def _learn(self, what: str, *, offered: bool) -> None:
        def change(known: Capabilities) -> Capabilities:
            if known.offers(what) is offered:
                return known
            how = "halo dashboard install"
            return known.with_offer(what, offered=offered, found_at=self._worker.now(), how=how)

        if not self._dry_run:
            capabilities.teach(self._line, change)

    def _report(self, key: ReportKey, listed: list[NamedRow]) -> None:
        if key == "days" and self._frame.currency is None:
            return  # there is no order yet, so nothing says which currency to draw
        body = flow.report_of(key, self._frame)
        remark = flow.remark_of(self._connection, key)
        try:
            item = self._kept_right(REPORT, key, body, remark, listed)
        except NOT_OFFERED as error:
            remedy = "The rest does without it. Tell us Halo's words and its version."
            if error is self._refused:
                remedy = error.remedy
            elif not isinstance(error, Rejected):
                raise
            self._items.append(
                DashboardItem(
                    REPORT.name, body["name"], "not offered", why=error.what, remedy=remedy
                )
            )
            return
        self._items.append(item)
        self._report_ids[key] = item.row_id

    def _dashboard(self) -> None:
        try:
            listed = self._listed(DASHBOARD, "dashboards")
            body = flow.dashboard_of(
                self._frame,
                self._report_ids,
                self._figures,
                reconciled(self._figures.certificate),
            )
            remark = flow.remark_of(self._connection, _DASHBOARD_KEY)
            item = self._kept_right(DASHBOARD, _DASHBOARD_KEY, body, remark, listed)
        except MissingScope as error:
            self._items.append(by_hand(DASHBOARD.name, error.what))
            return
        self._items.append(item)
        if item.fate != "unchanged" and not self._dry_run and "state" not in self._report_ids:
            self._shelf.kept.note_refresh(self._figures)
            self._shelf.kept.write(self._line)

    def _kept_right(
        self,
        kind: Resource[NamedRow],
        key: str,
        body: Mapping[str, Any],
        remark: str,
        listed: list[NamedRow],
    ) -> DashboardItem:
        """Made or put right, where that has to be.

        Raises:
            Rejected: Halo does not run the statement, or refuses what is written.
        """
        standing = self._shelf.find(kind, key, body["name"], remark, listed)
        differing = [] if standing is None else self._shelf.differences(key, standing, body)
        if standing is not None and not differing:
            if self._shelf.kept.ids.get(key) != standing.id and not self._dry_run:
                self._shelf.kept.ids[key] = standing.id
                self._shelf.kept.write(self._line)
            return DashboardItem(kind.name, standing.name, "unchanged", standing.id)
        if "sql" in body and not (self._dry_run and key in flow.OF_TABLE):
            self._run(body["sql"])
        row_id = None if standing is None else standing.id
        if not self._dry_run:
            row_id = self._shelf.save(kind, key, body, standing, remark).id
        fate = "made" if standing is None else "repaired"
        return DashboardItem(kind.name, body["name"], fate, row_id, tuple(differing))  # type: ignore[arg-type]  # two of the fates

    def _run(self, sql: str) -> list[dict[str, str]]:
        """The rows of a statement, before it is kept: what does not run is not kept.

        Where the tenant refuses to run one, it is not asked to run another.
        """
        if self._refused is not None:
            raise self._refused
        try:
            return self._shelf.api.read(
                f"POST {REPORT.path}", lambda permit: run_sql(self._line.halo, permit, sql)
            )
        except (MissingScope, Absent) as error:
            self._refused = error
            raise

    def _table(self) -> bool:
        """Whether there is a custom table of ours that reports read, or with a dry run may be."""
        kept = self._shelf.kept
        if kept.table is False:
            self._items.append(_unread())
            return False
        name = table_name("syncline", self._connection)
        remark = flow.remark_of(self._connection, _TABLE_KEY)
        body = table_body(name, remark, len(report_sql.CELLS))
        try:
            listed = self._listed(CUSTOM_TABLE, "custom_tables")
            item = self._kept_right(CUSTOM_TABLE, _TABLE_KEY, body, remark, listed)
        except (MissingScope, Absent, Rejected) as error:
            self._items.append(by_hand(CUSTOM_TABLE.name, error.what))
            return False
        if self._dry_run:
            self._items.append(item)
            self._frame = replace(self._frame, db_name=kept.db_name or f"CT{name}")
            return True
        return self._proved(item)

    def _proved(self, item: DashboardItem) -> bool:
        """Whether reports were seen to read the table; one that they do not is taken away."""
        kept, row_id = self._shelf.kept, item.row_id
        assert row_id is not None  # noqa: S101 - it was made just now, or stands
        if kept.table is None or item.fate == "made":
            refused = None
            try:
                kept.db_name = self._read_back(row_id)
                kept.table = kept.db_name is not None
            except (MissingScope, Absent) as error:
                refused = error  # it says nothing about tables
            if refused or not kept.table:
                self._shelf.remove(CUSTOM_TABLE, row_id)
                kept.ids.pop(_TABLE_KEY, None)
            kept.write(self._line)
            if refused:
                self._items.append(by_hand("reports", refused.what))
                return False
        if not kept.table:
            self._learn("custom_tables_in_reports", offered=False)
            self._items.append(_unread())
            return False
        self._learn("custom_tables_in_reports", offered=True)
        self._items.append(item)
        self._frame = replace(self._frame, db_name=kept.db_name)
        return True

    def _read_back(self, table_id: int) -> str | None:
        """The name under which a report shows the row that is written now; None: it shows none."""
        row = cells(self._figures)
        sent = rows_body(table_id, [row])
        try:
            made = self._shelf.post(CUSTOM_TABLE, sent, None)
            db_name = db_name_of(self._shelf.read(CUSTOM_TABLE, made.id).raw)
            shown = self._run(report_sql.newest_sql(db_name))
        except (Rejected, Unreadable):
            return None
        self._shelf.kept.rows = 1
        self._shelf.kept.note_refresh(self._figures)
        return db_name if shown and shown[0].get("at") == row[0] else None


def _unread() -> DashboardItem:
    return DashboardItem(CUSTOM_TABLE.name, "", "not offered", why=_UNREAD, remedy=_FALLBACK)


def _frame(line: Line, counted: DashboardFigures) -> Frame:
    everyone = line.worker.ledger.run(connections.everyone)
    ids = capabilities.known(line).currencies
    digits = {halo_id: minor_digits(code) for code, halo_id in ids.items()}
    return Frame(
        connection=line.link.name,
        alone=sum(link.tenant == line.link.tenant for link in everyone) == 1,
        digits={halo_id: many for halo_id, many in digits.items() if many != 2},  # noqa: PLR2004
        currency=next((one.currency for one in counted.sold if one.currency in ids), None),
    )
