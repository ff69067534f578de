"""Hostile names and texts: neither SQL nor Python comes out of them, and no terminal is led astray.

Whoever may name a column in the live database must not run code in the checkout of whoever syncs.
"""

from __future__ import annotations

import ast
import json
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import pytest
import warm
from conftest import NewDatabase, database_name
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from service import Service, clean_environment

FORGED = "✓ forged"
PIECES = [
    "a", "Z", "_", " ", ".", "é", "名", "😀", "class", "0",
    "'", '"', "'''", '"""', "`", "$$", "$x$", ";", "--", "/*", "*/", "#", "\\", "\\\\", "\\x41",
    "\\N{BELL}", "%", "%s", "%(x)s", "%%", "{", "}", "{0}", "{x!r}", ":x", "${x}", "<%", "##", "@",
    "\n", "\r", "\t", f"\n{FORGED}", f"\r\n{FORGED}\n", "\v", "\f", "\x1c", "\x85", "\u2028",
    "\x1b]0;x\x07", "\x1b[2J", "\x9b31m", "\x07", "\x08", "\x7f", "\x01",
    "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad", "\U000e0041", "\u0301",
    '"""\nopen("canary", "w")\n"""', "'+open('canary','w')+'", '"+open("canary","w")+"',
    "\nopen('canary','w')#", "\\\nopen('canary','w')\n", "${open('canary','w')}",
    "'; create table public.canary(); --", '"; create table public.canary(); --',
    "$$; create table public.canary(); --", "*/ create table public.canary(); --",
]  # fmt: skip


def cut(text: str, size: int = 63) -> str:
    """As much as a name may hold: Postgres cuts names at 63 bytes."""
    return text.encode()[:size].decode(errors="ignore")


def texts(least: int = 0) -> st.SearchStrategy[str]:
    pieces = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"])))
    found = pieces.map(lambda parts: "".join(parts).replace("\0", ""))
    return found.filter(lambda text: len(text) >= least)


names = texts(least=1).map(cut)


@dataclass(frozen=True)
class Hostile:
    """Names for objects of every kind, and texts for comments, defaults and labels."""

    names: list[str]
    texts: list[str]


NAMES, TEXTS = 16, 8
hostile = st.builds(
    Hostile,
    st.lists(names, min_size=NAMES, max_size=NAMES, unique=True),
    st.lists(texts(), min_size=TEXTS, max_size=TEXTS, unique=True),
)


def covering() -> list[Hostile]:
    """Every piece as a name and in a text, at its beginning, inside it and at its end."""
    whole = [cut(piece) for piece in PIECES] + [cut(f"n{piece}n{piece}") for piece in PIECES]
    unique = list(dict.fromkeys([*whole, "名" * 21, "\\" * 63, '"' * 63, "😀" * 15]))
    unique += [f"filler {n}" for n in range(-len(unique) % NAMES)]
    return [
        Hostile(group, [f"{text}.{text}" for text in group[:TEXTS]])
        for group in (unique[n : n + NAMES] for n in range(0, len(unique), NAMES))
    ]


def create(connection: psycopg.Connection[tuple[object, ...]], given: Hostile) -> None:
    """A schema with two tables that refer to each other, and something of every kind."""
    n, t = [sql.Identifier(name) for name in given.names], [sql.Literal(t) for t in given.texts]
    s, one, two = n[0], sql.SQL("{}.{}").format(n[0], n[1]), sql.SQL("{}.{}").format(n[0], n[2])

    def run(statement: LiteralString, *parts: sql.Composable) -> None:
        connection.execute(sql.SQL(statement).format(*parts))

    run("create schema {}", s)
    run("create type {}.{} as enum ({}, {})", s, n[3], sql.Literal(given.names[0]), t_label(given))
    run("create domain {}.{} as text default {} check (value <> {})", s, n[4], t[0], t[1])
    run(
        "create table {} ({} uuid primary key, {} text default {}, {} {}.{}, {} {}.{},"
        " unique ({}))",
        one, n[5], n[6], t[2], n[7], s, n[3], n[8], s, n[4], n[6],
    )  # fmt: skip
    run(
        "create table {} ({} uuid primary key, {} uuid constraint {} references {},"
        " {} text constraint {} check ({} <> {}))",
        two, n[5], n[9], n[10], one, n[6], n[11], n[6], t[3],
    )  # fmt: skip
    run("create index {} on {} ({})", n[12], one, n[6])
    run("create view {}.{} as select {}, {} as {} from {}", s, n[13], n[5], t[4], n[14], one)
    body = sql.Literal(f"select {sql.Literal(given.texts[5]).as_string(connection)}::text")
    run("create function {}.{}({} int) returns text language sql as {}", s, n[15], n[5], body)
    run("create policy {} on {} using ({} <> {})", n[6], one, n[6], t[6])
    run("comment on table {} is {}", one, t[7])
    run("comment on column {}.{} is {}", one, n[6], t[5])
    run("comment on schema {} is {}", s, t[4])


