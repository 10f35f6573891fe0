"""What a command asks a person: secrets, without echo, and whether it may go on."""

from __future__ import annotations

import os
import sys

import typer
from pydantic import SecretStr

from syncline.errors import Refused


def ask_secret(what: str, option: str, *, given: str | None, variable: str | None) -> SecretStr:
    """A secret that was never on the command line.

    Args:
        what: what it is, for the prompt.
        option: the option's name, for the error texts.
        given: what the option itself got: `-` for one line of standard input.
        variable: the environment variable that holds it.

    Raises:
        Refused: it was typed into the command line, is empty, or cannot be asked for.
    """
    if given is not None and given != "-":
        raise Refused(
            f"{option} takes no secret: others can read a command line.",
            remedy=f"Give {option} - and the secret on standard input, or {option}-env NAME.",
        )
    if given is not None and variable is not None:
        raise Refused(
            f"{option} and {option}-env are both given.", remedy="Use the one that you mean."
        )
    if variable is not None:
        return _checked(what, os.environ.get(variable, ""), f"The variable {variable}")
    if given == "-":
        return _checked(what, sys.stdin.readline(), "Standard input")
    if not sys.stdin.isatty():
        raise Refused(
            f"The {what} is missing.",
            remedy=f"Give {option}-env NAME, or {option} - with the secret on standard input.",
        )
    return _checked(what, typer.prompt(what, hide_input=True, err=True), "What was typed")


def agreed(question: str, *, yes: bool) -> None:
    """Ask before something is done; whoever says no ends the command.

    Raises:
        Refused: nobody is there to be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("Nobody is there to be asked.", remedy="Give --yes if you are sure.")
    typer.confirm(question, abort=True, err=True)


def _checked(what: str, value: str, source: str) -> SecretStr:
    secret = value.strip()
    if not secret:
        raise Refused(f"{source} holds no {what}.", remedy="Put the secret there.")
    if any(not character.isprintable() or character.isspace() for character in secret):
        raise Refused(
            f"{source} holds no {what}: there are spaces or control characters in it.",
            remedy="Copy the secret again, without anything around it.",
        )
    return SecretStr(secret)
