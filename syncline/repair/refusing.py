"""What of parked deliveries cannot be accepted, as far as the ledger alone tells it."""

from __future__ import annotations

from syncline.alerts.targets import TARGETS
from syncline.deliveries.target_rows import TargetRow
from syncline.flows import customers, fulfillments
from syncline.halo_changes.unit_of_work import FLOW as HALO_READINGS
from syncline.repair.plan import hindered
from syncline.sending.restored.ownership import NOT_OURS

_IS_GONE = ("is gone from Halo", NOT_OURS)
_SEVERAL_ROWS = "Halo holds several rows "
_OTHERS_WAIT = " is written, since none could be found again "
"""In the reason of a first row of its kind, on which Halo keeps our reference otherwise."""

_CLIENT: customers.Role = "client"

_NOTHING = (
    "Halo holds no row of it, so there is nothing to take. Correct what the reason names, then: "
    "syncline parked retry {number}"
)
_READING = (
    "It is a reading of HighLevel, which something may wait for: do what the reason says, then "
    "retry it."
)
_NEEDED = (
    "What this customer buys needs its client, so it cannot stay gone. Have it looked up, and made "
    "again if it is not there: {how}"
)
_SEVERAL = "One of them is to stay. Remove the others in Halo, then: syncline parked retry {number}"


def why_refused(standing: TargetRow) -> str:
    """Why what the other side holds cannot be taken, whatever that is; "" where it may be."""
    why = hindered(standing)
    if why or standing.target == fulfillments.TARGET or standing.flow == HALO_READINGS:
        return why
    if standing.target not in TARGETS:
        return _READING
    reason = standing.reason or ""
    if reason.startswith(_SEVERAL_ROWS):
        return _SEVERAL.format(number=standing.id)
    if any(said in reason for said in _IS_GONE):
        return needed(standing)
    return "" if standing.target_id is not None else _NOTHING.format(number=standing.id)


def needed(standing: TargetRow) -> str:
    """Why a row that is gone cannot stay gone; "" if it can."""
    if standing.target != _CLIENT:
        return ""
    is_parked = standing.state == "parked"
    how = f"syncline parked retry {standing.id}" if is_parked else "syncline discrepancies apply"
    return _NEEDED.format(how=how)


def may_be_accepted(standing: TargetRow) -> bool:
    """Whether a person is offered to accept it; what the other side holds has the last word."""
    return not why_refused(standing) and _OTHERS_WAIT not in (standing.reason or "")
