"""What `syncline connection add` is given: its options, and the connection that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from syncline.errors import Refused
from syncline.halo.address import is_of_a_tenant, tenant_address
from syncline.ledger.connections import ADOPT_FIRST, CONNECT_FIRST
from syncline.ledger.new_connections import NewConnection
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.quota.keys import HIGHLEVEL_LIVE, HIGHLEVEL_TRIAL
from syncline.settings import Settings
from syncline.terminal.options import (
    HaloSecret,
    HaloSecretEnv,
    Mode,
    Token,
    TokenEnv,
    day,
    limit,
    url,
)
from syncline.terminal.prompts import ask_secret

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")]

HIGHLEVEL_URL = "https://services.leadconnectorhq.com"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AddOptions:
    """The options of `connection add`, a field each; without a repr, as it may hold a secret."""

    name: Name
    location: Annotated[str, typer.Option(help="The id of the HighLevel location.")]
    halo_url: Annotated[str, typer.Option(help="Address of the Halo tenant.")]
    halo_client_id: Annotated[str, typer.Option(help="Client id of Halo's API application.")]
    highlevel_token: Token = None
    highlevel_token_env: TokenEnv = None
    halo_secret: HaloSecret = None
    halo_secret_env: HaloSecretEnv = None
    tenant: Annotated[
        str | None, typer.Option(help="Name of the tenant, on a host that several share.")
    ] = None
    scope: Annotated[str, typer.Option(help="Permissions to ask Halo for.")] = "all"
    mapping: Annotated[
        str,
        typer.Option(help="detail: a line an item; summary: a line an order; or a TOML file."),
    ] = "detail"
    start_from: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day to keep in line, YYYY-MM-DD.")
    ] = None
    mode: Annotated[
        Mode,
        typer.Option(help="sandbox: only test rows, until syncline golive switch NAME. live: all."),
    ] = Mode.SANDBOX
    highlevel_url: Annotated[str, typer.Option(help="Address of HighLevel.")] = HIGHLEVEL_URL
    oauth: Annotated[
        bool,
        typer.Option(
            "--oauth", help="Reach HighLevel through an app: syncline connect highlevel NAME."
        ),
    ] = False
    trial_account: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"A sandbox or trial account, by a name of yours: {HIGHLEVEL_TRIAL.burst} and "
            f"{HIGHLEVEL_TRIAL.daily:,} a day, shared.",
        ),
    ] = None
    highlevel_limit: Annotated[
        str | None,
        typer.Option(
            metavar="CALLS/SECONDS", help=f"{HIGHLEVEL_LIVE.burst}, if it is not a trial."
        ),
    ] = None
    highlevel_daily: Annotated[
        int | None,
        typer.Option(min=1, help=f"Calls a day; {HIGHLEVEL_LIVE.daily:,}, if it is not a trial."),
    ] = None
    halo_limit: Annotated[
        str, typer.Option(metavar="CALLS/SECONDS", help="Shared by all users of the tenant.")
    ] = "300/300"
    settle: Annotated[
        int | None,
        typer.Option(min=5, help="Seconds before a doubtful write is looked up at this tenant."),
    ] = None
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Add it stopped: Halo may hold its orders already."),
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything given, and add nothing.")
    ] = False

    def connection(self, settings: Settings) -> NewConnection:
        """The connection that is to be added.

        Raises:
            Refused: a value is no name, address, limit or day, or the mapping cannot be read.
        """
        usual = HIGHLEVEL_LIVE if self.trial_account is None else HIGHLEVEL_TRIAL
        highlevel = limit("--highlevel-limit", self.highlevel_limit or usual.burst)
        halo = limit("--halo-limit", self.halo_limit)
        return NewConnection(
            name=_named(self.name),
            location_id=self.location,
            highlevel_url=url("--highlevel-url", self.highlevel_url),
            highlevel_calls=highlevel[0],
            highlevel_seconds=highlevel[1],
            highlevel_daily=self.highlevel_daily or usual.daily,
            halo_url=_tenant(self.halo_url),
            tenant_key=self.tenant,
            client_id=self.halo_client_id,
            scope=self.scope,
            halo_calls=halo[0],
            halo_seconds=halo[1],
            settle_seconds=self.settle,
            mapping=document_of(self.mapping),
            mode=self.mode,
            start_from=settings.start_from if self.start_from is None else day(self.start_from),
            auth="oauth" if self.oauth else "private",
            account=None if self.trial_account is None else _named(self.trial_account),
        )

    def secrets(self) -> dict[str, SecretStr]:
        """The secrets by their purpose, asked for where no option says where they are.

        Raises:
            Refused: one is missing, or stands on the command line itself.
        """
        asked: dict[str, SecretStr] = {}
        if not self.oauth:
            asked["private_token"] = ask_secret(
                "HighLevel token",
                "--highlevel-token",
                given=self.highlevel_token,
                variable=self.highlevel_token_env,
            )
        elif self.highlevel_token is not None or self.highlevel_token_env is not None:
            raise Refused(
                "--oauth and a HighLevel token are both given.", remedy="Use the one that you mean."
            )
        asked["client_secret"] = ask_secret(
            "Halo client secret",
            "--halo-secret",
            given=self.halo_secret,
            variable=self.halo_secret_env,
        )
        return asked

    def waits_for(self) -> str | None:
        """What must be done before the connection works; it is added stopped, and says so."""
        if self.adopt:
            return f"{ADOPT_FIRST}: syncline adopt {self.name}"
        if self.oauth:
            return f"{CONNECT_FIRST}: syncline connect highlevel {self.name}"
        return None


def document_of(mapping: str) -> str:
    """The text of a mapping document: of one that ships, or of a file.

    Raises:
        Refused: it cannot be read.
        BadDocument: it is wrong; the message names the line.
    """
    if mapping == "detail":
        return default_document("detail")
    if mapping == "summary":
        return default_document("summary")
    try:
        text = Path(mapping).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"The mapping {mapping!r} cannot be read ({type(error).__name__}).",
            remedy="Give detail, summary, or the path of a TOML file.",
        ) from None
    load(text)
    return text


def _tenant(text: str) -> str:
    address = url("--halo-url", tenant_address(text))
    if not is_of_a_tenant(address):
        raise Refused(
            f"--halo-url {text!r:.200} is not the address of a Halo tenant.",
            remedy="Write the tenant's own, such as https://acme.halopsa.com.",
        )
    return address


def _named(name: str) -> str:
    if not name or len(name) > 64 or not all(c.isalnum() or c in "-_." for c in name):  # noqa: PLR2004
        raise Refused(
            f"{name!r:.80} is no name for a connection.",
            remedy="Use letters, digits, and - _ . in between; 64 at most.",
        )
    return name
