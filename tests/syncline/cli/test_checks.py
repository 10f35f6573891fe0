"""Least privilege: which scope is missing and which is granted for nothing, on both sides."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.credentials.scopes import asked, compare, halo_needs, highlevel_needs
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.sandbox.config import READ_SCOPES, TOKEN, Token
from syncline.sandbox.process import SandboxProcess
from tests.in_between import InBetween, said
from tests.spoiling import spoil
from tests.syncline.cli.conftest import Person, Run, add_sandbox, document

DETAIL = load(default_document("detail"))
JUST_ENOUGH = "edit:customers edit:sales edit:invoices edit:reporting edit:tickets"
FOR_SOME = "admin:webhooks (webhooks and dashboards in Halo)"


def scopes_of(run: Run, side: str) -> dict[str, Any]:
    result = run("connection", "check", "acme", "--json")
    [found] = [
        finding
        for finding in document(result)["findings"]
        if finding["what"].startswith(f"{side}: scopes")
    ]
    return dict(found)


@pytest.mark.usefixtures("keys")
def test_all_of_halo_is_more_than_needed_and_the_list_that_would_do_is_named(
    run: Run, sandbox: SandboxProcess
) -> None:
    add_sandbox(run, sandbox)
    found = scopes_of(run, "Halo")
    assert found["works"]
    assert "granted and not needed: all" in found["found"]
    assert f"These would do: {JUST_ENOUGH}." in found["remedy"]
    assert "admin:webhooks for webhooks and dashboards in Halo, if you use" in found["remedy"]


@pytest.mark.usefixtures("keys")
def test_the_list_that_is_named_does_and_nothing_of_it_is_too_much(
    run: Run, sandbox: SandboxProcess
) -> None:
    add_sandbox(run, sandbox, scope=JUST_ENOUGH)
    found = scopes_of(run, "Halo")
    assert (found["works"], found["found"], found["remedy"]) == (
        True,
        f"exactly what is needed; not granted, and for some commands alone: {FOR_SOME}",
        "",
    )


@pytest.mark.usefixtures("keys")
def test_a_scope_of_halo_that_is_used_for_nothing_is_named(
    run: Run, sandbox: SandboxProcess
) -> None:
    add_sandbox(run, sandbox, scope=f"{JUST_ENOUGH} admin:webhooks edit:kb")
    found = scopes_of(run, "Halo")
    assert found["found"] == "granted and not needed: edit:kb"
    assert found["remedy"]


@pytest.mark.usefixtures("keys")
def test_a_private_token_shows_what_it_can_and_says_what_it_cannot(
    run: Run, sandbox: SandboxProcess
) -> None:
    add_sandbox(run, sandbox)
    found = scopes_of(run, "HighLevel")
    assert "granted and not needed: payments/integration.readonly" in found["found"]
    assert "not visible with a private token, and needed: payments/orders.write" in found["found"]
    sandbox.reset(tokens=[Token(value=TOKEN, scopes=READ_SCOPES).model_dump()])
    told = scopes_of(run, "HighLevel")["found"]
    assert "granted and not needed" not in told
    assert "not asked" not in told
    sandbox.faults(side="highlevel", operation="*provider*", kind="500", next=20)
    assert "not asked whether it may more than that" in scopes_of(run, "HighLevel")["found"]


def test_an_app_that_lacks_a_scope_is_named_with_the_way_to_give_it(
    with_app: Run, person: Person
) -> None:
    person.more = "&scope=payments/orders.readonly+payments/transactions.readonly"
    person.more += "+payments/subscriptions.readonly+invoices.readonly"
    assert with_app("connect", "highlevel", "acme").exit_code == 2
    result = with_app("connection", "check", "acme")
    assert result.exit_code == 2
    assert "missing: payments/orders.write (shipments of Halo)" in result.stderr
    assert "granted and not needed: invoices.readonly" in result.stderr
    assert "syncline connect highlevel acme" in result.stderr


@pytest.mark.usefixtures("person")
def test_a_grant_that_does_not_say_its_scopes_lacks_none(
    with_app: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, "/oauth/token", lambda told: {**told, "scope": None})
    assert with_app("connect", "highlevel", "acme").exit_code == 0
    found = scopes_of(with_app, "HighLevel")
    assert (found["works"], found["remedy"]) == (True, "")


def test_an_app_that_is_not_let_in_is_a_finding(with_app: Run) -> None:
    result = with_app("connection", "check", "acme", "--json")
    assert result.exit_code == 2
    [first, *_] = document(result)["findings"]
    assert (first["what"], first["works"]) == ("HighLevel: a token", False)
    assert first["remedy"].endswith("syncline connect highlevel acme")


def test_nothing_is_asked_for_that_the_mapping_does_not_use() -> None:
    small = "\n".join(
        f"[{section}]\ninto = 'none'" for section in ("payments", "subscriptions", "fulfillments")
    )
    mapping = load(small)
    assert "payments/orders.write" not in asked(highlevel_needs(mapping))
    assert "edit:invoices" not in asked(halo_needs(mapping))
    assert "payments/orders.write" in asked(highlevel_needs(DETAIL))
    assert "oauth.write" in asked(highlevel_needs(DETAIL, company=True))


@given(st.data())
def test_what_is_asked_for_is_enough_and_without_any_of_it_something_is_missing(
    data: st.DataObject,
) -> None:
    needs = data.draw(st.sampled_from([highlevel_needs(DETAIL), halo_needs(DETAIL)]))
    enough = asked(needs)
    assert compare(needs, enough) == compare(needs, list(reversed(enough)))
    assert compare(needs, enough).missing == compare(needs, enough).wished == ()
    for left_out in enough:
        compared = compare(needs, [one for one in enough if one != left_out])
        named = [need.scopes[0] for need in itertools.chain(compared.missing, compared.wished)]
        assert named == [left_out]
    extra = data.draw(st.lists(st.text(min_size=1), unique=True))
    unneeded = set(compare(needs, [*enough, *extra]).unneeded)
    assert unneeded <= set(extra)


@pytest.mark.parametrize(("scope", "wished"), [("all", []), ("all:standard", ["edit:reporting"])])
def test_a_scope_for_everything_covers_every_need_but_reports(
    scope: str, wished: list[str]
) -> None:
    compared = compare(halo_needs(DETAIL), [scope])
    assert compared.missing == ()
    assert [need.scopes[0] for need in compared.wished] == wished
    assert compared.unneeded == (scope,)


def test_reading_and_editing_of_the_same_area_are_one_need() -> None:
    granted = JUST_ENOUGH.replace("edit:sales", "edit:sos").split()
    compared = compare(halo_needs(DETAIL), ["read:customers", *granted])
    assert (compared.missing, compared.wished, compared.unneeded) == ((), (), ())


def test_a_wider_scope_covers_a_need_and_is_told_as_more_than_it_needs() -> None:
    compared = compare(halo_needs(DETAIL), [*JUST_ENOUGH.split(), "admin"])
    assert (compared.missing, compared.wished, compared.spared) == ((), (), ())
    assert compared.unneeded == ("admin",)


def test_alerts_that_become_no_tickets_need_no_scope_for_them() -> None:
    quiet = load("[alerts]\ninto = 'none'")
    assert "edit:tickets" not in asked(halo_needs(quiet))
    assert compare(halo_needs(quiet), JUST_ENOUGH.split()).unneeded == ("edit:tickets",)
    [lacking] = compare(halo_needs(DETAIL), JUST_ENOUGH.split()[:-1]).wished
    assert (lacking.scopes, lacking.reason) == (("edit:tickets",), "alerts as tickets")


@pytest.mark.usefixtures("keys")
def test_consignments_that_may_not_be_read_are_a_finding(
    run: Run, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    add_sandbox(run, sandbox)
    in_between.wanted = lambda call, _body: "/Consignment" in call
    in_between.answers = said(403, {"Message": "You do not have permission to view this."})
    result = run("connection", "check", "acme", "--json")
    assert result.exit_code == 2
    failed = [one for one in document(result)["findings"] if not one["works"]]
    assert [one["what"] for one in failed] == ["Halo: consignments"]
