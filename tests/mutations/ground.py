"""A database with one object of every kind, on which the mutations work."""

from __future__ import annotations

from pathlib import Path

import psycopg
from conftest import NewDatabase, database_name

from twolane.facts import catalog

GROUND = "".join(Path(__file__).with_name(name).read_text() for name in ("ground.sql", "raw.sql"))

# What is not the user's, but may bear something that is; pgvector is not on every server.
OF_OTHERS = """
create extension vector with schema extensions;
create table public.brought (id int);
create schema pgmq;
create table pgmq.q_jobs (id int);
create table pgmq.q_more (id int);
alter extension plpgsql add table public.brought;
alter extension plpgsql add table pgmq.q_more;
"""


# What only files on the server bring; a row will do.
BY_HAND = """
set local allow_system_table_mods = on;
insert into pg_catalog.pg_seclabel values ('public.t'::regclass, 'pg_class'::regclass, 0, 'x', 'y');
insert into pg_catalog.pg_extension values (16000, 'own', 10, 'public'::regnamespace, true, '1');
"""


def lay(new_database: NewDatabase, platform: str, statements: str = GROUND + OF_OTHERS) -> str:
    """The name of a database with the ground, to be used as a template; and a tablespace."""
    conninfo = new_database(platform)
    run(conninfo, statements)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if not connection.execute(
            "select 1 from pg_tablespace where spcname = 'nearby'"
        ).fetchone():
            connection.execute("set allow_in_place_tablespaces = on")
            connection.execute("create tablespace nearby location ''")
    return database_name(conninfo)


def run(conninfo: str, statements: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statements.encode())


def facts_of(conninfo: str) -> catalog.Snapshot:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return catalog.read(connection)