def t_label(given: Hostile) -> sql.Literal:
    return sql.Literal(given.names[1])


@pytest.fixture(scope="module")
def target(
    ready_service: Service, lasting_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service whose database takes the examples one after the other; what it syncs goes here."""
    import shutil

    folder = tmp_path_factory.mktemp("hostile") / "crm"
    shutil.copytree(ready_service.folder, folder)
    database = lasting_database(database_name(ready_service.env["DATABASE_URL"]))
    return Service(folder, ready_service.env | {"DATABASE_URL": database})


SELECT_ALL = """
import os, sys, sqlalchemy as sa
sys.path.insert(0, "src")
from crm.db.schema import introspected
from crm.db.session import make_engine
sa.orm.configure_mappers()
with make_engine(os.environ["DATABASE_URL"]).connect() as connection:
    tables = [m.local_table for m in introspected.IntrospectedBase.registry.mappers]
    for table in tables:
        connection.execute(sa.select(table)).all()
    made = [table for table in tables if table.schema not in (None, "auth")]
    print(sorted((table.schema, table.name) for table in made))
"""


def check(target: Service, given: Hostile) -> None:
    with psycopg.connect(target.env["DATABASE_URL"]) as connection:
        create(connection, given)
    try:
        synced = target.invoke("db.sync").text
        model = target.read("src/crm/db/schema/introspected.py")
        assert_inert(model)
        lock = target.read("supabase/schema.lock.json")
        quoted = given.names[0].replace('"', '""')
        assert any(quoted in identity for identity in json.loads(lock)["facts"])
        for said in (synced, *looks(target)):
            assert_printable(said)
        found = run_python(target, SELECT_ALL)
        assert ast.literal_eval(found) == sorted(
            (given.names[0], given.names[n]) for n in (1, 2, 13)
        )
        assert not list(target.folder.rglob("canary"))
        assert target.sql("select to_regclass('public.canary')") == [(None,)]
    finally:
        with psycopg.connect(target.env["DATABASE_URL"]) as connection:
            schema = sql.Identifier(given.names[0])
            connection.execute(sql.SQL("drop schema {} cascade").format(schema))


def looks(target: Service) -> Iterator[str]:
    """What the commands say that show the database."""
    live, shadow = target.env["DATABASE_URL"], target.env["SHADOW_DATABASE_URL"]
    for command in ("db.status", "db.snapshot"):
        yield target.invoke(command).text
        yield target.invoke(command, "--json").text
    yield target.invoke("db.diff", "--source", shadow, "--target", live, code=3).text
    yield target.invoke("db.diff", "--source", live, "--target", shadow, "--json", code=3).text


def assert_inert(module: str) -> None:
    """Declarations alone: no call that is not SQLAlchemy's or a column's type."""
    called = {
        node.func.id
        for node in ast.walk(ast.parse(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "exec", "eval", "compile", "__import__", "print"}
    assert all(map(shows, module))


def shows(letter: str) -> bool:
    """Also a character that only a newer Unicode knows; some code points never will be any."""
    is_none = "\ufdd0" <= letter <= "\ufdef" or ord(letter) & 0xFFFE == 0xFFFE
    is_new = unicodedata.category(letter) == "Cn" and not is_none
    return letter.isprintable() or letter == "\n" or is_new


def assert_printable(said: str) -> None:
    assert all(map(shows, said)), ascii(said)
    assert not any(line.startswith(FORGED) for line in said.splitlines()), said


def run_python(target: Service, code: str) -> str:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = clean_environment() | target.env
    with warm.popen(["-c", code], cwd=target.folder, env=environment, **streams) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("given", covering(), ids=lambda given: ascii(given.names[0])[:12])
def test_a_hostile_name_stays_a_name(target: Service, given: Hostile) -> None:
    check(target, given)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(hostile)
def test_nor_does_what_chance_makes_of_them(target: Service, given: Hostile) -> None:
    check(target, given)


def test_a_hostile_title_stays_in_the_docstring_of_its_revision(service: Service) -> None:
    code = [piece for piece in PIECES if "canary" in piece]
    for title in (*code, f"a{FORGED}\n{FORGED}\x1b]0;x\x07 \u202e \\N{{BELL}} ${{x}} %(x)s"):
        said = service.invoke("db.gen", "--empty", "-m", title).text
        assert_printable(said.replace(title, ""))
        module = ast.parse(service.revisions()[-1].read_text())
        assert (ast.get_docstring(module, clean=False) or "").startswith(title), ascii(title)
        calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
        assert not calls
    assert_printable(service.invoke("db.push").text)
    assert not list(service.folder.rglob("canary"))
    assert service.sql("select to_regclass('public.canary')") == [(None,)]
