"""Ways to cut a command short, and the states that commands start from."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from servers import Server, as_user, programs
from service import DEV_MARKERS, Service
from steps import add_sql

from twolane.facts import catalog
from twolane.postgres import databases

CACHES = {".git", ".postgres", "__pycache__", ".ruff_cache"}

Files = dict[str, str]
Standing = tuple[tuple[Any, ...], catalog.Snapshot]

DEEDS = "create table if not exists public.deeds (id int);\n"
DEED = "select pg_sleep(0.05);\ninsert into public.deeds select count(*) from public.deeds;\n"
VIEW = (
    "drop view if exists public.notes;\n"
    "create view public.notes with (security_invoker = true) as "
    "select {} from public.dev_markers;\n"
)
CONSENT = ("--allow", "drop:dev_markers.note")
FORCE = "alter table public.dev_markers force row level security;\n"


@dataclass(frozen=True)
class Cut:
    """A way to cut a command short: how, and how often for each command."""

    name: str
    times: int
    cut: Callable[[subprocess.Popen[str], Server], None]


def interrupt(process: subprocess.Popen[str], server: Server) -> None:
    process.send_signal(signal.SIGINT)


def kill(process: subprocess.Popen[str], server: Server) -> None:
    process.kill()


def disconnect(process: subprocess.Popen[str], server: Server) -> None:
    """Ends the command's backends, as soon as it has any."""
    query = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where application_name = 'twolane'"
    )
    with psycopg.connect(server.url(), autocommit=True) as connection:
        while connection.execute(query).fetchone() == (0,) and process.poll() is None:
            time.sleep(0.002)


def restart(process: subprocess.Popen[str], server: Server) -> None:
    """The server breaks off without a word, and comes back."""
    control = programs(server.major) / "pg_ctl"
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("select current_setting('data_directory')").fetchone()
    assert row
    command = [control, "-w", "-m", "immediate", "-D", row[0], "-l", f"{row[0]}/log", "restart"]
    quiet = subprocess.DEVNULL
    subprocess.run(command, user=as_user(), cwd="/", check=True, stdout=quiet, stderr=quiet)


CUTS = [
    Cut("kill", 6, kill),
    Cut("interrupt", 5, interrupt),
    Cut("disconnect", 4, disconnect),
    Cut("restart", 1, restart),
]


@dataclass
class Prepared:
    """A service on which `words` is the next command, and what an undisturbed run makes of it.

    before, after: the service's files. passed: ledger → facts, wherever the database stands
    meanwhile. seconds: how long a run takes.
    """

    service: Service
    words: tuple[str, ...]
    before: Files
    after: Files
    passed: dict[tuple[Any, ...], catalog.Snapshot]
    end: Standing
    seconds: float


