from __future__ import annotations

import pytest

from syncline.errors import BadDocument
from syncline.mapping.describe import describe
from syncline.mapping.parsing import load, problems

GOOD = '[[orders.status]]\norder = "completed"\npayment = "paid"\nhalo = 3\n'

ALL_PAID = '[[orders.status]]\npayment = ["unpaid", "partially_paid", "paid"]\nhalo = 1\n'
ALL_REFUNDED = '[[orders.status]]\npayment = ["refunded", "partially_refunded"]\nhalo = 2\n'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[orders.status]]\nhalo = 0", 2, "orders.status.halo"),
        ('[[orders.status]]\norder = "a"', 1, "halo is missing"),
        ('[[orders.status]]\nhalo = 1\npayment = "payed"', 3, "'unpaid', 'partially_paid'"),
        ("[[orders.status]]\nhalo = 1\nfulfillment = []", 3, "at least 1 item"),
        ("[[orders.status]]\nhalo = 1\norders = 2", 3, "did you mean order"),
        ("[orders]\nstatus = 3", 2, "halo is missing"),
        (f"{GOOD}{GOOD}", 5, "never reached"),
        (f"[[orders.status]]\nhalo = 1\n{GOOD}", 3, "never reached"),
        (
            f"{ALL_PAID}{ALL_REFUNDED}[[orders.status]]\nhalo = 3",
            7,
            "never reached",
        ),
        (
            f'{GOOD}[[orders.field]]\ntarget = "status"\nsource = "amount"',
            5,
            "by orders.status and by a row",
        ),
    ],
)
def test_what_is_wrong_in_the_table_is_said_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadDocument) as raised:
        load(text)
    assert (raised.value.line, says in raised.value.what) == (line, True), raised.value.what


def test_a_row_that_takes_what_is_left_is_reached() -> None:
    assert problems(f"{GOOD}[[orders.status]]\nhalo = 4") == []
    assert problems(f'{GOOD}[[orders.status]]\norder = ["completed", "open"]\nhalo = 4') == []


def test_the_table_is_shown_with_the_options_of_orders() -> None:
    [flow] = describe(load(f"{GOOD}[[orders.status]]\nhalo = 4"), {}, ["orders"])
    said = {one.name: (one.value, one.meaning) for one in flow.options}
    assert said["status 1"] == ("3", "status in Halo for order completed, payment paid")
    assert said["status 2"] == ("4", "status in Halo for everything else")
