"""Clients and users in Halo: one function an operation.

Source: /Client with schema Area, /Users with schema Users; POST takes an array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.client import HaloClient
from syncline.halo.models import ClientRow, UserRow
from syncline.halo.paging import PageWalk
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

CLIENT_PATH, USER_PATH = "/Client", "/Users"
CLIENT_KEY, USER_KEY = "ref", "emailaddress"
"""The fields that carry our reference."""

# Inactive rows are listed too, or a customer that was switched off would be created again.
_ALL = {"includeactive": "true", "includeinactive": "true"}


def save_clients(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[ClientRow]:
    """Create or update clients; match the rows by `CLIENT_KEY`.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused.
    """
    return save(client, permit, CLIENT_PATH, elements_, ClientRow)


def save_users(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[UserRow]:
    """Create or update users; match the rows by `USER_KEY`.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused.
    """
    return save(client, permit, USER_PATH, elements_, UserRow)


def get_client(client: HaloClient, permit: Permit, client_id: int) -> ClientRow:
    """One client with its main site.

    Raises:
        Absent: there is no such client.
        Unreadable: the answer is not one client.
    """
    return read_one(client, permit, CLIENT_PATH, client_id, ClientRow)


def get_user(client: HaloClient, permit: Permit, user_id: int) -> UserRow:
    """One user.

    Raises:
        Absent: there is no such user.
        Unreadable: the answer is not one user.
    """
    return read_one(client, permit, USER_PATH, user_id, UserRow)


def client_walk() -> PageWalk:
    """A walk over all clients, newest first."""
    return PageWalk({**_ALL, "order": "id", "orderdesc": "true"}, key="clients")


def user_walk() -> PageWalk:
    """A walk over all users, newest first."""
    return PageWalk({**_ALL, "order": "id", "orderdesc": "true"}, key="users")


def list_clients_page(client: HaloClient, permit: Permit, walk: PageWalk) -> list[ClientRow]:
    """The next page of a `client_walk`: the clients not seen before.

    Raises:
        Unreadable: the answer is no list of clients.
    """
    params = walk.pending()
    if params is None:
        return []
    received = client.get(CLIENT_PATH, params, permit)
    return ClientRow.all_of(walk.take(received.document))


def list_users_page(client: HaloClient, permit: Permit, walk: PageWalk) -> list[UserRow]:
    """The next page of a `user_walk`: the users not seen before.

    Raises:
        Unreadable: the answer is no list of users.
    """
    params = walk.pending()
    if params is None:
        return []
    received = client.get(USER_PATH, params, permit)
    return UserRow.all_of(walk.take(received.document))
