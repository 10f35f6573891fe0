"""A row that is read by its id is that row and no other."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import Unreadable
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import ORDER, SITE, WEBHOOK, AnyResource
from syncline.halo.entities.rows import read_row
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer

UUID = "0b0c6a0e-52f1-4a55-9f0c-1d2e3f4a5b6c"


@pytest.mark.parametrize("told", [6, "6", 55])
def test_a_row_that_is_answered_under_another_id_is_unreadable(
    server: HaloServer, client: HaloClient, permit: Permit, told: Any
) -> None:
    server.on("GET /api/SalesOrder/5", lambda _: (200, {"id": told}))
    with pytest.raises(Unreadable, match=f"SalesOrder/5 with the row {told}"):
        read_row(client, permit, ORDER, 5)


@pytest.mark.parametrize(
    ("resource", "asked", "told"),
    [(ORDER, 5, "5"), (SITE, 12, 12.0), (SITE, "12", 12), (WEBHOOK, UUID, f"{{{UUID.upper()}}}")],
)
def test_an_id_that_is_only_written_otherwise_is_the_same(
    server: HaloServer,
    client: HaloClient,
    permit: Permit,
    resource: AnyResource,
    asked: int | str,
    told: Any,
) -> None:
    server.on(f"GET /api{resource.path}/{asked}", lambda _: (200, {"id": told}))
    assert read_row(client, permit, resource, asked).raw["id"] == told
