"""What each difference is mended by, and what is remembered of one that was accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.flows import projections
from syncline.flows.flow import Difference
from syncline.reconciliation.rules import Cause
from syncline.repair import rules
from syncline.repair.rules import Act

TOTAL = Difference("total", "10.00", "12.00")
LINES = [
    Difference("lines", "2", "1"),
    Difference("line mug: 1 at 5, tax 0", "1", ""),
    Difference("line cup: 2 at 5, tax 0", "", "1"),
]

fields = st.sampled_from(["total", "status", "lines", "line mug: 1 at 5, tax 0"])
differences = st.lists(
    st.builds(Difference, fields, st.sampled_from("abc"), st.sampled_from("xyz")),
    unique_by=lambda one: one.field,
)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_repair_or_a_reason_why_there_is_none(cause: Cause) -> None:
    act, why = rules.act_of(cause, "order", "total")
    assert (act is None) == bool(why)
    assert (act is None) == (cause is Cause.UNKNOWN_IN_HALO)


def test_a_fulfillment_is_never_posted_twice_and_a_voided_row_not_written() -> None:
    assert rules.act_of("missing", "fulfillment", "row")[0] is None
    assert rules.act_of("not_delivered", "fulfillment", "row")[0] is Act.REQUEST
    assert rules.act_of("changed_in_halo", "invoice", "voided")[0] is None
    assert rules.act_of("who knows", "order", "total") == (
        None,
        "Nothing is known to mend 'who knows'.",
    )


def test_only_what_is_still_as_it_was_shown_is_repaired() -> None:
    wanted = {"total", "status", "lines"}
    assert rules.moved_on("total", "12.00", wanted, [TOTAL]) is None
    assert "holds 12.00" in str(rules.moved_on("total", "11.00", wanted, [TOTAL]))
    assert "equal" in str(rules.moved_on("status", "3", wanted, [TOTAL]))
    assert "equal" in str(rules.moved_on("total", "12.00", wanted, []))
    assert rules.moved_on("lines", "cup: 2 at 5, tax 0 (1)", wanted, LINES) is None
    assert "changed since" in str(rules.moved_on("lines", "cup (2)", wanted, LINES))


def test_what_was_accepted_is_no_difference_until_a_value_moves() -> None:
    assert projections.remaining([TOTAL, *LINES], rules.accepting(LINES, {}, {"lines"})) == [TOTAL]
    accepted = rules.accepting([TOTAL], {}, {"total"})
    assert accepted == {"total": ["10.00", "12.00"]}
    assert projections.remaining([TOTAL, *LINES], accepted) == LINES
    moved = [TOTAL._replace(got="13.00"), TOTAL._replace(wanted="11.00")]
    assert projections.remaining(moved, accepted) == moved
    for fields_ in ({"lines", "total"}, {"total"}):
        with_lines = rules.accepting([TOTAL, *LINES], {}, fields_)
        assert projections.remaining([TOTAL, *LINES], with_lines) == []


@given(differences, st.sets(fields))
def test_accepting_takes_what_is_meant_and_nothing_else(
    found: list[Difference], meant: set[str]
) -> None:
    accepted = rules.accepting(found, {}, meant)
    left = projections.remaining(found, accepted)
    assert all(one.field not in meant for one in left)
    assert projections.remaining(found, rules.accepting(found, {})) == []
    assert rules.accepting(found, accepted, ()) == accepted
