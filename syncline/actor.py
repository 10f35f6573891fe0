"""Who runs a command: the name that the audit log keeps beside what was decided."""

from __future__ import annotations

import getpass
import os

from syncline.settings import Settings


def caused(what: str, settings: Settings) -> str:
    """The cause of what a command does: its name, and who ran it."""
    return f"{what} by {actor(settings)}"


def actor(settings: Settings) -> str:
    """The person of the settings, else the user of the operating system."""
    if settings.actor is not None:
        return settings.actor
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"uid {os.getuid()}"
