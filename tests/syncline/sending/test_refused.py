"""Wrong settings stop a connection with a note and a remedy; after correction it goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from syncline.credentials.stored import keep
from syncline.errors import (
    Again,
    BadCredentials,
    BadDocument,
    MissingScope,
    NotSent,
    Refused,
    UnknownName,
    WrongPlace,
)
from syncline.ledger import connections
from syncline.sandbox.config import (
    TOKEN,
    TOKEN_OF_ANOTHER_LOCATION,
    TOKEN_WITHOUT_SCOPES,
    SandboxConfig,
)
from syncline.sandbox.process import SandboxProcess
from tests.variants import mostly
from tests.world import NAME, World, Worlds, small

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("token", "kind", "error"),
    [
        ("pit-of-nobody", "order", BadCredentials),
        (TOKEN_OF_ANOTHER_LOCATION, "order", WrongPlace),
        (TOKEN_WITHOUT_SCOPES, "transaction", MissingScope),
    ],
    ids=["wrong token", "wrong location", "missing scope"],
)
def test_a_refused_pull_stops_the_connection_and_goes_on_after_correction(
    worlds: Worlds, sandbox: SandboxProcess, token: str, kind: str, error: type[Refused]
) -> None:
    small(sandbox)
    world = worlds()
    store(world, "private_token", token)
    with pytest.raises(error) as refused:
        world.pull(kind)
    assert refused.value.remedy
    assert token not in str(refused.value)
    assert stopped_with(world) == str(refused.value)
    world.follow_all()
    assert world.failures == []
    store(world, "private_token", TOKEN)
    start(world)
    world.request_pull()
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_wrong_secret_stops_before_anything_is_written_and_loses_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile)
    world = worlds()
    world.pull_whole()
    owed = sum(world.counts().values())
    store(world, "client_secret", "not the secret")
    for _ in range(3):
        world.follow_all()
    note = stopped_with(world)
    assert note is not None
    assert "client id and secret" in note
    assert "not the secret" not in note
    assert sum(world.counts().values()) == owed
    assert {state for _, state in world.counts()} <= {"due", "waiting", "delivered"}
    store(world, "client_secret", SandboxConfig().halo_client_secret)
    start(world)
    world.drive()
    assert sandbox.audit()["clean"]


def test_a_location_that_disowns_its_token_in_the_middle_stops_the_reading_of_details(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox)
    world = worlds()
    world.pull()
    store(world, "private_token", "pit-revoked")
    for _ in range(3):
        world.follow_all()
    assert stopped_with(world) is not None
    assert not {state for _, state in world.counts()} & {"leased", "parked", "doubtful"}
    store(world, "private_token", TOKEN)
    start(world)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("side", ["location", "tenant"])
def test_a_host_that_does_not_answer_loses_nothing_and_is_tried_again_by_itself(
    worlds: Worlds, sandbox: SandboxProcess, side: str
) -> None:
    small(sandbox)
    world = worlds()
    place = {"location": sandbox.highlevel_url, "tenant": sandbox.halo_url}[side]
    world.request_pull()
    world.do(f"update {side} set base_url = :url", url=NOWHERE)  # noqa: S608 - two constants
    world.reopened()
    for _ in range(3):
        world.follow_all()
    assert all(isinstance(failure, Again) for failure in world.failures)
    if side == "location":
        assert isinstance(world.failures[0], NotSent)
    assert not {state for _, state in world.counts()} & {"leased", "parked", "doubtful", "sending"}
    world.do(f"update {side} set base_url = :url", url=place)  # noqa: S608 - two constants
    world.reopened()
    world.drive()
    assert sandbox.audit()["clean"]


def test_an_unknown_connection_is_refused_with_the_names_that_are_known(worlds: Worlds) -> None:
    with pytest.raises(UnknownName) as refused:
        worlds().worker.open_line("nobody")
    assert NAME in refused.value.remedy


@pytest.mark.parametrize(
    "spoil",
    [lambda text: text.replace("[orders]", "[odrers]"), lambda _: "= nonsense"],
    ids=["unknown section", "no TOML"],
)
def test_a_broken_mapping_is_refused_with_its_line_and_loses_nothing(
    worlds: Worlds, sandbox: SandboxProcess, spoil: Callable[[str], str]
) -> None:
    small(sandbox)
    world = worlds()
    world.pull()
    owed = world.counts()
    good = world.rows("select mapping from connection")[0][0]
    world.do("update connection set mapping = :text", text=spoil(good))
    with pytest.raises(BadDocument) as refused:
        world.reopened()
    assert refused.value.remedy
    assert refused.value.line is not None
    world.follow_all()
    assert world.counts() == owed
    world.do("update connection set mapping = :text", text=good)
    start(world)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_a_token_that_runs_out_in_the_middle_is_renewed(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile)
    world = worlds()
    world.request_pull()
    while not world.counts().get(("customers", "delivered")):
        world.follow_all()
    sandbox.post("/halo/expire_tokens", {})
    sandbox.add_orders(2)
    world.request_pull()
    world.drive()
    assert stopped_with(world) is None
    assert sandbox.audit()["clean"]


def store(world: World, purpose: str, value: str) -> None:
    with world.worker.ledger.begin() as connection:
        link = connections.by_name(connection, NAME)
        owner = link.location_place if purpose == "private_token" else link.tenant_place
        keep(connection, world.worker.sealer, owner, purpose, SecretStr(value))
    world.reopened()


def stopped_with(world: World) -> str | None:
    row = world.rows("select state, note from connection")[0]
    assert (row.state == "stopped") == (row.note is not None)
    note: str | None = row.note
    return note


def start(world: World) -> None:
    with world.worker.ledger.begin() as connection:
        connections.start(connection, connections.by_name(connection, NAME).id)
    world.reopened()
