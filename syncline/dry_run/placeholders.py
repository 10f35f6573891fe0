"""Placeholders: ids that only an answer can bring, in what is rendered before it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from syncline.flows import customers, payments
from syncline.flows.flow import Needs, TargetIds

_FIRST: Final = 10**15
"""Numbers from here on stand for ids that are not known yet; Halo's own are far below."""

Id = int | str | None
"""An id, or the name of one that is not known yet."""


class Unknown:
    """Numbers that stand for ids which are not known yet, by what they are ids of."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def number(self, name: str) -> int:
        """The number for a name, the same each time."""
        number = self._numbers.setdefault(name, _FIRST + len(self._numbers))
        self._names[number] = name
        return number

    def kept(self, known: int | None) -> Id:
        """An id as it can be kept for others: a name in place of a number."""
        return known if known is None else self._names.get(known, known)

    def again(self, kept: Id) -> int | None:
        """A kept id with a number in place of its name."""
        return self.number(kept) if isinstance(kept, str) else kept

    def shown(self, value: Any) -> Any:
        """A body with `<names>` in place of numbers."""
        if isinstance(value, Mapping):
            return {key: self.shown(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.shown(one) for one in value]
        if isinstance(value, int) and value in self._names:
            return f"<{self._names[value]}>"
        return value


NOT_SEEN: Final[tuple[Id, Id, Id]] = (None, None, None)
"""Client, site and currency of an invoice that was not rendered."""


def placeholder(need: Needs, unknown: Unknown, invoice: tuple[Id, Id, Id] = NOT_SEEN) -> TargetIds:
    """The ids of a row that would have been made before.

    Args:
        need: what is needed.
        unknown: has the numbers.
        invoice: client, site and currency of the invoice that is needed, if it is one.
    """
    key = need.source_id
    if need.flow == customers.FLOW:
        client = unknown.number(f"client of {key}")
        own = unknown.number(f"user of {key}") if need.role == "user" else client
        return TargetIds(own, client_id=client, site_id=unknown.number(f"site of {key}"))
    own = unknown.number(f"{need.role} {payments.reference(key, need.role)}")
    if need.role != "invoice":
        return TargetIds(own)
    # Payments and credits take customer and currency from their invoice.
    client_id, site_id, currency_id = map(unknown.again, invoice)
    return TargetIds(own, client_id=client_id, site_id=site_id, currency_id=currency_id)


class PlaceholderCurrencies(defaultdict[str, int]):
    """Halo's ids of currencies; one that is not known is asked for before it is missed.

    Attributes:
        asks: whether one was missed, so that Halo would be asked for all of them.
    """

    def __init__(self, known: Mapping[str, int], unknown: Unknown) -> None:
        super().__init__(None, known)
        self._unknown = unknown
        self.asks = False

    def __contains__(self, currency: object) -> bool:
        return bool(currency)

    def __missing__(self, currency: str) -> int:
        self.asks = True
        return self._unknown.number(f"currency {currency}")
