"""Parked deliveries by cause, against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text

from syncline.deliveries import causes, leased, parked, requests, unleased
from syncline.deliveries.requests import DeliveryRequest
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from tests.moves import by_hand

TEXTS = (
    'Order {id} has no items. Set lines = "summary", or add the items, then retry.',
    "The item {name} is in EUR, its order in USD. Correct the price's currency, then retry.",
    "The item {name} has no price.",
    "The lines sum to {amount}, but the order's amount is {amount}. Then retry.",
    "total: wanted {amount}, Halo holds {amount}",
    "reference: wanted {name}, Halo holds {name}",
    "sent 12 times in a row without effect; site: wanted {name}, Halo holds {name}",
    "Halo holds several rows with reference HL-{id}: {number}",
    "Halo holds several rows with reference HL-{id}: {number}, {number}, {number}",
    "order {number} was there and is gone from Halo",
    "currency_code: the table currencies has no row for {quoted}.",
    "lines.quantity is {quoted}, not an amount.",
    "total is {amount} USD, which has more digits than USD allows.",
    "Halo answered POST /SalesOrder with 400: the customer's site {quoted} isn't that of {email}",
    "HighLevel answered GET /payments/orders/{id} with 422: altId must be a string",
)
MOVES = {"id", "name", "amount", "number", "quoted", "email"}

VALUES = {
    "id": st.from_regex(r"\A[0-9a-f]{24}\Z").filter(lambda one: not one.isalpha()),
    "name": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    "amount": st.decimals(-99_999, 999_999, places=2).map(str)
    | st.decimals(1000, 999_999, places=2).map(lambda one: f"{one:,}"),
    "number": st.integers(0, 10**9).map(str),
    "quoted": st.text(st.characters(exclude_categories=["Cs"])).map(repr),
    "email": st.from_regex(r"\A[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,9}\.(com|example)\Z"),
}


@st.composite
def of_one_cause(draw: st.DrawFn) -> tuple[str, str]:
    template = draw(st.sampled_from(TEXTS))
    return _filled(draw, template), _filled(draw, template)


def _filled(draw: st.DrawFn, template: str) -> str:
    filled = template
    for name in MOVES:
        for _ in range(template.count(f"{{{name}}}")):
            filled = filled.replace(f"{{{name}}}", draw(VALUES[name]), 1)
    return filled


def cause_of(
    ledger: Ledger,
    reason: str,
    *,
    flow: str = "orders",
    target: str = "order",
    field: str | None = "total",
    source_id: str = "o1",
) -> Any:
    return ledger.run(
        lambda c: c.execute(
            text(
                f"""
                select {causes.ID} as id, {causes.SAID} as said
                from (select cast(:reason as text) as reason, cast(:source_id as text) as source_id,
                             cast(:flow as text) as flow, cast(:target as text) as target,
                             cast(:field as text) as field) as one
                """  # noqa: S608 - built from constants
            ),
            {
                "reason": reason,
                "source_id": source_id,
                "flow": flow,
                "target": target,
                "field": field,
                **causes.PATTERNS,
            },
        ).one()
    )


against_the_database = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@against_the_database
@given(pair=of_one_cause())
def test_reasons_that_differ_only_in_ids_amounts_names_and_quoted_values_have_one_cause(
    ledger: Ledger, pair: tuple[str, str]
) -> None:
    one, other = (cause_of(ledger, reason) for reason in pair)
    assert one == other


@against_the_database
@given(
    pair=of_one_cause(),
    fields=st.lists(
        st.none() | st.text(st.characters(codec="ascii", categories=["L"])),
        min_size=2,
        max_size=2,
        unique=True,
    ),
)
def test_different_fields_never_share_a_cause(
    ledger: Ledger, pair: tuple[str, str], fields: list[str | None]
) -> None:
    one, other = (
        cause_of(ledger, reason, field=field) for reason, field in zip(pair, fields, strict=True)
    )
    assert one.id != other.id


def test_each_of_our_texts_is_a_cause_of_its_own_and_keeps_its_words(ledger: Ledger) -> None:
    plain = {"id": "6578a1b2c3d4e5f607182930", "name": "Tea", "amount": "1.50", "number": "7"}
    given_texts = [one.format(**plain, quoted="'x'", email="a@b.example") for one in TEXTS]
    said = [cause_of(ledger, one).said for one in given_texts]
    assert said == [
        "Order … has no items. Set lines = …, or add the items, then retry.",
        "The item … is in EUR, its order in USD. Correct the price's currency, then retry.",
        "The item … has no price.",
        "The lines sum to …, but the order's amount is …. Then retry.",
        "total: wanted …, Halo holds …",
        "reference: wanted …, Halo holds …",
        "sent … times in a row without effect; site: wanted …, Halo holds …",
        *["Halo holds several rows with reference …: …"] * 2,
        "order … was there and is gone from Halo",
        "currency_code: the table currencies has no row for ….",
        "lines.quantity is …, not an amount.",
        "total is … USD, which has more digits than USD allows.",
        "Halo answered POST /SalesOrder with …: the customer's site … isn't that of …",
        "HighLevel answered GET /payments/orders/… with …: altId must be a string",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"flow": "orders"}, {"flow": "payments"}),
        ({"target": "payment"}, {"target": "credit"}),
        ({"field": None}, {"field": ""}),
    ],
)
def test_flow_target_and_field_keep_causes_apart(
    ledger: Ledger, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert cause_of(ledger, "no", **one).id != cause_of(ledger, "no", **other).id


def test_other_words_are_another_cause(ledger: Ledger) -> None:
    euro, yen = (f"Halo has no currency {code}." for code in ("EUR", "JPY"))
    assert cause_of(ledger, euro).id != cause_of(ledger, yen).id


def test_an_id_of_letters_alone_is_left_out_where_it_is_the_records_own(ledger: Ledger) -> None:
    ids = ("AbCdEfGhIjKlMnOpQrSt", "ZyXwVuTsRqPoNmLkJiHg")
    one, other = (cause_of(ledger, f"Contact {id_} is gone", source_id=id_) for id_ in ids)
    assert one == other
    assert one.said == "Contact … is gone"


def park(
    ledger: Ledger,
    link: Link,
    session: UUID,
    reasons: dict[str, str],
    *,
    flow: str = "orders",
    target: str = "order",
    field: str | None = None,
) -> None:
    def work(connection: Connection) -> None:
        asked = [
            DeliveryRequest(flow, "order", id_, target, target, "location:1", 1) for id_ in reasons
        ]
        requests.enqueue(connection, link.id, link.tenant, asked, "pull 1")
        for lease in leased.claim(connection, link.id, target, session, len(asked)):
            reason = reasons[lease.source_id]
            leased.park(connection, [lease], reason=reason, field=field)

    ledger.run(work)


@contextmanager
def statements(ledger: Ledger) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*details: Any) -> None:
        seen.append(details[2])

    event.listen(ledger.engine, "before_cursor_execute", note)
    yield seen
    event.remove(ledger.engine, "before_cursor_execute", note)


def test_twenty_thousand_rows_of_three_causes_are_three_lines_of_one_statement(
    ledger: Ledger, link: Link
) -> None:
    ledger.run(
        lambda c: by_hand(
            c,
            """
                insert into delivery (tenant_id, connection_id, flow, role, target, place,
                                      source_kind, source_id, wanted_version, cause, state,
                                      reason, field)
                select :tenant, :link, 'orders', 'order', 'order', 'location:1', 'order',
                       md5(at::text), 1, 'pull 1', 'parked',
                       case at % 4 when 0 then 'order ' || at || ' was there and is gone from Halo'
                                   when 1 then 'Halo has no currency XTS.'
                                   else 'total: wanted ' || at || '.50, Halo holds ' || at end,
                       case at % 4 when 0 then null when 1 then 'currency_code' else 'total' end
                from generate_series(1, 20000) as at
                """,
            {"tenant": link.tenant, "link": link.id},
        )
    )
    with statements(ledger) as seen:
        found = ledger.run(parked.by_cause)
    assert len(seen) == 1
    assert [(one.reason, one.field, one.records) for one in found] == [
        ("total: wanted …, Halo holds …", "total", 10_000),
        ("Halo has no currency XTS.", "currency_code", 5000),
        ("order … was there and is gone from Halo", None, 5000),
    ]
    with statements(ledger) as seen:
        freed = ledger.run(lambda c: unleased.retry(c, None, cause=found[0].id))
    assert len(seen) == 1
    assert freed == {"order": 10_000}
    assert sum(ledger.run(parked.counts).values()) == 10_000


def test_a_retry_by_cause_takes_only_rows_of_that_cause(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    gone = {id_: f"order {id_} was there and is gone from Halo" for id_ in ("1", "2")}
    park(ledger, link, session, gone)
    park(ledger, link, session, {"3": "Halo has no currency XTS."})
    [many, one] = ledger.run(parked.by_cause)
    assert (many.records, one.records) == (2, 1)
    assert ledger.run(lambda c: unleased.retry(c, link.id, cause=many.id)) == {"order": 2}
    [left] = ledger.run(parked.listed)
    assert (left.source_id, left.cause) == ("3", one.id)


def test_a_cause_says_since_when_of_which_connections_and_an_example(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    park(ledger, link, session, {"1": "row 1 is locked", "2": "row 2 is locked"}, field="id")
    [cause] = ledger.run(parked.by_cause)
    first, last = ledger.run(parked.listed)
    assert (cause.since, cause.latest) == (first.parked_at, last.parked_at)
    assert (cause.connections, cause.example, cause.example_reason) == (
        ["acme"],
        first.id,
        "row 1 is locked",
    )


def test_one_number_is_sent_again_without_the_other_rows_of_its_record(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    for target in ("payment", "credit"):
        park(ledger, link, session, {"t1": "no"}, flow="payments", target=target)
    payment, credit = ledger.run(parked.listed)
    assert ledger.run(lambda c: unleased.retry(c, None, number=payment.id)) == {"payment": 1}
    assert [one.id for one in ledger.run(parked.listed)] == [credit.id]