class Ground:
    """Services on a server of their own, in all the states that the commands need."""

    def __init__(self, server: Server, blank: Service, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.prepared: dict[str, Prepared] = {}
        env = {"DATABASE_URL": server.new_database(), "SHADOW_DATABASE_URL": server.url()}
        self.fresh = self.copy(Service(blank.folder, env))
        self.ready = self.copy(self.fresh)
        self.ready.invoke("db.bootstrap")

    def copy(self, origin: Service, with_database: bool = True) -> Service:
        """The same service again, with a database of its own that holds the same."""
        name = f"test_{uuid4().hex}"
        leave = shutil.ignore_patterns(".git")
        shutil.copytree(origin.folder, self.folder / name, ignore=leave)
        if not with_database:
            return Service(self.folder / name, origin.env)
        template = str(conninfo_to_dict(origin.env["DATABASE_URL"])["dbname"])
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            for statement in (
                "create database {name} template {template} strategy file_copy",
                'alter database {name} set search_path = "$user", public, extensions',
            ):
                names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
                connection.execute(sql.SQL(statement).format(**names))
        return Service(self.folder / name, origin.env | {"DATABASE_URL": self.server.url(name)})

    def remove(self, service: Service) -> None:
        """Removes a copy, and its database if it has one of its own."""
        shutil.rmtree(service.folder)
        name = service.folder.name
        if conninfo_to_dict(service.env["DATABASE_URL"])["dbname"] == name:
            with psycopg.connect(self.server.url(), autocommit=True) as connection:
                databases.drop(connection, name)

    def prepare(self, command: str) -> Prepared:
        """The state before that command; made once."""
        if command not in self.prepared:
            service, words, steps = PREPARATIONS[command](self)
            self.prepared[command] = self.observe(service, words, steps)
        return self.prepared[command]

    def observe(self, service: Service, words: tuple[str, ...], steps: list[Step]) -> Prepared:
        """Lets the command run undisturbed, and once more in steps of one transaction each."""
        warm = self.copy(service)
        warm.run(*words)
        shutil.rmtree(service.folder / ".postgres", ignore_errors=True)
        shutil.copytree(warm.folder / ".postgres", service.folder / ".postgres")
        whole, slow = self.copy(service), self.copy(service)
        start = time.monotonic()
        whole.run(*words)
        seconds = time.monotonic() - start
        passed = [standing(slow)]
        for step in steps:
            step(slow)
            passed.append(standing(slow))
        end = standing(whole)
        assert passed[-1] == end, "the steps lead where the command leads"
        before, after = files(service), files(whole)
        assert (before, passed[0]) != (after, end), "the command does something"
        return Prepared(service, words, before, after, dict(passed), end, seconds)


Step = Callable[[Service], object]


def apply_one(name: str) -> Step:
    return lambda service: service.invoke("db.apply", "--file", name)


def push_all(service: Service) -> None:
    service.invoke("db.push")


Preparation = tuple[Service, tuple[str, ...], list[Step]]


def before_apply(ground: Ground) -> Preparation:
    service = ground.copy(ground.ready)
    add_sql(service, "10_deeds.sql", DEEDS)
    add_sql(service, "11_deed.sql", DEED)
    add_sql(service, "12_note.sql", "comment on table public.deeds is 'what was done';\n")
    return (
        service,
        ("db.apply",),
        [apply_one(n) for n in ("10_deeds.sql", "11_deed.sql", "12_note.sql")],
    )


def before_sync(ground: Ground) -> Preparation:
    service = ground.copy(ground.ready)
    service.sql("alter table public.contacts add column nickname text")
    service.sql("create table public.deeds (id int primary key, at timestamptz)")
    return service, ("db.sync",), []


def before_gen(ground: Ground) -> Preparation:
    service = ground.copy(ground.ready)
    service.write_app(DEV_MARKERS)
    return service, ("db.gen", "-m", "add dev markers"), []


def before_push(ground: Ground) -> Preparation:
    service = ground.copy(ground.ready)
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    service.write_app(f"{DEV_MARKERS}    note: Mapped[str | None]\n")
    service.invoke("db.gen", "-m", "add a note")
    return service, ("db.push",), [push_all]


def before_bootstrap(ground: Ground) -> Preparation:
    """A checkout with work of both lanes, met by an empty database."""
    made = ground.copy(ground.ready)
    made.write_app(DEV_MARKERS)
    made.invoke("db.gen", "-m", "add dev markers")
    made.invoke("db.push")
    add_sql(made, "10_deeds.sql", DEEDS + DEED)
    add_sql(made, "20_force.sql", FORCE, after=True)
    made.invoke("db.apply")
    made.invoke("db.sync")
    names = [line for line in made.read("supabase/bootstrap.txt").splitlines() if ".sql" in line]
    early = [name for name in names if "#" not in name and name != "20_force.sql"]
    service = Service(made.folder, made.env | {"DATABASE_URL": ground.fresh.env["DATABASE_URL"]})
    steps = [*map(apply_one, early), push_all, apply_one("20_force.sql")]
    return service, ("db.bootstrap",), steps


def before_deploy(ground: Ground) -> Preparation:
    """Work of both lanes; a view is in the revision's way, and is made again in its transaction."""
    service = ground.copy(ground.ready)
    service.write_app(f"{DEV_MARKERS}    note: Mapped[str | None]\n")
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    add_sql(service, "20_notes.sql", VIEW.format("note"), after=True)
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.sql("insert into dev_markers (label) values ('kept')")
    service.write("supabase/sql/20_notes.sql", VIEW.format("label as note"))
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "drop note")
    add_sql(service, "10_deeds.sql", DEEDS + DEED)
    steps = [apply_one("10_deeds.sql"), lambda made: made.invoke("db.deploy", *CONSENT)]
    return service, ("db.deploy", *CONSENT), steps


PREPARATIONS: dict[str, Callable[[Ground], Preparation]] = {
    "apply": before_apply,
    "sync": before_sync,
    "gen": before_gen,
    "push": before_push,
    "bootstrap": before_bootstrap,
    "deploy": before_deploy,
}


def standing(service: Service) -> Standing:
    """Where the database stands: its ledger and what no run may do twice; its facts."""
    tables = {
        "twolane.sql_runs": "file, digest",
        "twolane.pushes": "revision, digest",
        "twolane.alembic_version": "version_num",
        "public.deeds": "id",
    }
    ledger: list[tuple[Any, ...]] = []
    with psycopg.connect(service.env["DATABASE_URL"], autocommit=True) as connection:
        for table, columns in tables.items():
            if connection.execute("select to_regclass(%s)", [table]).fetchone() != (None,):
                rows = connection.execute(f"select {columns} from {table}".encode())
                ledger += [(table, *row) for row in rows]
        return tuple(sorted(ledger)), catalog.read(connection)


def files(service: Service) -> Files:
    """The service's own files; a revision without its id, which is by chance, and its time."""
    found: Files = {}
    for path in service.folder.rglob("*"):
        name = path.relative_to(service.folder)
        if path.is_file() and not CACHES & set(name.parts):
            text = path.read_text()
            if match := re.search(r'^revision: str = "(\w+)"', text, re.M):
                text = re.sub(r"Created: .*", "", text.replace(match[1], "…"))
                name = name.with_name(name.name.partition(match[1])[2])
            found[str(name)] = text
    return found
