"""A sandbox that is started on a kept state goes on where it was."""

from __future__ import annotations

import time
from pathlib import Path

from syncline.sandbox.admin.routes import Admin
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.sandbox.keeping.journal import Journal
from syncline.sandbox.keeping.state import Answered, Delivered, Effect, Record
from syncline.sandbox.services import Sandbox
from syncline.sandbox.wire.service import Reply


def restarted(
    config: SandboxConfig, path: Path, keys: SigningKeys | None, *, anew: bool = False
) -> Sandbox:
    """The sandbox that a file keeps, or a new one that is kept there from now on.

    Args:
        config: of a new one; one that was kept stays as it was set.
        path: the file.
        keys: what HighLevel's events are signed with.
        anew: forget what was kept.

    Raises:
        StateError: the file cannot be taken up.
    """
    journal = Journal(path)
    if anew:
        journal.discard()
    kept = journal.read()
    if kept is None:
        sandbox = Sandbox(config, keys=keys)
    else:
        state, records = kept
        sandbox = Sandbox(config, keys=keys, state=state)
        _repeat(sandbox, records)
    sandbox.keep_in(journal)
    return sandbox


def _repeat(sandbox: Sandbox, records: list[Record]) -> None:
    """Let everything happen again that came after the snapshot, at its time and unheard outside."""
    store, sending = sandbox.halo.tenant.store, sandbox.halo.afterwards
    admin, calls = Admin(sandbox), {call.id: call for call in sandbox.calls.calls}
    sandbox.outbox.is_muted, sandbox.halo.afterwards = True, store.occurrences.clear
    for record in records:
        if isinstance(record, Answered):
            calls[record.call.id] = record.call
            sandbox.limits[record.call.side].admit(record.monotonic, record.call.at)
        elif isinstance(record, Delivered):
            store.deliveries.append(record.row)
            store.sent.update(record.sent)
        else:
            with sandbox.now.held(record.at):
                _have_effect(sandbox, admin, record)
    sandbox.outbox.is_muted, sandbox.halo.afterwards = False, sending
    sandbox.calls.renew(calls.values())
    for side in sandbox.limits.values():
        side.judge.take_up(time.monotonic())


def _have_effect(sandbox: Sandbox, admin: Admin, effect: Effect) -> None:
    if effect.place == "marketplace":
        sandbox.install(effect.request)
    elif effect.place == "admin":
        begun = admin.begin(effect.request)
        if not isinstance(begun, Reply):
            # What remains is only sending, which is done.
            begun.close()
    else:
        sandbox.gateways[effect.place].repeat(effect.request)
