"""A POST of the emulated Halo: an array is read, judged, saved as far as the tenant does, answered.

What Halo does with an array of more than one element is undocumented; the profiles hold what a
client has to survive.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from syncline.sandbox.halo.resources import references
from syncline.sandbox.halo.resources.columns import check_lengths
from syncline.sandbox.halo.resources.entity import Writing
from syncline.sandbox.halo.resources.fields import Convert, typed
from syncline.sandbox.halo.tenant.profiles import kept
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.wire.faults import AnswerDial
from syncline.sandbox.wire.service import Reply, Request


def elements(request: Request, known: dict[str, Convert]) -> list[Row]:
    """The elements of a posted array, their fields converted.

    Raises:
        RefusalError: 415 for another content type, 400 for what is no array of fitting objects.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise RefusalError(
            415, {"Message": f"The request entity's media type '{content_type}' is not supported."}
        )
    try:
        document = json.loads(request.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise RefusalError(400, {"": ["Unexpected character encountered while parsing."]}) from None
    return _typed(document, known)


def _typed(document: Any, known: dict[str, Convert]) -> list[Row]:
    if not isinstance(document, list):
        raise RefusalError(400, {"": ["The type requires a JSON array to deserialize correctly."]})
    wrong: dict[str, list[str]] = {}
    rows = [typed(one, known, f"[{at}]", wrong) for at, one in enumerate(document)]
    if wrong:
        raise RefusalError(400, wrong)
    return rows


def save_many(
    tenant: Tenant, writing: Writing, whole: Callable[[Row], Row], document: Any
) -> list[Row]:
    """Save every element of an array as a POST would, whatever a tenant's array may hold.

    Raises:
        RefusalError: for an element that is refused; none is saved then.
    """
    posted = _typed(document, dict(writing.fields))
    return [whole(row) for row in _saved(tenant, writing, posted, stepwise=False)]


def save(
    tenant: Tenant,
    writing: Writing,
    whole: Callable[[Row], Row],
    request: Request,
    dial: AnswerDial,
) -> Reply:
    """Save what the tenant saves of a posted array, and answer as it does.

    Args:
        tenant: whose rows they become.
        writing: how the entity is written.
        whole: a saved row as it is answered.
        request: the call.
        dial: how the answer is spoilt.

    Raises:
        RefusalError: for a body or an element that is refused.
    """
    posted = elements(request, dict(writing.fields))
    profile = tenant.profile
    chosen = [posted[at] for at in kept(profile.saving, len(posted))]
    _by_chance(tenant, chosen)
    saved = _saved(tenant, writing, chosen, stepwise=profile.keeps_before_bad)
    shown: list[Any] = [whole(row) for row in saved]
    if profile.reversed_answers:
        shown.reverse()
    if dial.out_of_order:
        shown.reverse()
    if dial.too_few:
        shown.pop()
    bare = profile.bare_single and len(shown) == 1
    return Reply(writing.status or profile.created_status, shown[0] if bare else shown)


def _by_chance(tenant: Tenant, chosen: list[Row]) -> None:
    """Let an array of several lose an element, or all of it for one, as the dial has it.

    Raises:
        RefusalError: 400 without a field.
    """
    if len(chosen) < 2 or tenant.store.chance.random() >= tenant.config.skipped_elements:
        return
    if tenant.store.chance.random() < 0.5:
        raise RefusalError(400, "An error occurred while saving.")
    del chosen[tenant.store.chance.randrange(len(chosen))]


def _saved(tenant: Tenant, writing: Writing, chosen: list[Row], *, stepwise: bool) -> list[Row]:
    """Save element by element until a bad one, or all of them unless one is bad."""
    chosen = [references.kept(tenant.store, row) for row in chosen]
    if not stepwise:
        for row in chosen:
            _check(tenant, writing, row)
        return [writing.save(tenant, row) for row in chosen]
    saved = []
    for row in chosen:
        _check(tenant, writing, row)
        saved.append(writing.save(tenant, row))
    return saved


def _check(tenant: Tenant, writing: Writing, row: Row) -> None:
    writing.check(tenant, row)
    check_lengths(tenant, writing.columns, row)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
