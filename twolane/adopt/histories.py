"""Records of other migration tools, in a database and beside it: recognised, and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane.facts import identities
from twolane.facts.catalog import Snapshot
from twolane.repo import supabase_migrations

if TYPE_CHECKING:
    from psycopg import Connection

_SUPABASE = "supabase_migrations.schema_migrations"


@dataclass(frozen=True)
class History:
    """A tool's record. table: where in the database; files: where in the repo; or nothing."""

    tool: str
    table: str
    files: str

    @property
    def text(self) -> str:
        """`Alembic (public.alembic_version; alembic/versions/)`."""
        return f"{self.tool} ({'; '.join(place for place in (self.table, self.files) if place)})"

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def find(facts: Snapshot, connection: Connection[Any], root: Path) -> list[History]:
    """The records of Alembic, Drizzle, Prisma and the Supabase CLI.

    The tables of the first three are facts; the last one's is in a schema of the platform.
    """
    tables = [i.removeprefix("table ") for i in facts if identities.kind(i) == "table"]
    return [
        *_alembic(tables, root),
        *_other(tables, root, "Drizzle", "__drizzle_migrations", "drizzle"),
        *_other(tables, root, "Prisma", "_prisma_migrations", "prisma/migrations"),
        *_supabase(connection, root),
    ]


def _alembic(tables: list[str], root: Path) -> Iterator[History]:
    own = root / "migrations" / "versions"
    chains = [path for path in sorted(root.glob("*/versions")) if path != own]
    files = ", ".join(f"{path.relative_to(root).as_posix()}/" for path in chains)
    for table in tables:
        if identities.plain(table).endswith(".alembic_version"):
            yield History("Alembic", table, files)


def _other(tables: list[str], root: Path, tool: str, name: str, folder: str) -> Iterator[History]:
    for table in tables:
        if identities.plain(table).endswith(f".{name}"):
            yield History(tool, table, _folder(root, folder))


def _supabase(connection: Connection[Any], root: Path) -> Iterator[History]:
    listed = connection.execute(
        """
        select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname || '.' || c.relname = %s
        """,
        (_SUPABASE,),
    )
    table = _SUPABASE if listed.fetchone() is not None else ""
    others = any(not migration.is_ours for migration in supabase_migrations.read(root))
    files = f"{supabase_migrations.FOLDER}/" if others else ""
    if table or files:
        yield History("Supabase CLI", table, files)


def _folder(root: Path, folder: str) -> str:
    return f"{folder}/" if any((root / folder).rglob("*.sql")) else ""
