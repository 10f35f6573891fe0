from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from syncline.highlevel import models

SCHEMA = Path(__file__).parents[4] / "shared/apis/highlevel/payments.json"
SEEN_IN_EVENTS_ONLY = {"taxSummary"}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (models.ListedOrder, "OrderResponseSchema"),
        (models.OrderDetail, "GetOrderResponseSchema"),
        (models.TransactionRow, "TxnResponseSchema"),
        (models.TransactionDetail, "GetTxnResponseSchema"),
        (models.SubscriptionRow, "SubscriptionResponseSchema"),
        (models.SubscriptionDetail, "GetSubscriptionResponseSchema"),
        (models.RecordSource, "OrderSource"),
        (models.Schedule, "ScheduleOptionsDto"),
        (models.Recurrence, "CustomRRuleOptionsDto"),
    ],
)
def test_every_property_that_is_read_is_published(model: type[BaseModel], name: str) -> None:
    if not SCHEMA.exists():
        pytest.skip("the published schema is not beside this checkout")
    document: dict[str, Any] = json.loads(SCHEMA.read_text())
    published = set(document["components"]["schemas"][name]["properties"])
    read = {field.alias or key for key, field in model.model_fields.items()}
    assert read - SEEN_IN_EVENTS_ONLY <= published
