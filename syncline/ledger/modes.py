"""Under which rules a connection's records were owed: its mapping, the flows, and its mode."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from syncline.ledger.connections import FLOWS, RULES, Link
from syncline.ledger.database import text

HELD: Final = "golive"
"""The field by which what sandbox mode does not let out is known, parked or in a worker's hands."""

HELD_UNTIL_LIVE: Final = "held until live"
"""How people are told of it."""

_LIVE_RULES = "md5(mapping || :flows)"
_GENTLY = f"'gently ' || {_LIVE_RULES}"
"""All records are to be requested, but what was delivered already is not to be written anew."""


def under_new_rules(connection: Connection) -> list[str]:
    """Connections at work whose rules have changed since their records were requested."""
    return list(
        connection.execute(
            text(
                f"""
                select name from connection
                where state in ('active', 'rehearsing')
                  and owed_under is distinct from {RULES} order by name
                """  # noqa: S608 - built from a constant of this module
            ),
            {"flows": FLOWS},
        ).scalars()
    )


def rules_mark(connection: Connection, link: Link) -> str | None:
    """Under which rules all records were requested; each request under old ones changes it."""
    mark: str | None = connection.execute(
        text("select owed_under from connection where id = :id"), {"id": link.id}
    ).scalar_one()
    return mark


def requested_under(connection: Connection, link: Link, since: str | None) -> bool:
    """Note that all records were requested under the link's rules; False if they changed since.

    So it is where a record was requested under old rules since the mark was read (`since`).
    """
    return bool(
        connection.execute(
            text(
                f"""
                update connection set owed_under = {RULES}
                where id = :id and mapping = :mapping and mode = :mode
                  and owed_under is not distinct from :since
                """  # noqa: S608 - built from a constant of this module
            ),
            {
                "id": link.id,
                "mapping": link.mapping,
                "mode": link.mode,
                "flows": FLOWS,
                "since": since,
            },
        ).rowcount
    )


def requested_under_old_rules(connection: Connection, link: Link) -> bool:
    """What was just requested may be so under rules that are not the connection's any more.

    Returns:
        Whether it is so: all records are to be looked at anew, gently where only the mode is new.
    """
    return bool(
        connection.execute(
            text(
                f"""
                update connection
                set owed_under = case when mapping = :mapping and mode = 'live'
                                       and coalesce(owed_live_under, {_LIVE_RULES}) = {_LIVE_RULES}
                                      then {_GENTLY} || ' ' else 'anew ' end || clock_timestamp()
                where id = :id and (mapping <> :mapping or mode <> :mode)
                """  # noqa: S608 - built from constants of this module
            ),
            {"id": link.id, "mapping": link.mapping, "mode": link.mode, "flows": FLOWS},
        ).rowcount
    )


def forget_rules(connection: Connection, link: Link) -> None:
    """Have all records of a connection looked at anew, though its rules are as they were."""
    connection.execute(
        text("update connection set owed_under = null where id = :id"), {"id": link.id}
    )


def set_mode(connection: Connection, link: Link, mode: str) -> bool:
    """Let a connection work in another mode; False if it does already.

    What is requested is looked at anew by it, as after a new mapping. Going live, what was
    delivered or adopted stays as it is, unless another mapping was set since it was live last.
    """
    return bool(
        connection.execute(
            text(
                f"""
                update connection set mode = :mode,
                    owed_live_under = case when mode <> 'live' then owed_live_under
                                           when starts_with(owed_under, {_GENTLY})
                                           then {_LIVE_RULES} else coalesce(owed_under, '') end,
                    owed_under = case when :mode = 'live'
                                       and coalesce(owed_live_under, {_LIVE_RULES}) = {_LIVE_RULES}
                                      then {_GENTLY} end
                where id = :id and mode <> :mode
                """  # noqa: S608 - built from constants of this module
            ),
            {"id": link.id, "mode": mode, "flows": FLOWS},
        ).rowcount
    )


def goes_live_gently(connection: Connection, link: Link) -> bool:
    """Whether all records are to be requested by a new mode alone, and not by a new mapping."""
    return bool(
        connection.execute(
            text(
                f"select starts_with(owed_under, {_GENTLY}) from connection where id = :id"  # noqa: S608 - constants
            ),
            {"id": link.id, "flows": FLOWS},
        ).scalar()
    )
