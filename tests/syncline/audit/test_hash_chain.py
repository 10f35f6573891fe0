"""The arithmetic of seals: what is public, what is personal, and that neither can be changed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncline.audit.hash_chain import (
    Split,
    digest_of,
    digests,
    genesis,
    next_head,
    public_of,
    split,
    without_personal,
)
from syncline.jsontext import loads

SALT = b"s" * 16
CONTACT = {"id": "c1", "name": "Ada Lovelace", "email": "ada@example.com", "phone": "+1 5"}


def change(**more: Any) -> dict[str, Any]:
    return {
        "source": "change",
        "id": 7,
        "place": "location:1",
        "kind": "order",
        "record": "o1",
        "version": 2,
        "fields": {"status": ["pending", "completed"], "contact": [None, CONTACT]},
        "cause": "pull 3",
        "fingerprint": "ab" * 32,
        **more,
    }


def effect(flow: str, after: dict[str, Any], record: str = "o1") -> dict[str, Any]:
    return {
        "source": "effect",
        "id": 9,
        "flow": flow,
        "record": record,
        "target_id": "77",
        "before": None,
        "after": after,
        "cause": "event 4",
    }


def of(entry: dict[str, Any]) -> tuple[Any, Any]:
    parts = split(entry)
    return loads(parts.public), None if parts.personal is None else loads(parts.personal)


def test_of_a_contact_only_its_id_is_public() -> None:
    public, personal = of(change())
    assert public["fields"] == {"status": ["pending", "completed"], "contact": [None, {"id": "c1"}]}
    assert ["fields", "contact", 1, "email", "ada@example.com"] in personal
    assert ["fingerprint", "ab" * 32] in personal
    assert "Ada" not in split(change()).public.decode()


def test_of_a_customer_only_ids_are_public_and_its_address_is_no_id() -> None:
    after = {"id": "5", "client_id": "5", "name": "Ada", "whatever": "Analytical Engines"}
    public, personal = of(effect("customers", after, record="email:ada@example.com"))
    assert public["after"] == {"id": "5", "client_id": "5"}
    assert "record" not in public
    assert ["record", "email:ada@example.com"] in personal


def test_of_an_effect_what_is_not_known_to_be_harmless_is_personal() -> None:
    after = {
        "po_number": "HL-o1",
        "total": "10.50",
        "currency_code": "1",
        "line Order HL-o1: 1 at 10.5, tax 0": "1",
        "customfields.CFnick": "Countess",
        "note": "for Ada",
    }
    public, _ = of(effect("orders", after))
    assert set(public["after"]) == set(after) - {"customfields.CFnick", "note"}


def test_a_persons_decision_is_public_but_for_addresses() -> None:
    public, _ = of(effect("command", {"state": "stopped", "email": "ada@example.com"}))
    assert public["after"] == {"state": "stopped"}


def test_a_form_without_personal_data_keeps_what_is_none() -> None:
    form = {"id": "o1", "amount": "1.00", "contact": CONTACT, "items": [{"name": "Tea"}]}
    assert without_personal(form) == {**form, "contact": {"id": "c1"}}
    payload = {"_id": "o1", "contactName": "Ada", "contactSnapshot": {"id": "c1", "firstName": "A"}}
    assert without_personal(payload) == {"_id": "o1", "contactSnapshot": {"id": "c1"}}
    assert without_personal({"id": "c1", "name": "Ada"}, whole=True) == {"id": "c1"}


_names = st.sampled_from(["status", "contact", "email", "amount", "items", "name", "id", "note"])
_values = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)
_documents = st.dictionaries(_names, _values, max_size=5)
_entries = st.builds(
    lambda kind, fields: change(kind=kind, fields=fields),
    st.sampled_from(["order", "customer"]),
    _documents,
) | st.builds(effect, st.sampled_from(["orders", "customers", "command"]), _documents)


@given(_entries)
def test_the_public_part_is_the_same_after_an_erasure(entry: dict[str, Any]) -> None:
    before = copy.deepcopy(entry)
    bare = public_of(entry)
    assert entry == before
    assert split({**bare, "fingerprint": None}).public == split(entry).public
    assert split(bare).personal is None


@given(_entries, _documents, st.booleans())
def test_another_content_has_another_digest(
    entry: dict[str, Any], other: dict[str, Any], is_change: bool
) -> None:
    name = "fields" if entry["source"] == "change" and is_change else "after"
    edited = {**entry, name: other}
    same = entry.get(name) == other
    assert (digests(split(entry), SALT) == digests(split(edited), SALT)) == same


def test_an_erased_entry_is_proved_by_the_digest_of_what_is_gone() -> None:
    whole = digests(split(change()), SALT)
    bare = split(public_of(change()))
    assert digest_of(bare.public, whole.personal) == whole.digest
    assert whole.personal != digests(split(change()), b"t" * 16).personal


def test_a_head_depends_on_all_before_it_and_on_its_position() -> None:
    first = digests(Split(b"{}", None), None).digest
    head = next_head(genesis("connection:1"), 1, first)
    assert head != next_head(genesis("connection:2"), 1, first)
    assert head != next_head(genesis("connection:1"), 2, first)
