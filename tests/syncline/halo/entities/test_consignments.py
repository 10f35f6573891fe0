from __future__ import annotations

from decimal import Decimal

import pytest

from syncline.errors import Absent, Unreadable
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import CONSIGNMENT, ORDER
from syncline.halo.entities.rows import read_row
from syncline.transport import Permit
from tests.syncline.halo.conftest import HaloServer


def test_a_consignment_is_read_with_its_lines(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on(
        "GET /api/Consignment/17",
        lambda _: (
            200,
            {
                "id": 17,
                "salesorder_id": 5,
                "date": "2026-03-01T10:00:00",
                "note": None,
                "is_return": False,
                "lines": [
                    {
                        "id": 1,
                        "salesorder_line": "3",
                        "quantity": 2.0,
                        "name": "Box",
                        "item_externalreference": "sku",
                    }
                ],
            },
        ),
    )
    row = read_row(client, permit, CONSIGNMENT, 17)
    assert (row.id, row.salesorder_id, row.note, row.is_return) == (17, 5, "", False)
    assert [(line.salesorder_line, line.quantity, line.name) for line in row.lines] == [
        (3, Decimal("2.0"), "Box")
    ]
    assert row.raw["date"] == row.date
    assert server.calls[-1].query == {"includedetails": "true"}


def test_a_consignment_that_is_not_there_is_absent(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    with pytest.raises(Absent):
        read_row(client, permit, CONSIGNMENT, 9)


def test_a_consignment_without_an_id_is_unreadable(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    server.on("GET /api/Consignment/1", lambda _: (200, {"id": "x"}))
    with pytest.raises(Unreadable):
        read_row(client, permit, CONSIGNMENT, 1)


def test_the_line_of_an_order_names_its_consignments(
    server: HaloServer, client: HaloClient, permit: Permit
) -> None:
    line = {"id": 3, "quantity_shipped": 2, "consignment_ids": [17, "18", None, "x"]}
    server.on("GET /api/SalesOrder/5", lambda _: (200, {"id": 5, "lines": [line, {"id": 4}]}))
    lines = read_row(client, permit, ORDER, 5).lines
    assert [one.consignment_ids for one in lines] == [[17, 18], []]
