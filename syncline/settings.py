"""Every setting of syncline: read once from the environment, frozen afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from syncline.errors import Refused

PREFIX = "SYNCLINE_"


def _from_seconds(value: object) -> object:
    """Plain numbers are seconds; everything else is left to pydantic."""
    if isinstance(value, str):
        try:
            return timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            return value
    return value


Seconds = Annotated[
    timedelta, BeforeValidator(_from_seconds), Field(gt=timedelta(0), le=timedelta(days=366))
]


Kept = Annotated[
    timedelta,
    BeforeValidator(_from_seconds),
    Field(ge=timedelta(days=7), le=timedelta(days=36_600)),
]


class Settings(BaseSettings):
    """The settings of one installation; each is read from `SYNCLINE_` and its name in capitals.

    Durations are given in seconds. What each one means is said in docs/settings.md.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data: Path = Path("data")
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    key: SecretStr | None = None
    key_file: Path | None = None
    old_keys: SecretStr | None = None
    old_keys_file: Path | None = None

    alert_urls: SecretStr | None = None

    highlevel_client_id: str | None = None
    highlevel_client_secret: SecretStr | None = None
    highlevel_authorize_url: str = "https://marketplace.gohighlevel.com/v2/oauth/chooselocation"
    highlevel_redirect: str = "http://127.0.0.1:8734/callback"

    heartbeat: Seconds = timedelta(seconds=2)
    dead_after: Seconds = timedelta(seconds=6)
    settle: Seconds = timedelta(seconds=60)
    deadline: Seconds = timedelta(seconds=60)
    sweep: Seconds = timedelta(seconds=2)
    tick: Seconds = timedelta(seconds=5)

    dashboard_refresh: Seconds = timedelta(minutes=15)
    pull_hot: Seconds = timedelta(seconds=60)
    pull_warm: Seconds = timedelta(minutes=15)
    pull_cold: Seconds = timedelta(days=1)
    poll_halo: Seconds = timedelta(seconds=60)
    start_from: date = date(2020, 1, 1)

    reconcile_every: Seconds = timedelta(days=1)
    reconcile_days: int = Field(default=35, ge=1, le=3660)
    reconcile_share: float = Field(default=0.10, gt=0, le=1)

    quota_reserve: float = Field(default=0.10, ge=0, lt=1)
    send_batch: int = Field(default=100, ge=1, le=1000)
    worker_threads: int = Field(default=16, ge=1, le=256)

    receiver_host: str = Field(default="127.0.0.1", pattern="^\\S+$")
    receiver_port: int = Field(default=8080, ge=0, le=65535)
    receiver_workers: int = Field(default=1, ge=1, le=64)
    receiver_connections: int = Field(default=1000, ge=1, le=100_000)
    receiver_patience: Seconds = timedelta(seconds=10)
    receiver_store_within: Seconds = timedelta(seconds=5)
    webhook_max_bytes: int = Field(default=1 << 20, ge=1024, le=64 << 20)
    webhook_max_age: Seconds = timedelta(days=3)
    highlevel_public_keys: str | None = None
    accept_rsa_signatures: bool = True

    actor: str | None = Field(default=None, pattern=r"^[^\s].{0,99}$")
    anchor_file: Path | None = None
    seal_every: Seconds = timedelta(seconds=5)
    keep_payloads: Kept | None = None
    keep_events: Kept | None = None
    keep_calls: Kept | None = None

    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")

    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    log_json: bool | None = None

    flower_port: int = Field(default=5555, ge=0, le=65535)
    flower_user: str = Field(default="syncline", pattern="^[^:\\s]+$")
    flower_password: SecretStr | None = None

    @field_validator("data", "key_file", "old_keys_file", "anchor_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Child processes may stand in another directory, and must mean the same place."""
        try:
            return None if path is None else path.expanduser().absolute()
        except RuntimeError as error:  # ~somebody, who is no user of this machine
            raise ValueError(str(error)) from None

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            Refused: a setting cannot be understood, or two contradict each other.
        """
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            name = f"{PREFIX}{first['loc'][0]}".upper() if first["loc"] else "The settings"
            wrong = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise Refused(
                f"{name} is wrong: {wrong}.",
                remedy="docs/settings.md says what each setting takes.",
            ) from None
        if settings.dead_after < 2 * settings.heartbeat:
            raise Refused(
                "SYNCLINE_DEAD_AFTER is shorter than two heartbeats, so live workers would be "
                "taken for dead.",
                remedy="Raise SYNCLINE_DEAD_AFTER or lower SYNCLINE_HEARTBEAT.",
            )
        return settings
