"""What is read of HighLevel's events before they are stored: the few fields around the rest.

Everything else is read when an event is handled, so that one of an unknown shape is kept as well.

Source: HighLevel's webhook guide and captured bodies: one flat object, in which `type`,
`locationId`, `timestamp` and `webhookId` stand beside the event's own fields.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from syncline import jsontext
from syncline.errors import Unreadable

AHEAD = timedelta(minutes=10)
"""How far HighLevel's clock may go before ours."""

_LONGEST_TEXT = 200
"""Characters; an id has 36. Longer ones would not fit an index forever."""


class _Fields(msgspec.Struct, rename="camel"):
    """Raw, because a field of a wrong type is no reason to refuse the rest."""

    webhook_id: msgspec.Raw = msgspec.Raw()
    timestamp: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()
    location_id: msgspec.Raw = msgspec.Raw()
    alt_id: msgspec.Raw = msgspec.Raw()


_fields = msgspec.json.Decoder(_Fields)
_text = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields around an event; what is absent or unfit is None.

    Attributes:
        key: what tells the event from others: its `webhookId`, else a digest of its bytes.
        type: the event's name.
        location_id: the location that it is about.
        sent_at: when HighLevel sent it first; a retry carries the same moment.
    """

    key: str
    type: str | None = None
    location_id: str | None = None
    sent_at: datetime | None = None

    def untimely(self, now: datetime, max_age: timedelta) -> str | None:
        """Why the event cannot be a delivery of now, or None if it can."""
        if self.sent_at is None:
            return None
        if self.sent_at > now + AHEAD:
            return "timestamp lies in the future"
        return "timestamp is too old" if self.sent_at < now - max_age else None


def read_envelope(body: bytes) -> Envelope:
    """The envelope of a body that is known to be JSON; an empty one where nothing can be read."""
    try:
        found = _fields.decode(body)
    except msgspec.DecodeError:
        found = _leniently(body)
    webhook_id = _as_text(found.webhook_id)
    return Envelope(
        key=webhook_id or f"sha256:{hashlib.sha256(body).hexdigest()}",
        type=_as_text(found.type),
        location_id=_as_text(found.location_id) or _as_text(found.alt_id),
        sent_at=as_moment(_as_text(found.timestamp)),
    )


def _leniently(body: bytes) -> _Fields:
    """The fields of a body that holds half a character somewhere, or none at all."""
    try:
        return _fields.decode(jsontext.dumps(jsontext.loads(body)))
    except (Unreadable, msgspec.DecodeError):
        return _Fields()


def _as_text(value: msgspec.Raw) -> str | None:
    """A text that PostgreSQL can hold."""
    try:
        text = _text.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    is_whole = "\x00" not in text and "\ufffd" not in text
    return text if 0 < len(text) <= _LONGEST_TEXT and is_whole else None


def as_moment(text: str | None) -> datetime | None:
    """An ISO 8601 text in UTC, which one without an offset is taken for; None if it is no such."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
