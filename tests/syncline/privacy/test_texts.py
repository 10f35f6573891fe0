"""What names a contact in texts, and what is left of these."""

from __future__ import annotations

import re

from syncline.privacy.texts import pattern_of, redacted

ADA = {"id": "c1", "name": "Ada Lovelace", "phone": "+44 20 7946", "company": 'The "Engines" Ltd'}


def test_names_and_addresses_are_taken_out_of_texts_and_nothing_else() -> None:
    pattern = pattern_of([ADA, {"id": "c1", "name": "text"}], {"ada@example.com"})
    assert pattern is not None
    said = {
        "text": ["ADA LOVELACE <Ada@Example.com>, +44 20 7946", 'of The "Engines" Ltd', 7, None],
        "c1": "text",
    }
    assert redacted(said, pattern) == {
        "text": ["[erased] <[erased]>, [erased]", "of [erased]", 7, None],
        "c1": "text",
    }
    # As the text of a JSON document, in which PostgreSQL looks for it.
    assert re.search(pattern, r'{"text": "of The \"Engines\" Ltd"}')


def test_of_whom_nothing_but_an_id_is_known_nothing_is_looked_for() -> None:
    assert pattern_of([{"id": "c1"}, {"name": ""}], set()) is None
