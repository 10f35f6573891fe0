"""Errors of integrations: the list in which Halo's administrators look for them.

Source: field names by the published schema of IntegrationError, lengths by the database's columns
(none of which may be empty). What a tenant makes of a module that is not Halo's own is
undocumented, hence the kinds of tenant differ; which numbers Halo's own modules have is a guess.
"""

from __future__ import annotations

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_OWN_MODULES = range(1, 400)
_LONGEST = {"entity_type": 100, "entity_name": 100, "endpoint": 100, "error": 2000}
_NEW_ERROR: Row = {
    "module_id": 0,
    "detail_id": 0,
    "entity_type": "",
    "entity_id": 0,
    "entity_name": "",
    "endpoint": "",
    "error": "",
}


def check_error(tenant: Tenant, posted: Row) -> None:
    """Refuse texts that are too long, and modules of which this tenant wants to know nothing.

    Raises:
        RefusalError: 400 with the database's text, 403 on an awkward tenant.
    """
    for name, longest in _LONGEST.items():
        if len(posted.get(name) or "") > longest:
            raise RefusalError(400, "String or binary data would be truncated.")
    if posted.get("id") and posted["id"] not in tenant.store.integration_errors:
        raise RefusalError(400, f"Integration Error {posted['id']} does not exist.")
    known = (posted.get("module_id") or 0) in _OWN_MODULES
    if not known and tenant.profile.refuses_strange_modules:
        raise RefusalError(403, {"Message": "You do not have permission to perform this action."})


def save_error(tenant: Tenant, posted: Row) -> Row:
    """Store an error; a tenant may take one of a strange module and never show it."""
    store = tenant.store
    row_id = posted.get("id") or store.next_id("IntegrationError")
    given = plain({key: value for key, value in posted.items() if value is not None})
    standing = store.integration_errors.get(row_id)
    row = {**(standing or {**_NEW_ERROR, "date": tenant.stamp()}), **given, "id": row_id}
    if row["module_id"] in _OWN_MODULES or tenant.profile.shows_strange_modules:
        store.integration_errors[row_id] = row
        store.touch("IntegrationError", row_id, tenant.stamp())
    return row
