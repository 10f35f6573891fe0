"""Every effect outside has an audit entry that names its cause; nobody is mailed or billed."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.variants import mostly
from tests.world import Worlds, small


@pytest.mark.parametrize("profile", mostly("generous"))
def test_every_row_in_halo_has_its_entry_and_none_made_a_noise(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile)
    sandbox.faults(kind="cut_after", side="halo", operation="POST /SalesOrder", probability=0.3)
    world = worlds()
    world.request_pull()
    world.drive()
    sandbox.faults()
    sandbox.change_orders(2, fields="amount")
    world.pull()
    world.drive()
    verdict = sandbox.audit()
    assert verdict["clean"]
    assert [verdict[kind] for kind in ("mailed", "generated", "automations")] == [[], [], []]
    unaccounted = world.rows(
        """
        select d.target, d.source_id from delivery d
        where d.target in ('order', 'client', 'user') and d.target_id is not null
          and not exists (
            select 1 from audit_entry a
            where a.source_id = d.source_id and a.role = d.role and a.target_id = d.target_id
              and a.version = d.delivered_version and a.cause <> '' and a.call_id is not null)
        """
    )
    assert unaccounted == []
