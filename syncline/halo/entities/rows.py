"""What is done with the rows of any resource: saved, read by id, listed, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from syncline import leniency
from syncline.errors import Doubtful, Unreadable
from syncline.halo.answers import Listing, elements, listing
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import AnyResource, Resource
from syncline.halo.lines import SPELLINGS, Spelling
from syncline.halo.models import HaloRow, whole
from syncline.halo.paging import PageWalk
from syncline.strangers import LOOK_UP
from syncline.transport import Permit

Row = TypeVar("Row", bound=HaloRow)

_OK = 200
_COMPARE = "Compare the row in Halo, then retry. If it stays so, ask Halo's support."


def save_rows(
    client: HaloClient,
    permit: Permit,
    resource: Resource[Row],
    bodies: Sequence[Mapping[str, Any]],
    spelling: Spelling = SPELLINGS[0],
) -> list[Row]:
    """Create or update rows: a body with an `id` updates.

    The rows come as Halo gave them: fewer, more, in any order. Match them by their reference.

    Args:
        client: of the tenant.
        permit: leave to make this call.
        resource: whose rows they are.
        bodies: the elements.
        spelling: under which names the tenant takes the lines of orders.

    Raises:
        Doubtful: the outcome is unknown, also where Halo reports success but its answer cannot be
            read.
        MissingScope: our application may not.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    path = resource.path
    received = client.post(path, [resource.outgoing(body, spelling) for body in bodies], permit)
    try:
        return resource.model.all_of(elements(received.document, resource.list_key))
    except Unreadable as error:
        raise Doubtful(
            f"Halo took POST {path}, but what it saved cannot be read: {error.what}",
            remedy=LOOK_UP,
            status=received.status,
            call_id=permit.call_id,
        ) from error


def save_row(
    client: HaloClient, permit: Permit, resource: Resource[Row], body: Mapping[str, Any]
) -> Row:
    """Create or update one row.

    Raises:
        Doubtful: the outcome is unknown, also where Halo answers with other than one row.
        MissingScope: our application may not.
        Rejected: Halo refused.
    """
    rows = save_rows(client, permit, resource, [body])
    if len(rows) != 1:
        raise Doubtful(
            f"Halo answered POST {resource.path} of one element with {len(rows)}.",
            remedy=LOOK_UP,
            status=_OK,
            call_id=permit.call_id,
        )
    return rows[0]


def read_row(client: HaloClient, permit: Permit, resource: Resource[Row], row_id: int | str) -> Row:
    """One row with its details.

    Raises:
        Absent: there is no such row.
        Unreadable: the answer is not one row or another one's, or no row is known by its id alone.
    """
    if resource.within:
        raise Unreadable(
            f"{resource.name.capitalize()} {row_id} can only be read among those of its"
            f" {resource.within}."
        )
    path = f"{resource.path}/{row_id}"
    received = client.get(path, {"includedetails": "true"}, permit)
    found = elements(received.document, resource.list_key)
    if len(found) != 1:
        raise Unreadable(f"Halo answered with {len(found)} rows for {path}.", remedy=_COMPARE)
    row = resource.model.of(found[0])
    if _normal(row.id) != _normal(row_id):
        raise Unreadable(f"Halo answered {path} with the row {row.id}.", remedy=_COMPARE)
    return row


def _normal(row_id: int | str) -> str:
    """An id as it is compared: a number as one, a UUID without what some write around it."""
    number = whole(row_id)
    return str(row_id).strip("{}").lower() if number is None else str(number)


def delete_row(
    client: HaloClient, permit: Permit, resource: AnyResource, row_id: int | str
) -> None:
    """Remove one row.

    Raises:
        Absent: there is no such row.
        Rejected: Halo refused.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{resource.path}/{row_id}", permit)


MayBe = Callable[[Mapping[str, Any]], bool]
"""Whether a row that has no id may be what is looked for."""


def list_rows(
    client: HaloClient,
    permit: Permit,
    resource: Resource[Row],
    params: Mapping[str, str] | None = None,
    *,
    sought: MayBe = lambda _: True,
) -> list[Row]:
    """A list that is not paged, without the rows that have no id.

    Args:
        client: of the tenant.
        permit: leave to make this call.
        resource: whose rows they are.
        params: what stands in for the filters of the resource.
        sought: what shall not be taken for absent, so that it must be read.

    Raises:
        MissingScope: our application may not see it.
        Unreadable: the answer is no list, or a row that may be what is sought cannot be read.
    """
    found = _listed(client, permit, resource, params)
    rows, without_id = resource.model.legible(found.rows)
    refuse_hidden(resource, [*found.illegible, *without_id], sought)
    return rows


def list_legible(
    client: HaloClient,
    permit: Permit,
    resource: Resource[Row],
    params: Mapping[str, str] | None = None,
) -> list[Row]:
    """A list of settings, of which each row says something by itself: those that can be read.

    Nothing may be concluded from what it does not show.

    Raises:
        MissingScope: our application may not see it.
        Unreadable: the answer is no list.
    """
    rows, _ = resource.model.legible(_listed(client, permit, resource, params).rows)
    return rows


def _listed(
    client: HaloClient, permit: Permit, resource: AnyResource, params: Mapping[str, str] | None
) -> Listing:
    sent = resource.filters if params is None else params
    found = listing(client.get(resource.path, sent, permit).document, resource.list_key)
    _note_illegible(resource, found.illegible)
    return found


def refuse_hidden(resource: AnyResource, illegible: Iterable[Any], sought: MayBe) -> None:
    """Refuse to take something for absent that may be among what was left out of a list.

    Raises:
        Unreadable: something left out may be what is sought.
    """
    if any(not isinstance(one, Mapping) or sought(one) for one in illegible):
        raise Unreadable(
            f"Halo's list {resource.path} shows a {resource.name} without an id, which may be the"
            " one that is looked for.",
            remedy="Correct it in Halo, then try again. If it stays so, ask Halo's support.",
        )


def count_rows(client: HaloClient, permit: Permit, resource: AnyResource) -> int | None:
    """How many rows a list has, where Halo tells it; its first page is as small as can be.

    Raises:
        MissingScope: our application may not see it.
        Unreadable: the answer is no list.
    """
    params = {"pageinate": "true", "page_size": "1", "page_no": "1"}
    received = client.get(resource.path, params, permit)
    return listing(received.document, resource.list_key).record_count


def walk_of(resource: AnyResource) -> PageWalk:
    """A walk over all rows, the newest first."""
    return PageWalk(resource.newest_first, key=resource.list_key)


def next_page(
    client: HaloClient, permit: Permit, resource: Resource[Row], walk: PageWalk
) -> list[Row]:
    """The next page of a walk over a list of the resource: the rows not seen before.

    The walk keeps what has no id: it may be what is looked for.

    Raises:
        Unreadable: the answer is no list.
    """
    params = walk.pending()
    if params is None:
        return []
    received = client.get(resource.path, params, permit)
    known = len(walk.illegible)
    rows, without_id = resource.model.legible(walk.take(received.document))
    _note_illegible(resource, walk.illegible[known:])
    walk.illegible += without_id
    return rows


def _note_illegible(resource: AnyResource, illegible: Iterable[Any]) -> None:
    """Note what stands in a list and is no row at all."""
    for _ in illegible:
        leniency.note("halo", resource.model.kind(), ["[]"], "")
