"""Stored reports of the emulated Halo: kept by POST /Report, and run where they are looked at.

Source: schema AnalyzerProfile, of whose fields a list shows only those of AnalyzerProfile_List. A
report that cannot run is kept all the same, and says so in `load_error`. What the numbers of the
kinds of charts mean is nowhere shown and is our guess, as is that two may have one name.
"""

from __future__ import annotations

from syncline.sandbox.halo.resources.fields import fields, plain
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

REPORTING = frozenset({"reporting"})
NO_CHART, BAR, LINE, PIE = 0, 1, 2, 3
"""Kinds of charts, by `charttype`."""

SERIES = ("yaxis", "yaxis1", "yaxis2", "yaxis3", "yaxis4", "yaxis5")
"""The fields that name the columns which a chart shows."""

STORED = fields(
    integers="id charttype graphorder reportingperiod group_id type top_count datasource_id "
    "seriestype1 seriestype2 seriestype3 seriestype4 seriestype5",
    texts="name sql description charttitle xaxis yaxis xaxiscaption yaxiscaption yaxis1 yaxis2 "
    "yaxis3 yaxis4 yaxis5 graphorderby timezonename group_name colourpallette",
    flags="count sum average stackbars showgraphvalues show_datavalues show_top_only is_published "
    "restrictaccess canbeaccessedbyallusers _testonly _loadreportonly _testchart",
    lists="filters conditions columns series",
)
_LISTED = frozenset({"id", "name", "group_id", "group_name", "description", "type"})
DETAILS = frozenset(STORED) - _LISTED | {"published_id"}
"""What a list does not show."""

_NEW: Row = {
    "sql": "",
    "description": "",
    "charttype": NO_CHART,
    "group_id": 0,
    "group_name": "",
    "type": 0,
    "is_published": False,
}


def is_only_run(posted: Row) -> bool:
    """Whether a posted report is run and not kept."""
    return bool(posted.get("_loadreportonly") or posted.get("_testonly"))


def check_report(tenant: Tenant, posted: Row) -> None:
    """Refuse an update of no report, and a new one without a name.

    Raises:
        RefusalError: 404 or 400 with the rule's text.
    """
    standing = tenant.store.reports.get(posted.get("id") or 0)
    if posted.get("id") and standing is None:
        raise RefusalError(404, {"Message": f"Report {posted['id']} was not found."})
    if not ({**(standing or {}), **posted}.get("name") or "").strip():
        raise RefusalError(400, "Please enter a name.")


def save_report(tenant: Tenant, posted: Row) -> Row:
    """Create or update a report."""
    store = tenant.store
    row_id = posted.get("id") or store.next_id("Report")
    row = {**_NEW, **store.reports.get(row_id, {}), **plain(posted), "id": row_id}
    store.reports[row_id] = row
    return row


def offered(tenant: Tenant) -> bool:
    """Whether the tenant's application may use reports at all."""
    return tenant.profile.sql
