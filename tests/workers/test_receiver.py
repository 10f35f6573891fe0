"""What the receiver lets in, stores and answers."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from syncline.encryption import Sealer
from syncline.errors import Again
from syncline.halo.webhooks.authentication import InboundKey, InboundKeys
from syncline.webhooks import events
from syncline.webhooks.events import Arrived
from syncline.webhooks.keys import keep_inbound_keys
from tests.receiving import Receiver, Signer, event, receiver_here, stored
from workers.receiver import __main__ as receiver_module
from workers.receiver import committer

SIGNER = Signer()
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def receiver(database: str) -> Iterator[Receiver]:
    with receiver_here(database, highlevel_public_keys=SIGNER.public_keys) as running:
        yield running


def error(answer: httpx.Response) -> str:
    return str(answer.json()["error"])


# --- HighLevel ------------------------------------------------------------------------------------


def test_an_event_is_stored_byte_by_byte_with_what_its_envelope_says(
    receiver: Receiver, database: str
) -> None:
    body = event(webhookId="w", type="OrderCreate", locationId="loc", note="\x00 ü").replace(
        b",", b" , "
    )
    assert receiver.post(body, SIGNER.modern(body)).json() == {"status": "stored"}
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        rows = connection.execute(
            "select source, webhook_id, type, location_id, connection_id, body, content_type, state"
            " from event"
        ).fetchall()
    assert rows == [("highlevel", "w", "OrderCreate", "loc", None, body, "application/json", "new")]


def test_the_older_signature_lets_an_event_in_until_a_setting_says_no(
    receiver: Receiver, database: str
) -> None:
    body = event()
    assert receiver.post(body, SIGNER.legacy(body)).status_code == 200
    with receiver_here(
        database, highlevel_public_keys=SIGNER.public_keys, accept_rsa_signatures=False
    ) as strict:
        other = event()
        assert strict.post(other, SIGNER.legacy(other)).status_code == 401
    assert len(stored(database)) == 1


def test_an_event_that_was_seen_is_welcome_and_has_no_effect(
    receiver: Receiver, database: str
) -> None:
    first, again = event(webhookId="w", status="one"), event(webhookId="w", status="two")
    assert receiver.post(first, SIGNER.modern(first)).json() == {"status": "stored"}
    receiver.woken.clear()
    answer = receiver.post(again, SIGNER.modern(again))
    assert (answer.status_code, answer.json()) == (200, {"status": "seen"})
    assert stored(database, "select body from event") == [first]
    assert not receiver.woken.is_set()


def test_the_same_event_many_times_at_once_is_stored_once(
    receiver: Receiver, database: str
) -> None:
    body = event(webhookId="w")
    answers = receiver.post_all([(body, SIGNER.modern(body))] * 40)
    assert sorted(answer.json()["status"] for answer in answers) == ["seen"] * 39 + ["stored"]
    assert stored(database) == ["w"]


def test_many_events_at_once_share_few_commits(receiver: Receiver, database: str) -> None:
    bodies = [event(webhookId=f"w{number}") for number in range(200)]
    answers = receiver.post_all([(body, SIGNER.modern(body)) for body in bodies])
    assert {answer.status_code for answer in answers} == {200}
    assert len(set(stored(database))) == 200
    assert len(set(stored(database, "select xmin::text from event"))) <= 20


def test_an_event_without_an_id_is_known_again_by_its_bytes(
    receiver: Receiver, database: str
) -> None:
    body = event(webhookId=None)
    statuses = [receiver.post(body, SIGNER.modern(body)).json()["status"] for _ in range(2)]
    assert statuses == ["stored", "seen"]
    assert stored(database)[0].startswith("sha256:")


def test_verified_json_of_any_shape_is_kept_for_a_person_to_see(
    receiver: Receiver, database: str
) -> None:
    bodies = [b"[]", b"7", b'"text"', b"null", b'{"webhookId":{}}', b'{"half":"\\ud83d"}']
    for body in bodies:
        assert receiver.post(body, SIGNER.modern(body)).status_code == 200
    assert stored(database, "select body from event order by id") == bodies


def test_nothing_is_parsed_or_stored_before_its_sender_is_known(
    receiver: Receiver, database: str
) -> None:
    for body in (event(), b"{", b"[" * 5000):
        answer = receiver.post(body, {})
        assert (answer.status_code, error(answer)) == (401, "signature does not fit")
    assert stored(database) == []


def test_a_signed_body_that_is_no_json_is_refused(receiver: Receiver) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 65 + b"]" * 65):
        assert receiver.post(body, SIGNER.modern(body)).status_code == 400


def test_an_event_of_another_time_is_refused_and_told_why(
    receiver: Receiver, database: str
) -> None:
    shifts = {
        timedelta(days=-3, minutes=-1): "timestamp is too old",
        timedelta(minutes=11): "timestamp lies in the future",
    }
    for shift, why in shifts.items():
        body = event(timestamp=(datetime.now(UTC) + shift).isoformat())
        answer = receiver.post(body, SIGNER.modern(body))
        assert (answer.status_code, error(answer)) == (400, why)
    assert stored(database) == []


def test_a_retry_after_two_days_is_let_in(receiver: Receiver) -> None:
    body = event(timestamp=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    assert receiver.post(body, SIGNER.modern(body)).status_code == 200


# --- Bounds ---------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_by_its_length_or_by_what_comes(
    receiver: Receiver,
) -> None:
    body = b" " * (receiver.settings.webhook_max_bytes + 1)
    assert receiver.post(body, {}).status_code == 413

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield body[:100_000]

    answer = receiver.call("POST", "/webhooks/highlevel", content=parts())
    assert answer.status_code == 413


def test_the_content_type_is_json_or_absent(receiver: Receiver) -> None:
    kinds = {
        "application/json; charset=utf-8": 200,
        "application/vnd.api+json": 200,
        "": 200,
        "text/html": 415,
        "application/x-www-form-urlencoded": 415,
        "multipart/form-data; boundary=x": 415,
    }
    for kind, status in kinds.items():
        body = event()
        answer = receiver.post(body, {**SIGNER.modern(body), "content-type": kind})
        assert answer.status_code == status, kind


def test_there_is_nothing_else_to_find(receiver: Receiver) -> None:
    for path in (
        "/",
        "/webhooks",
        "/webhooks/highlevel//",
        "/webhooks/halo/x",
        "/webhooks/halo//x",
    ):
        assert receiver.call("POST", path).status_code == 404


def test_a_slash_at_the_end_of_an_address_does_no_harm(receiver: Receiver, database: str) -> None:
    body = event()
    assert receiver.post(body, SIGNER.modern(body), "/webhooks/highlevel/").status_code == 200
    assert len(stored(database)) == 1


def test_a_wrong_method_is_told_the_right_one(receiver: Receiver) -> None:
    for path, right in (("/webhooks/highlevel", "POST"), ("/healthz", "GET")):
        for wrong in {"GET", "PUT", "HEAD", "POST"} - {right}:
            answer = receiver.call(wrong, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, right)


def test_it_says_that_it_lives_and_that_it_can_store(receiver: Receiver, database_url: str) -> None:
    assert receiver.call("GET", "/healthz").status_code == 200
    assert receiver.call("GET", "/readyz").status_code == 200
    with receiver_here(f"{database_url.rsplit('/', 1)[0]}/postgres") as empty:
        assert empty.call("GET", "/healthz").status_code == 200
        assert empty.call("GET", "/readyz").status_code == 503


# --- When it cannot be stored ---------------------------------------------------------------------


def test_what_cannot_be_stored_in_time_is_asked_for_again_and_stored_once(database: str) -> None:
    body = event(webhookId="w")
    with (
        receiver_here(
            database,
            highlevel_public_keys=SIGNER.public_keys,
            receiver_store_within=timedelta(seconds=0.3),
        ) as receiver,
        psycopg.connect(database.replace("+psycopg", "", 1)) as other,
    ):
        other.execute("lock table event in access exclusive mode")
        answer = receiver.post(body, SIGNER.modern(body))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        other.rollback()
        while receiver.post(body, SIGNER.modern(body)).status_code == 429:
            pass
    assert stored(database) == ["w"]


def test_when_too_much_waits_the_rest_is_asked_for_again(
    receiver: Receiver, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "MOST_WAITING", 10)
    bodies = [event() for _ in range(50)]
    answers = receiver.post_all([(body, SIGNER.modern(body)) for body in bodies])
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    assert len(stored(database)) == codes.count(200)


def test_a_ledger_that_fails_is_no_reason_for_a_5xx(receiver: Receiver, database: str) -> None:
    with psycopg.connect(database.replace("+psycopg", "", 1)) as other:
        other.execute("drop table event")
    body = event()
    assert receiver.post(body, SIGNER.modern(body)).status_code == 429


def test_one_event_that_postgresql_refuses_does_not_take_others_with_it(
    receiver: Receiver, database: str
) -> None:
    async def together() -> list[bool | BaseException]:
        keep = receiver.app._committer.store
        texts = ["one", "poison \x00", "two"]
        jobs = [keep(Arrived("highlevel", b"{}", webhook_id=name)) for name in texts]
        return await asyncio.gather(*jobs, return_exceptions=True)

    one, poison, two = receiver.do(together())
    assert (one, two) == (True, True)
    assert isinstance(poison, Again)
    assert sorted(stored(database)) == ["one", "two"]


def test_whatever_goes_wrong_in_storing_the_next_event_is_stored(
    receiver: Receiver, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[bool]:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(events, "store", fail)
        body = event()
        assert receiver.post(body, SIGNER.modern(body)).status_code == 429
    assert receiver.post(body, SIGNER.modern(body)).json() == {"status": "stored"}


# --- Halo -----------------------------------------------------------------------------------------

KEY = InboundKey(
    secret=SecretStr("a-path"), username="syncline", password=SecretStr("a-word"), since=NOW
)
LOGIN = {"authorization": "Basic " + b64encode(b"syncline:a-word").decode()}


@pytest.fixture
def connection_id(receiver: Receiver, database: str) -> int:
    """A connection named acme, whose Halo may come in by KEY."""
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        connection.execute(
            "insert into tenant (name, base_url, client_id, scope, quota_calls, quota_seconds)"
            " values ('t', 'http://t', 'c', 'all', 700, 300)"
        )
        connection.execute(
            "insert into location (location_id, base_url, quota_calls, quota_seconds, quota_daily)"
            " values ('l', 'http://l', 100, 10, 200000)"
        )
        row = connection.execute(
            "insert into connection (name, location_id, tenant_id, mapping, mode, start_from)"
            " select 'acme', l.id, t.id, '', 'live', '2026-01-01' from location l, tenant t"
            " returning id"
        ).fetchone()
    assert row is not None
    give(receiver, row[0], InboundKeys(keys=(KEY,)))
    return int(row[0])


def give(receiver: Receiver, connection_id: int, keys: InboundKeys) -> None:
    sealer = Sealer(SecretStr("k" * 40))
    receiver.ledger.run(lambda c: keep_inbound_keys(c, sealer, connection_id, keys))


def test_halos_webhook_is_stored_for_its_connection_as_often_as_it_comes(
    receiver: Receiver, database: str, connection_id: int
) -> None:
    for _ in range(2):
        answer = receiver.post(b'{"object_id":7}', LOGIN, "/webhooks/halo/acme/a-path")
        assert answer.json() == {"status": "stored"}
    rows = stored(database, "select (source, connection_id, webhook_id)::text from event")
    assert rows == [f"(halo,{connection_id},)"] * 2


def test_who_may_not_come_in_is_not_told_what_was_wrong(
    receiver: Receiver, database: str, connection_id: int
) -> None:
    answers = [
        receiver.post(b"{}", headers, path)
        for headers, path in (
            (LOGIN, "/webhooks/halo/acme/another-path"),
            ({}, "/webhooks/halo/acme/a-path"),
            (LOGIN, "/webhooks/halo/nobody/a-path"),
            (LOGIN, "/webhooks/nothing/of/this"),
        )
    ]
    assert {(one.status_code, one.text) for one in answers} == {(404, '{"error":"not found"}')}
    assert stored(database) == []


def test_halos_body_that_is_no_json_is_refused(receiver: Receiver, connection_id: int) -> None:
    assert receiver.post(b"{", LOGIN, "/webhooks/halo/acme/a-path").status_code == 400


def test_a_replaced_key_works_without_a_restart(
    database: str, receiver: Receiver, connection_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "DOORS_KEPT", timedelta(0))
    with receiver_here(database) as running:
        assert running.post(b"{}", LOGIN, "/webhooks/halo/acme/a-path").status_code == 200
        new = KEY.model_copy(update={"secret": SecretStr("new-path")})
        give(running, connection_id, InboundKeys(keys=(new, KEY)))
        assert running.post(b"{}", LOGIN, "/webhooks/halo/acme/new-path").status_code == 200
        assert running.post(b"{}", LOGIN, "/webhooks/halo/acme/a-path").status_code == 200
        give(running, connection_id, InboundKeys(keys=(new,)))
        assert running.post(b"{}", LOGIN, "/webhooks/halo/acme/a-path").status_code == 404


def test_keys_of_one_connection_that_cannot_be_opened_shut_no_other_door(
    receiver: Receiver, database: str, connection_id: int
) -> None:
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        connection.execute(
            "insert into tenant (name, base_url, client_id, scope, quota_calls, quota_seconds)"
            " values ('u', 'http://u', 'c', 'all', 700, 300)"
        )
        connection.execute(
            "insert into connection (name, location_id, tenant_id, mapping, mode, start_from)"
            " select 'broken', l.id, t.id, '', 'live', '2026-01-01'"
            " from location l, tenant t where t.name = 'u'"
        )
        connection.execute(
            "insert into credential (owner, purpose, sealed)"
            " select 'connection:' || id, 'halo_webhook', 'x' from connection where name = 'broken'"
        )
    assert receiver.post(b"{}", LOGIN, "/webhooks/halo/acme/a-path").status_code == 200
    assert receiver.post(b"{}", LOGIN, "/webhooks/halo/broken/a-path").status_code == 404


def test_a_stored_event_wakes_the_workers(receiver: Receiver) -> None:
    body = event()
    assert receiver.post(body, SIGNER.modern(body)).status_code == 200
    assert receiver.woken.is_set()
