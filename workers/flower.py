"""Flower, the window onto Celery: on loopback, behind a password, read-only."""

from __future__ import annotations

import os
import secrets

from pydantic import SecretStr

from syncline import private
from syncline.errors import Refused
from syncline.settings import Settings
from workers.embedded.ports import LOOPBACK, free_or_other
from workers.processes import celery
from workers.supervisor import Process

_TASKS_KEPT = 10_000
_FORGET_WORKERS_SECONDS = 300


def port(settings: Settings) -> int:
    """The port of the settings if it is free, else another."""
    return free_or_other(settings.flower_port)


def password(settings: Settings) -> SecretStr:
    """The password of the settings, else one that is made on first use.

    Raises:
        Refused: Flower could not tell it from several passwords; or its file is open to others.
    """
    if settings.flower_password is None:
        return private.read_or_make(settings.data / "flower.password")
    if "," in settings.flower_password.get_secret_value():
        raise Refused(
            "SYNCLINE_FLOWER_PASSWORD holds a comma, which Flower takes for the end of it.",
            remedy="Choose a password without commas.",
        )
    return settings.flower_password


def flower(settings: Settings, at: int, address: str = LOOPBACK) -> Process:
    """Flower on a port. The password is in the environment: all can read a command line.

    Raises:
        Refused: as `password`.
    """
    secret = password(settings).get_secret_value()
    return Process(
        "flower",
        celery("flower"),
        {
            "SYNCLINE_DATA": str(settings.data),
            # By default it listens everywhere, without a password.
            "FLOWER_ADDRESS": address,
            "FLOWER_PORT": str(at),
            # All of it stands here. By default it runs `flowerconfig.py` of the working folder.
            "FLOWER_CONF": os.devnull,
            "FLOWER_BASIC_AUTH": f"{settings.flower_user}:{secret}",
            "FLOWER_COOKIE_SECRET": secrets.token_urlsafe(48),
            "FLOWER_UNAUTHENTICATED_API": "false",
            # Whoever may look may not revoke, send or shut down.
            "FLOWER_READ_ONLY": "true",
            # Workers send events from their start, so nobody needs to ask them again every 5 s.
            "FLOWER_ENABLE_EVENTS": "false",
            "FLOWER_MAX_TASKS": str(_TASKS_KEPT),
            "FLOWER_PURGE_OFFLINE_WORKERS": str(_FORGET_WORKERS_SECONDS),
            # Its file is a pickle, and history is the ledger's business.
            "FLOWER_PERSISTENT": "false",
            "FLOWER_TASKS_COLUMNS": "name,state,args,kwargs,received,runtime,worker,uuid",
        },
    )
