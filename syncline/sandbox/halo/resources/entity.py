"""What a resource of the emulated Halo is: how it is found, shown and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncline.sandbox.halo.resources.columns import Columns
from syncline.sandbox.halo.resources.fields import Convert
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.halo.tenant.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Writing:
    """How an entity is written.

    Attributes:
        fields: of a posted element.
        check: refuses what the rules refuse.
        save: creates or updates.
        remove_check: refuses a delete where other rows hang on the row.
        removed: what follows a delete.
        status: of a successful POST; None is the tenant's usual one.
        columns: where its texts end.
    """

    fields: Mapping[str, Convert]
    check: Callable[[Tenant, Row], None]
    save: Callable[[Tenant, Row], Row]
    remove_check: Callable[[Tenant, Row], None] | None = None
    removed: Callable[[Tenant, Row], None] | None = None
    status: int | None = None
    columns: Columns = field(default_factory=Columns)


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity.

    Attributes:
        name: as in the path.
        areas: any of these scopes' areas permits it; none means any token does.
        list_key: under which a list stands; None for a bare array.
        rows: its rows by id.
        searched: fields that `search=` looks through.
        filters: fields that may be given in the query, matched exactly.
        details: fields that only a single read with `includedetails=true` shows.
        table_id: its number in ExternalLink, None where no links exist.
        writing: None where it can only be read.
        beside: what a whole row shows besides its own fields and links.
        shown: whether a list with that query shows a row at all.
        offered: whether the tenant grants it at all; None: whoever has the scope may.
        may_be_bare: its list is a bare array at a tenant that gives some so.
    """

    name: str
    areas: frozenset[str]
    list_key: str | None
    rows: Callable[[HaloStore], dict[int, Row]]
    searched: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    details: frozenset[str] = field(default=frozenset({"customfields"}))
    table_id: int | None = None
    writing: Writing | None = None
    beside: Callable[[Tenant, Row], Row] | None = None
    shown: Callable[[Tenant, Row, Mapping[str, str]], bool] | None = None
    offered: Callable[[Tenant], bool] | None = None
    may_be_bare: bool = False

    def whole(self, tenant: Tenant, row: Row) -> Row:
        """A row with all its details and links."""
        if self.table_id is None:
            return row
        links = {"external_links": tenant.store.links_of(self.table_id, row["id"])}
        return {**row, **links, **(self.beside(tenant, row) if self.beside else {})}

    def flat(self, row: Row) -> Row:
        """A row as lists and plain single reads show it."""
        return {key: value for key, value in row.items() if key not in self.details}
