"""A first row on which Halo keeps our reference otherwise: read by its id, and written anew.

But for a link no way finds such a row, so no other of its kind is written before it is mended.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.deliveries import target_rows, unleased
from syncline.deliveries.needs import Made
from syncline.deliveries.states import State
from syncline.deliveries.target_rows import ACCEPTED, accepted_in
from syncline.errors import Absent, Doubtful, Rejected, Unmappable, Unreadable
from syncline.halo.matching import reference
from syncline.sending.find import readable_id, reference_on
from syncline.sending.targets import Target


def kept_on(line: Line, target: Target, api: ApiCalls, made: Made) -> str | None:
    """What Halo keeps on the first row in place of our reference; None where that is not known.

    Raises:
        SynclineError: Halo could not be asked.
    """
    row_id = readable_id(target, made.target_id)
    if row_id is None:
        return None
    try:
        kept = reference_on(line, api, target, row_id)
    except (Absent, Doubtful, Rejected, Unmappable, Unreadable):
        return None
    ours = reference({target.key: target.reference(made.source_id, made.role)}, target.key)
    return None if kept == ours else kept


def write_anew(line: Line, target: Target, made: Made) -> None:
    """Have our reference written to the first row once more, whatever was accepted of it.

    If Halo keeps it otherwise again, that row is parked and says so.
    """
    fields = {target.resource.reference, target.resource.carries_too}

    def work(connection: Connection) -> None:
        standing = target_rows.of_ids(connection, [made.delivery]).get(made.delivery)
        if standing is None:
            return
        if standing.state == State.PARKED:
            unleased.retry(connection, None, number=standing.id)
            return
        accepted = accepted_in(standing.target_meta)
        left = {field: values for field, values in accepted.items() if field not in fields}
        unleased.overwrite(
            connection, standing, meta={ACCEPTED: left}, cause="our reference is written anew"
        )

    line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)
