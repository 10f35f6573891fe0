"""Consignments in Halo: one function an operation.

Source: /Consignment with schema ConsignmentHeader. Its list takes only paging and an order; by
sales order it cannot be filtered.
"""

from __future__ import annotations

from syncline.halo.client import HaloClient
from syncline.halo.models import ConsignmentRow
from syncline.halo.reading import read_one
from syncline.transport import Permit

PATH = "/Consignment"


def get_consignment(client: HaloClient, permit: Permit, consignment_id: int) -> ConsignmentRow:
    """One consignment with its lines.

    Raises:
        Absent: there is no such consignment.
        Unreadable: the answer is not one consignment.
    """
    return read_one(client, permit, PATH, consignment_id, ConsignmentRow)
