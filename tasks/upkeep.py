"""Upkeep: the sweep, the schedule of pulls, the partitions ahead."""

from __future__ import annotations

from celery import shared_task

from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import flag


@shared_task(name="syncline.upkeep.sweep")
def sweep() -> None:
    """Look again at whatever is due, doubtful or owned by the dead."""
    from syncline.runtime.sweep import sweep as sweep_step

    here = worker()
    here.announce(sweep_step(here))


@shared_task(name="syncline.upkeep.schedule")
def schedule() -> None:
    """Enqueue the pulls whose turn has come."""
    from syncline.runtime.pull_schedule import due_pulls

    here = worker()
    here.announce(due_pulls(here))


@shared_task(name="syncline.upkeep.owe_again")
def owe_again(connection: str) -> None:
    """Look at all records of a connection once more, under a mapping that has changed."""
    from syncline.ingest.mapping_changed import request_again

    here = worker()
    here.nudges.clear(connection, Lane.UPKEEP, flag("owe_again", ""))
    request_again(here.open_line(connection))


@shared_task(name="syncline.upkeep.credentials")
def credentials() -> None:
    """Renew the tokens of installed apps before they are missed."""
    from syncline.credentials.oauth_refresh import refresh_due

    refresh_due(worker())


@shared_task(name="syncline.upkeep.partitions")
def partitions() -> None:
    """Make the months ahead ready to be written."""
    from syncline.ledger.partitions import ensure_partitions

    worker().ledger.run(ensure_partitions)


@shared_task(name="syncline.upkeep.seal")
def seal() -> None:
    """Seal the audit log's new entries, and write the heads of its chains outside."""
    from syncline.audit.seal_tick import keep_log

    keep_log(worker())


@shared_task(name="syncline.upkeep.retain")
def retain() -> None:
    """Drop what the settings do not want to be kept for longer."""
    from syncline.privacy.retention import retain as retain_step

    retain_step(worker())


@shared_task(name="syncline.upkeep.forget")
def forget() -> None:
    """Drop the ids of events that would be refused for their age, a bounded number at a time."""
    from syncline.webhooks.events import forget_seen

    here = worker()
    while here.ledger.run(lambda c: forget_seen(c, here.settings.webhook_max_age)):
        pass


@shared_task(name="syncline.upkeep.gaps")
def gaps() -> None:
    """Fetch what Halo tried to send and what never arrived."""
    from syncline.webhooks.gap_filling import fill_due_gaps

    fill_due_gaps(worker())


@shared_task(name="syncline.upkeep.dashboards")
def dashboards() -> None:
    """Write the figures of the dashboards in Halo where they are old, or urgent ones changed."""
    from syncline.dashboard.refresh import refresh_due as refresh

    refresh(worker())
