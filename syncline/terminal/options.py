"""Options that several commands of connections take, and what their texts mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, time
from enum import StrEnum
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

import typer

from syncline.errors import Refused

_LIMIT = re.compile(r"(\d{1,7})/(\d{1,5})")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Token = Annotated[
    str | None,
    typer.Option(metavar="-", help="Given as -: HighLevel's token, from standard input."),
]
TokenEnv = Annotated[
    str | None, typer.Option(metavar="NAME", help="The variable that holds HighLevel's token.")
]
HaloSecret = Annotated[
    str | None, typer.Option(metavar="-", help="Given as -: Halo's secret, from standard input.")
]
HaloSecretEnv = Annotated[
    str | None, typer.Option(metavar="NAME", help="The variable that holds Halo's secret.")
]


class Mode(StrEnum):
    """What stands behind a connection."""

    SANDBOX = "sandbox"
    LIVE = "live"


_Options = TypeVar("_Options")


def taking(
    options: type[_Options],
) -> Callable[[Callable[[typer.Context, _Options], None]], Callable[..., None]]:
    """Make a command of a function that takes all its options as one dataclass, a field each.

    Args:
        options: the dataclass; its fields are annotated as the parameters of a command are.
    """
    hints = get_type_hints(options, include_extras=True)
    keyword = Parameter.KEYWORD_ONLY
    taken = [
        Parameter(
            one.name,
            keyword,
            default=Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(options)  # type: ignore[arg-type]  # mypy cannot say "a dataclass"
    ]
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    def around(run: Callable[[typer.Context, _Options], None]) -> Callable[..., None]:
        def command(context: typer.Context, **given: Any) -> None:
            run(context, options(**given))

        command.__doc__ = run.__doc__
        command.__name__ = run.__name__
        command.__signature__ = Signature([context, *taken])  # type: ignore[attr-defined]
        return command

    return around


def limit(option: str, text: str) -> tuple[int, int]:
    """Calls and seconds of `CALLS/SECONDS`.

    Raises:
        Refused: it is something else, or lets nothing through.
    """
    found = _LIMIT.fullmatch(text.strip())
    if found is None or int(found[1]) == 0 or int(found[2]) == 0:
        raise Refused(
            f"{option} {text!r} is no limit.", remedy="Write calls and seconds, such as 100/10."
        )
    return int(found[1]), int(found[2])


def day(text: str) -> date:
    """A day of `YYYY-MM-DD`.

    Raises:
        Refused: it is something else.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no day.", remedy="Write it as 2026-01-31.") from None


def moment(text: str) -> datetime:
    """A moment of `YYYY-MM-DDTHH:MM`, UTC unless it names a zone; a day alone means its end.

    Raises:
        Refused: it is something else.
    """
    try:
        if len(text) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), time.max, UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            f"{text!r} is no moment.", remedy="Write it as 2026-01-31 or 2026-01-31T14:30."
        ) from None


def url(option: str, text: str) -> str:
    """An address that secrets may be sent to: https, or this machine.

    Raises:
        Refused: it is something else.
    """
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or parts.username or parts.password:
        raise Refused(
            f"{option} {text!r} is no address.", remedy="Write it as https://acme.halopsa.com."
        )
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise Refused(
            f"{option} {text!r} is not encrypted, so no secret is sent there.",
            remedy="Write https:// in front.",
        )
    return text.strip().rstrip("/")
