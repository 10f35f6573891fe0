"""Logs: JSON lines in services, readable on a terminal; ids bound, secrets left out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from pydantic import SecretStr

from syncline.settings import Settings

_HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"passw|secret|token|authori[sz]ation|credential|cookie|basic_auth|signature"
    r"|(^|[_-])(api[_-]?)?key$|(^|[_-])pit$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(\w+://[^\s/:@]*):[^\s/@]+@")
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
# One or two lines for every message or call, which say nothing that ours do not.
_CHATTY = (
    *("httpx", "httpcore", "kombu", "amqp", "alembic", "tornado.access"),
    *("celery.app.trace", "celery.worker.strategy", "celery.beat"),
)


def configure(settings: Settings) -> None:
    """Send all logs of this process, ours and those of libraries, to standard error.

    Unless `log_json` decides, a terminal gets readable lines and everything else gets JSON.
    """
    as_json = not sys.stderr.isatty() if settings.log_json is None else settings.log_json
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide what stands under the name of a secret, and secrets that stand inside texts."""
    for name, value in event.items():
        event[name] = _cleaned(name, value)
    return event


def _cleaned(name: str, value: object) -> object:
    if isinstance(value, SecretStr) or (_SECRET_NAME.search(name) and value not in (None, "")):
        return _HIDDEN
    if isinstance(value, str):
        return _BEARER.sub(rf"\1 {_HIDDEN}", _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", value))
    if isinstance(value, Mapping):
        return {key: _cleaned(str(key), inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_cleaned("", inner) for inner in value]
    return value
