"""Under which names the lines of a sales order take quantity and tax, and show them.

The published schema of OrderLine has neither; clients write both as `quantity` and `tax`, which
public modules show of quotes' lines. What a tenant takes if it does not take these is a guess made
of names that are published beside: `qty_order` of an invoice's line, and `total_tax`, which an
order's line shows. A field of the other spelling is dropped without a word, as every unknown one.
"""

from __future__ import annotations

from collections.abc import Mapping

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.halo.tenant.store import Row

_SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "order": {"quantity": "quantity", "tax": "tax"},
    "quote": {"quantity": "qty_order", "tax": "total_tax"},
}
_NAMES = frozenset(name for names in _SPELLINGS.values() for name in names.values())


def taken(config: SandboxConfig, line: Row) -> Row:
    """A posted line under the names that it is stored with."""
    names = _SPELLINGS[config.line_spelling]
    rest = {key: value for key, value in line.items() if key not in _NAMES}
    return rest | {ours: line[name] for ours, name in names.items() if name in line}


def spelled(config: SandboxConfig, line: Row) -> Row:
    """A stored line under the names that the tenant shows."""
    names = _SPELLINGS[config.line_spelling]
    return {names.get(key, key): value for key, value in line.items()}
