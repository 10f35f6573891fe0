"""What the ledger's database tells of an error."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from syncline.ledger.database import Ledger


def test_an_error_of_the_database_does_not_tell_what_was_written(ledger: Ledger) -> None:
    with pytest.raises(DataError) as raised, ledger.begin() as connection:
        connection.execute(text("select cast(:text as bigint), :who"), {"text": "x", "who": "Ann"})
    assert "Ann" not in str(raised.value)
