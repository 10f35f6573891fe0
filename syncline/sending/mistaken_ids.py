"""Mistaken ids: Halo answered the making of a row with another id than the one it shows it under.

Nothing may be written to the id that was answered: it may be nobody's, or somebody else's row.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.deliveries import target_rows, unleased
from syncline.deliveries.needs import Made
from syncline.errors import Absent
from syncline.halo.matching import reference
from syncline.sending.find import read_row
from syncline.sending.targets import Target


def put_right(line: Line, target: Target, api: ApiCalls, made: Made, row_id: str) -> bool:
    """Forget the id that was answered, so that the row is looked up; parked where there are two.

    Args:
        line: the connection.
        target: the kind.
        api: how Halo is asked.
        made: the row, with the id that was answered.
        row_id: the id of the one row that shows its reference.

    Returns:
        Whether that was done. False where a worker has the delivery, or will write it: later.

    Raises:
        SynclineError: it could not be asked whether the answered id is ours as well.
    """
    are_two = _shows_ours(line, target, api, made)
    words = f"Halo answered the making of this {target.name} with id {made.target_id}"

    def work(connection: Connection) -> bool:
        standing = target_rows.of_ids(connection, [made.delivery]).get(made.delivery)
        if standing is None or standing.target_id != made.target_id:
            return False
        if are_two:
            reason = (
                f"{words}, and a look-up by its reference shows only {target.name} {row_id}: both "
                "carry the reference. Remove the one too many in Halo"
            )
            return unleased.park_changed(
                connection, standing, meta={}, reason=reason, field=target.resource.reference or ""
            )
        reason = f"{words}, and shows it with id {row_id}"
        return bool(unleased.make_again(connection, [standing], reason=reason, cause="found again"))

    return line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)


def _shows_ours(line: Line, target: Target, api: ApiCalls, made: Made) -> bool:
    """Whether the row with the answered id carries our reference too."""
    if target.resource.within or not made.target_id.isdecimal() or int(made.target_id) == 0:
        return False  # not to be read by that id
    try:
        row = read_row(line, api, target, int(made.target_id))
    except Absent:
        return False
    ours = target.reference(made.source_id, made.role)
    return reference(row, target.key).casefold() == ours.casefold()
