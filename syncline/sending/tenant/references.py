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


def taking(held: Confirmation, different: Sequence[Difference]) -> Confirmation:
    """The confirmation of a row whose reference is left as Halo keeps it.

    It is remembered as what a person accepts is, so that nobody writes over it or asks about it.
    """
    kept = {one.field: [one.wanted, one.got] for one in different}
    return replace(held, meta={**(held.meta or {}), ACCEPTED: kept})


def reason_of(name: str, row_id: str, difference: Difference) -> str:
    """Why such a row needs a person."""
    return (
        f"Halo keeps our reference {difference.wanted} as {difference.got or 'nothing'}: "
        f"{name} {row_id} holds all else as it was sent."
    )
