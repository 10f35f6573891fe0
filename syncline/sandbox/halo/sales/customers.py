"""Clients, their sites and their users.

Source: field names by the published schemas of Area, Site and Users. Whether a new client gets a
main site of its own is undocumented (the schema has it nullable), hence a dial; whether names must
be unique is undocumented too, and a public report has one refused for that: another dial.
"""

from __future__ import annotations

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.tenant.catalogue import CLIENT_TABLE, SITE_TABLE, USER_TABLE
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_NEW_CLIENT: Row = {
    "name": "",
    "ref": "",
    "accountsid": "",
    "toplevel_id": 1,
    "toplevel_name": "Customers",
    "inactive": False,
    "notes": "",
    "customfields": [],
}
_NEW_SITE: Row = {"ref": "", "accountsid": "", "phonenumber": "", "inactive": False}
_NEW_USER: Row = {
    "firstname": "",
    "surname": "",
    "emailaddress": "",
    "phonenumber": "",
    "third_party_id": "",
    "inactive": False,
    "customfields": [],
}


def check_client(tenant: Tenant, posted: Row) -> None:
    """Refuse a client without a name or with another one's, and an update of one that is not there.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    standing = _standing(tenant.store.clients, posted, "Customer")
    if not {**standing, **posted}.get("name"):
        raise RefusalError(400, "A Customer Name is required.")
    named = [one for one in tenant.store.clients.values() if one["name"] == posted.get("name")]
    if tenant.config.unique_client_names and any(one["id"] != posted.get("id") for one in named):
        raise RefusalError(400, "Name must be unique")


def save_client(tenant: Tenant, posted: Row) -> Row:
    """Create or update a client; a new one gets its main site, and a user if one is named."""
    created = not posted.get("id")
    client = _merged(tenant, "Client", tenant.store.clients, _NEW_CLIENT, posted)
    client_id = client["id"]
    if created:
        client |= {"main_site_id": None, "main_site_name": None}
        if not tenant.config.clients_without_site:
            _first_site(tenant, client, posted)
        if posted.get("newclient_sendwelcomeemail"):
            tenant.happened("mailed", "Client", client_id, "newclient_sendwelcomeemail")
        tenant.created("Client", client_id, posted)
    tenant.link(CLIENT_TABLE, client_id, posted.get("new_external_link"))
    return client


def site_of(tenant: Tenant, client: Row) -> int:
    """A client's main site as a person picks it in Halo's own screens, made where there is none."""
    if not client["main_site_id"]:
        _first_site(tenant, client, {})
    site_id: int = client["main_site_id"]
    return site_id


def check_place(
    store: HaloStore, standing: Row, client_id: int, site_id: int | None, what: str
) -> None:
    """Refuse a site of somebody else, and a row that is left without any.

    Args:
        store: the tenant's rows.
        standing: the row before the write, empty for a create.
        client_id: the client after it.
        site_id: the posted site, if any.
        what: the row's name for people.

    Raises:
        RefusalError: 400 with the rule's text; that a site is needed at all is inferred.
    """
    if site_id:
        site = store.sites.get(site_id)
        if site is None or site["client_id"] != client_id:
            raise RefusalError(400, "The selected Site does not belong to this Customer.")
        return
    stays = standing.get("client_id") == client_id and (
        standing.get("site_id") or standing.get("sitenumber")
    )
    if not stays and not store.clients[client_id]["main_site_id"]:
        raise RefusalError(400, f"Please select a valid Site for this {what}.")


def check_site(tenant: Tenant, posted: Row) -> None:
    """Refuse a site without a name or without a client that exists.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    wanted = {**_standing(tenant.store.sites, posted, "Site"), **posted}
    if not wanted.get("name"):
        raise RefusalError(400, "A Site Name is required.")
    if wanted.get("client_id") not in tenant.store.clients:
        raise RefusalError(400, "Please select a valid Customer for this Site.")


def save_site(tenant: Tenant, posted: Row) -> Row:
    """Create or update a site that passed the check."""
    site = _merged(tenant, "Site", tenant.store.sites, _NEW_SITE, posted)
    site["client_name"] = tenant.store.clients[site["client_id"]]["name"]
    site["clientsite_name"] = f"{site['client_name']}/{site['name']}"
    if posted.get("newsite_sendwelcomeemail"):
        tenant.happened("mailed", "Site", site["id"], "newsite_sendwelcomeemail")
    tenant.link(SITE_TABLE, site["id"], posted.get("new_external_link"))
    return site


def check_user(tenant: Tenant, posted: Row) -> None:
    """Refuse a user without a name or without a site that exists.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    wanted = {**_standing(tenant.store.users, posted, "User"), **posted}
    if wanted.get("site_id") not in tenant.store.sites:
        raise RefusalError(400, "Please select a valid Site for this User.")
    if not (wanted.get("name") or wanted.get("firstname") or wanted.get("surname")):
        raise RefusalError(400, "A User Name is required.")


def save_user(tenant: Tenant, posted: Row) -> Row:
    """Create or update a user that passed the check; the client follows from the site."""
    posted = {key: value for key, value in posted.items() if key != "client_id"}
    user = _merged(tenant, "Users", tenant.store.users, _NEW_USER, posted)
    if not user.get("name"):
        user["name"] = f"{user['firstname']} {user['surname']}".strip()
    site = tenant.store.sites[user["site_id"]]
    user |= {
        "site_name": site["name"],
        "client_id": site["client_id"],
        "client_name": site["client_name"],
    }
    if posted.get("sendwelcomeemail"):
        tenant.happened("mailed", "Users", user["id"], "sendwelcomeemail")
    tenant.link(USER_TABLE, user["id"], posted.get("new_external_link"))
    return user


def _first_site(tenant: Tenant, client: Row, posted: Row) -> None:
    site = save_site(
        tenant,
        {
            "name": posted.get("newclient_sitename") or "Main",
            "client_id": client["id"],
            "phonenumber": posted.get("newclient_phonenumber") or "",
            "_dont_fire_automations": True,
        },
    )
    client |= {"main_site_id": site["id"], "main_site_name": site["name"]}
    if posted.get("newclient_contactemail"):
        _first_user(tenant, posted, site["id"])


def _first_user(tenant: Tenant, posted: Row, site_id: int) -> None:
    email = posted["newclient_contactemail"]
    name = posted.get("newclient_contactname") or email
    save_user(tenant, {"name": name, "emailaddress": email, "site_id": site_id})


def _standing(rows: dict[int, Row], posted: Row, what: str) -> Row:
    """The row that a write updates, an empty one for a create."""
    if not posted.get("id"):
        return {}
    row = rows.get(posted["id"])
    if row is None:
        raise RefusalError(400, f"{what} {posted['id']} does not exist.")
    return row


def _merged(tenant: Tenant, entity: str, rows: dict[int, Row], new: Row, posted: Row) -> Row:
    """The stored row after a write: posted fields over what stands there or over the defaults."""
    row_id = posted.get("id") or tenant.store.next_id(entity)
    given = plain({key: value for key, value in posted.items() if value is not None})
    fresh = {**new, "datecreated": tenant.stamp()}
    row = {**(rows.get(row_id) or fresh), **given, "id": row_id}
    rows[row_id] = row
    tenant.store.touch(entity, row_id, tenant.stamp())
    return row
