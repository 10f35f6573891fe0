"""What PostgreSQL's catalog says about a ledger: its tables, and the whole shape of them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from syncline.ledger.database import connect

TABLES: Final = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
  and relname <> 'alembic_version'
order by relname
"""
"""The ledger's tables: partitions are part of theirs, and Alembic's own is not ours."""

_OURS = """
ours as (
    select oid, relname, relkind, relpersistence, reloptions, relpartbound from pg_class
    where relnamespace = 'public'::regnamespace and relname <> 'alembic_version'
      and relname <> 'alembic_version_pkc' and relname !~ '_[0-9]{4}_[0-9]{2}(_|$)'
)
"""
"""Without the months of partitions: which of them there are depends on the day."""

_SHAPE = {
    "relations": """
        select relname, relkind, relpersistence, reloptions,
               pg_get_expr(relpartbound, oid) as bound, pg_get_partkeydef(oid) as key from ours
    """,
    "columns": """
        select relname, attname, format_type(atttypid, atttypmod) as type, attnotnull,
               attidentity, attgenerated, pg_get_expr(adbin, adrelid) as default_of
        from ours join pg_attribute on attrelid = ours.oid
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relkind in ('r', 'p') and attnum > 0 and not attisdropped
    """,
    "constraints": """
        select relname, conname, contype, convalidated, pg_get_constraintdef(con.oid) as says
        from ours join pg_constraint con on conrelid = ours.oid
    """,
    "indexes": """
        select indrelid::regclass::text as relname, ours.relname as name, indisvalid,
               pg_get_indexdef(indexrelid) as says
        from ours join pg_index on indexrelid = ours.oid
    """,
    "triggers": """
        select relname, pg_get_triggerdef(trig.oid) as says
        from ours join pg_trigger trig on tgrelid = ours.oid where not tgisinternal
    """,
    "functions": """
        select proname, pg_get_functiondef(oid) as says from pg_proc
        where pronamespace = 'public'::regnamespace
    """,
}


def shape(database_url: str) -> set[tuple[str, ...]]:
    """Everything that the ledger of a database consists of, whatever the order of its columns."""
    engine = connect(database_url, connections=1)
    with engine.connect() as connection:
        found = {
            (what, *(str(value) for value in row))
            for what, query in _SHAPE.items()
            for row in connection.execute(text(f"with {_OURS} {query}"))
        }
    engine.dispose()
    return found
