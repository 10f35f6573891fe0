"""Dashboards of the emulated Halo: what POST /DashboardLinks keeps, with its widgets.

Source: schemas DashboardLinks and Widget. That posted widgets take the place of those there are,
which scope it needs, and what the numbers of the kinds of widgets mean, are guesses.
"""

from __future__ import annotations

from syncline.sandbox.halo.resources.fields import Nested, fields, plain
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

AREAS = frozenset({"reporting", "admin"})
COUNTER, CHART, TABLE, HTML = 0, 1, 2, 3
"""Kinds of widgets, by `type`: one value of a report, its chart, its rows, HTML."""

WIDGET = fields(
    integers="id w h x y type report_id counter_type count_format_type style page_size filter_id "
    "display_type colourchangerule override_drilldown_report_id columns_id tree_id",
    numbers="thresholdvalue",
    texts="i title column_name custom_html custom_css initialcolour changedcolour view_type mode "
    "default_currency_symbol",
    flags="open_report_in_new_tab",
)
DASHBOARD = fields(
    integers="id use agent_id team_id department_id org_id access_control_level rowheight "
    "reportingperiod list_item_height",
    texts="name link layouts display_type restriction_type",
    flags="is_published iframe newtab in_app admin_only allow_anonymous manually_load_dashboards",
    lists="access_control user_access filters",
) | {"widgets": Nested(WIDGET, array=True)}
DETAILS = frozenset({"widgets", "layouts", "filters", "access_control", "user_access"})
"""What a list does not show."""

_COLUMNS = 12
"""How many units wide a dashboard is."""


def check_dashboard(tenant: Tenant, posted: Row) -> None:
    """Refuse a dashboard without a name, and a widget that cannot be drawn.

    Raises:
        RefusalError: 404 or 400 with the rule's text.
    """
    standing = tenant.store.dashboards.get(posted.get("id") or 0)
    if posted.get("id") and standing is None:
        raise RefusalError(404, {"Message": f"DashboardLinks {posted['id']} was not found."})
    if not ({**(standing or {}), **posted}.get("name") or "").strip():
        raise RefusalError(400, "Please enter a name.")
    for widget in posted.get("widgets") or []:
        if widget.get("type") != HTML and widget.get("report_id") not in tenant.store.reports:
            raise RefusalError(400, "Please select a valid report.")
        if (widget.get("x") or 0) + (widget.get("w") or 1) > _COLUMNS:
            raise RefusalError(400, "The widget does not fit on the dashboard.")


def save_dashboard(tenant: Tenant, posted: Row) -> Row:
    """Create or update a dashboard; posted widgets take the place of those there are."""
    store = tenant.store
    row_id = posted.get("id") or store.next_id("DashboardLinks")
    standing = store.dashboards.get(row_id, {"widgets": [], "is_published": False})
    row = {**standing, **plain(posted), "id": row_id}
    if posted.get("widgets") is not None:
        row["widgets"] = [_widget(tenant, row_id, one) for one in posted["widgets"]]
    store.dashboards[row_id] = row
    return row


def offered(tenant: Tenant) -> bool:
    """Whether the tenant's application may use dashboards at all."""
    return tenant.profile.dashboards


def _widget(tenant: Tenant, dashboard_id: int, posted: Row) -> Row:
    widget_id = posted.get("id") or tenant.store.next_id("Widget")
    return {**plain(posted), "id": widget_id, "dashboardid": dashboard_id}
