"""G04 scope: protects a table from both lanes, and other tables from Alembic.

Alembic drops what its metadata lack, so it may see the app's tables alone.
"""

from __future__ import annotations

from twolane.guards.refusal import Refusal


def scope(app_tables: frozenset[str], introspected: frozenset[str]) -> Refusal | None:
    """G04: a table belongs to one lane. Both arguments hold `schema.table`."""
    both = sorted(app_tables & introspected)
    if not both:
        return None
    return Refusal(
        "G04",
        "scope",
        "These tables are in app.py and, made by SQL, in the database's mirror as well:",
        f"take {both[0]} out of app.py; or, to make what is listed the app's: "
        f"invoke db.own {_names(both)}",
        details=both,
    )


def _names(tables: list[str]) -> str:
    return ",".join(table.removeprefix("public.") for table in tables)


def metadata(is_app_metadata: bool) -> Refusal | None:
    """G04: Alembic compares the app's metadata and nothing else."""
    if is_app_metadata:
        return None
    return Refusal(
        "G04",
        "scope",
        "migrations/env.py gives Alembic other metadata than AppBase's, to drop what that lacks.",
        "restore target_metadata in migrations/env.py",
    )
