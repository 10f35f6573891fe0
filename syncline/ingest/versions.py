"""A version of a record, as it asks for deliveries."""

from __future__ import annotations

from dataclasses import dataclass

from syncline.ingest.rereading import Canonical


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record."""

    foreign_id: str
    version: int
    canonical: Canonical
