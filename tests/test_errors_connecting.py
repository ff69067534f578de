"""Errors of connections and of rights: one message with the next step in it, no password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from conftest import NewDatabase
from failing import SECRET, SECRETS, fails
from psycopg.conninfo import conninfo_to_dict
from servers import PostgresServer, Server, free_port
from service import Service, clean_environment

from twolane.errors import Failure
from twolane.postgres import connections, urls

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
    monkeypatch.setattr(connections, "OLDEST", 99)
    parameters = urls.parse(service.env["DATABASE_URL"], "DATABASE_URL")
    with (
        pytest.raises(
            Failure, match=r"Connecting: the server is Postgres \d\d, too old"
        ) as failure,
        connections.open_connection(parameters, "Connecting"),
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
        connections.open_connection(urls.parse(url, "DATABASE_URL"), "Connecting"),
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


# A plain Postgres


def test_a_plain_postgres_without_the_stub(
    folder: Service, server: PostgresServer, new_database: NewDatabase
) -> None:
    """Roles may be there, made by another database of this server; the schema `auth` is not."""
    folder.env |= {"DATABASE_URL": new_database(), "SHADOW_DATABASE_URL": server.get_uri()}
    said = fails(folder, "db.bootstrap")
    assert "First:  On a plain Postgres, load the stub once: invoke db.psql --platform" in said
    step = said.rpartition("invoke ")[2].split()
    assert "Loaded the stub" in folder.invoke(*step).out
    assert "No schema changes." in folder.invoke("db.bootstrap").out
    assert folder.git("status", "--short") == ""


def test_the_stub_never_meets_what_supabase_made(service: Service) -> None:
    service.sql("create function auth.theirs() returns int return 1; drop schema realtime cascade")
    refused = service.invoke("db.psql", "--platform", code=2).err
    assert "✗ db.psql refused · G01 target" in refused
    assert "Target default has auth.users: it is Supabase's, or has had the stub." in refused
    assert service.sql("select to_regnamespace('realtime')") == [(None,)]


def test_the_stub_of_a_protected_database_needs_consent(
    folder: Service, server: PostgresServer, new_database: NewDatabase
) -> None:
    urls = {"PRODUCTION": new_database(), "SHADOW_DATABASE_URL": server.get_uri()}
    plain = Service(folder.folder, urls)
    table = '\n[tool.twolane.targets.production]\nenv = "PRODUCTION"\nprotected = true\n'
    plain.write("pyproject.toml", plain.read("pyproject.toml") + table)
    load = ("db.psql", "--platform", "--target", "production")
    assert "G01 target" in plain.invoke(*load, code=2).err
    shown = plain.invoke(*load, "--confirm", "production", "-c", "table auth.users").out
    assert "(0 rows)" in shown, "what follows finds the stub"
