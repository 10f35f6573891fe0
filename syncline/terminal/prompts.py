"""What a command asks a person: secrets, without echo, and whether it may go on."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer
from pydantic import SecretStr

from syncline.errors import Refused
from syncline.operations import token_in


def ask_secret(
    what: str, option: str, *, given: str | None, variable: str | None, addresses: bool = False
) -> SecretStr:
    """A secret that was never on the command line.

    Args:
        what: what it is, for the prompt.
        option: the option's name, for the error texts.
        given: what the option itself got: `-` for one line of standard input.
        variable: the environment variable that holds it.
        addresses: whether it is no token, but addresses with space between them.

    Raises:
        Refused: it was typed into the command line, is empty, or cannot be asked for.
    """
    checked = _addresses if addresses else _token
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
        return checked(os.environ.get(variable, ""), f"The variable {variable} holds no {what}")
    if given == "-":
        return checked(sys.stdin.readline(), f"Standard input holds no {what}")
    if not sys.stdin.isatty():
        raise Refused(
            f"The {what} is missing.",
            remedy=f"Give {option}-env NAME, or {option} - with the secret on standard input.",
        )
    return checked(typer.prompt(what, hide_input=True, err=True), f"What was typed is no {what}")


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


def _token(value: str, fault: str) -> SecretStr:
    secret = token_in(value)
    if secret is None and value.strip():
        raise Refused(
            f"{fault}: there are spaces, control characters or letters outside ASCII in it.",
            remedy="Copy the secret again, without anything around it.",
        )
    return secret or _nothing(fault)


def _addresses(value: str, fault: str) -> SecretStr:
    found = " ".join(value.split())
    if not found.isprintable():
        raise Refused(
            f"{fault}: there are control characters in it.",
            remedy="Copy the addresses again, with a space between them.",
        )
    return SecretStr(found) if found else _nothing(fault)


def _nothing(fault: str) -> NoReturn:
    raise Refused(f"{fault}.", remedy="Put the secret there.")
