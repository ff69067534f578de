"""Lane A on schemas that other people wrote, through the real commands in a service."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase
from psycopg import sql
from service import Service, clean_environment, render

SCHEMAS = Path(__file__).parents[2] / "shared/schemas"
NAMES = [
    "chinook",
    "northwind",
    "pagila",
    "subscription_payments",
    "supabase_slack_clone",
    "supabase_todo",
    "trigger_dev",
]

USE = """
import os

from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.orm import Session, configure_mappers

from crm.db import schema
from crm.db.schema import introspected

configure_mappers()
classes = [mapper.class_ for mapper in schema.IntrospectedBase.registry.mappers]
with Session(create_engine(os.environ["URL"], poolclass=NullPool)) as session:
    for each in classes:
        session.scalars(select(each)).all()
print(len(classes))
"""


@pytest.fixture(scope="module")
def minimal_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return render(tmp_path_factory.mktemp("minimal") / "crm", starter="minimal")


@pytest.mark.parametrize("name", NAMES)
def test_a_sync_makes_models_that_work(
    name: str,
    minimal_service: Service,
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
    shadow_url: str,
) -> None:
    file = SCHEMAS / f"{name}.sql"
    if not file.exists():
        pytest.skip(f"{file} is not on this machine")
    url = new_database(platform)
    with psycopg.connect(url) as connection:
        if name == "pagila" and connection.info.server_version < 18_00_00:
            pytest.skip("pagila needs Postgres 18")
        connection.execute(file.read_bytes())
        for (view,) in connection.execute("select matviewname from pg_matviews").fetchall():
            statement = sql.SQL("refresh materialized view public.{}")
            connection.execute(statement.format(sql.Identifier(view)))
    shutil.copytree(minimal_service.folder, tmp_path / "crm")
    service = Service(tmp_path / "crm", {"DATABASE_URL": url, "SHADOW_DATABASE_URL": shadow_url})
    synced = service.invoke("db.sync")
    assert "src/crm/db/schema/introspected.py and supabase/schema.lock.json" in synced.out
    assert "✓ No schema changes." in synced.out
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where relkind in ('r', 'p', 'v', 'm', 'f') and nspname !~ '^pg_' and nspname not in "
            "('information_schema', 'auth', 'storage', 'realtime', 'extensions', 'twolane')"
        ).fetchone()
    assert row is not None
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE],
        cwd=service.folder,
        env=clean_environment()
        | {"PYTHONPATH": "src", "URL": url.replace("postgresql://", "postgresql+psycopg://")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    # A class for each relation, but for those that the ORM can't map: without a column.
    assert 0 < int(done.stdout) <= row[0] + 1, "and auth.users, where it is referred to"
    assert int(done.stdout) >= row[0] * 0.9

    service.commit()
    again = service.invoke("db.sync")
    assert "Wrote" not in again.out and "✓ No schema changes." in again.out
    assert service.git("status", "--short") == ""
    service.invoke("db.sync", "--check")
    check = [sys.executable, "-m", "ruff", "check", "--quiet", "."]
    assert subprocess.run(check, cwd=service.folder, check=False).returncode == 0
    check = [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "."]
    assert subprocess.run(check, cwd=service.folder, check=False).returncode == 0


@pytest.fixture
def shadow_url(new_database: NewDatabase) -> str:
    """Any database of the shared server: the shadow makes its own beside it."""
    return new_database()
