"""The same list of transactions, loaded into PostgreSQL by `dlt`, as a yardstick."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import URL

from syncline.sandbox.config import LOCATION, TOKEN

PAGE = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows were loaded, in how many seconds."""

    rows: int
    seconds: float


def load_with_dlt(highlevel_url: str, database: URL) -> Loaded:
    """Load all transactions, page by page, merged by `_id` into a schema of its own."""
    with tempfile.TemporaryDirectory(prefix="syncline-dlt-") as folder:
        # Read when it is imported.
        os.environ.update({"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false"})
        import dlt  # noqa: PLC0415

        target = database.set(drivername="postgresql").render_as_string(hide_password=False)
        pipeline = dlt.pipeline(
            pipeline_name="transactions",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(credentials=target),
            dataset_name="loaded_by_dlt",
        )
        counted = [0]
        resource = dlt.resource(
            _counted(_pages(highlevel_url), counted),
            name="transactions",
            primary_key="_id",
            write_disposition="merge",
        )
        began = time.monotonic()
        pipeline.run(resource)
        return Loaded(counted[0], time.monotonic() - began)


def _counted(pages: Iterator[list[dict[str, Any]]], into: list[int]) -> Iterator[Any]:
    for page in pages:
        into[0] += len(page)
        yield page


def _pages(highlevel_url: str) -> Iterator[list[dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Version": "2021-07-28"}
    params = {"altId": LOCATION, "altType": "location", "limit": str(PAGE)}
    with httpx.Client(base_url=highlevel_url, headers=headers, trust_env=False) as client:
        offset, total = 0, 1
        while offset < total:
            answer = client.get("/payments/transactions", params={**params, "offset": str(offset)})
            answer.raise_for_status()
            document = answer.json()
            total = document["totalCount"]
            offset += len(document["data"])
            yield document["data"]
