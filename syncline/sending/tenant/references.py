"""Rows that hold all that was sent, while Halo keeps our reference on them otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncline.deliveries.delivery import Confirmation
from syncline.deliveries.target_rows import ACCEPTED, accepted_in
from syncline.flows import projections
from syncline.flows.flow import Difference
from syncline.halo.entities.resources import AnyResource


def only_reference(resource: AnyResource, different: Sequence[Difference]) -> bool:
    """Whether a row holds all that was sent but for our reference."""
    fields = {resource.reference, resource.carries_too}
    return bool(different) and all(one.field in fields for one in different)


def reference_is_accepted(held: Confirmation, different: Sequence[Difference]) -> bool:
    """Whether it is accepted that Halo keeps our reference just so: by a person, or for a link."""
    return not projections.remaining(different, accepted_in(held.lease.target_meta))


def is_left(resource: AnyResource, held: Confirmation, different: Sequence[Difference]) -> bool:
    """Whether a row holds all that was sent but for our reference, which is left as it is kept."""
    return only_reference(resource, different) and reference_is_accepted(held, different)


def taking(held: Confirmation, different: Sequence[Difference]) -> Confirmation:
    """The confirmation of a row whose reference is left as Halo keeps it.

    It is remembered as what a person accepts is, so that nobody writes over it or asks about it.
    """
    kept = {one.field: [one.wanted, one.got] for one in different}
    return replace(held, meta={**(held.meta or {}), ACCEPTED: kept})


def reason_of(name: str, row_id: str, difference: Difference, *, is_first: bool) -> str:
    """Why such a row needs a person.

    Args:
        name: what kind of row it is.
        row_id: Halo's id of it.
        difference: in our reference.
        is_first: whether others of its kind wait until one is found again.
    """
    told = (
        f"Halo keeps our reference {difference.wanted} as {difference.got or 'nothing'}: "
        f"{name} {row_id} holds all else as it was sent."
    )
    if not is_first:
        return told
    return (
        f"{told} No other {name} is written, since none could be found again after an unknown "
        f"outcome. {remedy_of(difference.field, 'this')}"
    )


def reasons_of(
    resource: AnyResource, held: Confirmation, different: Sequence[Difference], *, is_first: bool
) -> dict[int, str]:
    """Why a row needs a person where it is more than a difference, by the delivery's number.

    Args:
        resource: what kind of row it is.
        held: the row.
        different: what differs in it.
        is_first: whether others of its kind wait until one is found again.
    """
    if not (is_first and only_reference(resource, different)):
        return {}
    told = reason_of(held.lease.target, held.target_id or "", different[0], is_first=True)
    return {held.lease.id: told}


def remedy_of(field: str, which: str) -> str:
    """What is to be done where others of the kind wait.

    Args:
        field: the one with our reference.
        which: what is to be retried.
    """
    return (
        f"Have Halo keep {field} as it is sent, whole, in its letter case and without a number of "
        f"its own. Then retry {which}: our reference is written anew, and the others go on"
    )
