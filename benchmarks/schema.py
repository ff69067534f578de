"""A database of any size, as a pure function of the number of its tables.

It gives the same tables twice: as SQL files of lane A, and as a Drizzle schema for the peer that
keeps its tables in TypeScript. It also gives a few tables of the app, for lane B.
"""

from __future__ import annotations

TABLES_A_FILE = 100
"""A file is one transaction, and a server can hold only some thousands of locks in total."""

APP_TABLES = 10


def table(number: int) -> str:
    """The name of a table, in the schema `public`."""
    return f"bench_{number:05}"


def references(number: int) -> tuple[int, int]:
    """The tables that a table's two foreign keys refer to; the first table refers to itself.

    The keys form a tree and a chain, so at most three tables refer to the same table.
    """
    return max(0, (number - 1) // 2), max(0, number - 1)


def sql_files(size: int) -> dict[str, str]:
    """File name → text, in the order to apply; each file may run again."""
    starts = range(0, size, TABLES_A_FILE)
    return {
        f"10_bench_{start // TABLES_A_FILE:03}.sql": "\n".join(
            _sql(number) for number in range(start, min(start + TABLES_A_FILE, size))
        )
        for start in starts
    }


def _sql(number: int) -> str:
    name = table(number)
    parent, previous = map(table, references(number))
    return f"""\
create table if not exists public.{name} (
  id uuid not null default gen_random_uuid(),
  owner_id uuid not null,
  parent_id uuid,
  previous_id uuid,
  title text not null,
  amount numeric(12, 2) not null default 0,
  quantity integer not null default 1,
  is_active boolean not null default true,
  tags text[] not null default '{{}}',
  details jsonb not null default '{{}}',
  happens_on date,
  created_at timestamptz not null default now(),
  constraint {name}_pkey primary key (id),
  constraint {name}_parent_id_fkey
  foreign key (parent_id) references public.{parent} (id) on delete cascade,
  constraint {name}_previous_id_fkey
  foreign key (previous_id) references public.{previous} (id) on delete set null,
  constraint {name}_quantity_check check (quantity >= 0)
);
create index if not exists {name}_owner_timeline_idx
on public.{name} (owner_id, created_at desc);
create index if not exists {name}_parent_id_idx on public.{name} (parent_id);
alter table public.{name} enable row level security;
drop policy if exists {name}_select_own on public.{name};
create policy {name}_select_own on public.{name}
for select to authenticated using ((select auth.uid()) = owner_id);
"""


def change(undo: bool = False) -> str:
    """SQL that changes one table, in the middle of a file, or undoes the change."""
    action = "drop column note" if undo else "add column note text"
    return f"alter table public.{table(7)} {action}"


CHANGED = ("1 fact", f"public.{table(7)}", "column", "note")
"""Words that every report of the change contains."""


def app_models() -> str:
    """`app.py` with tables of lane B, one of them with a foreign key into lane A."""
    head = (
        '"""The app\'s tables."""\n\n'
        "import uuid\n\n"
        "from sqlalchemy import ForeignKey\n"
        "from sqlalchemy.orm import Mapped, mapped_column\n\n"
        "from .base import AppBase, TenantOwned, Timestamps, UUIDKey\n"
        "from .introspected import Bench00000\n"
    )
    classes = [
        f"\n\nclass App{number}(UUIDKey, TenantOwned, Timestamps, AppBase):\n"
        f'    __tablename__ = "app_{number}"\n\n'
        "    body: Mapped[str]\n"
        "    rank: Mapped[int | None]\n"
        "    bench_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Bench00000.id), index=True)\n"
        for number in range(APP_TABLES)
    ]
    return head + "".join(classes)


def revision(number: int, before: str) -> tuple[str, str]:
    """The id and text of a revision that creates one table; it follows the revision `before`."""
    identity = f"bench{number:07}"
    return (
        identity,
        f"""\
import sqlalchemy as sa
from alembic import op

revision = "{identity}"
down_revision = "{before}"


def upgrade() -> None:
    op.create_table("pushed_{number}", sa.Column("id", sa.BigInteger(), primary_key=True))


def downgrade() -> None:
    op.drop_table("pushed_{number}")
""",
    )


def drizzle(size: int) -> str:
    """The same tables as `schema.ts`."""
    head = """\
import { sql } from "drizzle-orm";
import {
  boolean, check, date, foreignKey, index, integer, jsonb, numeric, pgPolicy, pgTable, primaryKey,
  text, timestamp, uuid,
} from "drizzle-orm/pg-core";
import { authenticatedRole, authUid } from "drizzle-orm/supabase";
"""
    return head + "\n".join(map(_drizzle, range(size)))


def _drizzle(number: int) -> str:
    name = table(number)
    parent, previous = map(table, references(number))
    return f"""\
export const {name} = pgTable("{name}", {{
  id: uuid().notNull().defaultRandom(),
  ownerId: uuid("owner_id").notNull(),
  parentId: uuid("parent_id"),
  previousId: uuid("previous_id"),
  title: text().notNull(),
  amount: numeric({{ precision: 12, scale: 2 }}).notNull().default("0"),
  quantity: integer().notNull().default(1),
  isActive: boolean("is_active").notNull().default(true),
  tags: text().array().notNull().default(sql`'{{}}'`),
  details: jsonb().notNull().default({{}}),
  happensOn: date("happens_on"),
  createdAt: timestamp("created_at", {{ withTimezone: true }}).notNull().defaultNow(),
}}, (t) => [
  primaryKey({{ name: "{name}_pkey", columns: [t.id] }}),
  foreignKey({{
    name: "{name}_parent_id_fkey", columns: [t.parentId], foreignColumns: [{parent}.id],
  }}).onDelete("cascade"),
  foreignKey({{
    name: "{name}_previous_id_fkey", columns: [t.previousId], foreignColumns: [{previous}.id],
  }}).onDelete("set null"),
  check("{name}_quantity_check", sql`quantity >= 0`),
  index("{name}_owner_timeline_idx").on(t.ownerId, t.createdAt.desc()),
  index("{name}_parent_id_idx").on(t.parentId),
  pgPolicy("{name}_select_own", {{
    for: "select", to: authenticatedRole, using: sql`${{authUid}} = ${{t.ownerId}}`,
  }}),
]);
"""
