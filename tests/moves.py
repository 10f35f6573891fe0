"""The database of every test refuses a move of a delivery that the state table does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from syncline.deliveries.states import FIRST, MOVES

_BY_HAND = "select set_config('tests.by_hand', '{}', true)"


def by_hand(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
    """Run a statement of a test's own, which may put a delivery into any state."""
    connection.execute(text(_BY_HAND.format("on")))
    connection.execute(text(sql), parameters or {})
    connection.execute(text(_BY_HAND.format("off")))


def guard() -> str:
    """SQL that has the database refuse what `FIRST` and `MOVES` do not allow."""
    moves = ", ".join(
        f"('{source}', '{target}')"
        for source, targets in sorted(MOVES.items())
        for target in sorted(targets)
    )
    first = ", ".join(f"'{state}'" for state in sorted(FIRST))
    return f"""
    create function refuse_wrong_moves() returns trigger language plpgsql as $$
    begin
        if current_setting('tests.by_hand', true) = 'on' then
            return new;
        end if;
        if tg_op = 'INSERT' then
            if new.state in ({first}) then
                return new;
            end if;
            raise exception 'a delivery must not begin %', new.state;
        end if;
        if old.state = new.state or (old.state, new.state) in (values {moves}) then
            return new;
        end if;
        raise exception 'a delivery must not go from % to %', old.state, new.state;
    end $$;
    create trigger refuse_wrong_moves before insert or update of state on delivery
        for each row execute function refuse_wrong_moves();
    """
