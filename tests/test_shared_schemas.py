"""Lane A on schemas that other people wrote, through the real commands in a service."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import shared_schemas
from conftest import NewDatabase
from psycopg import sql
from service import Service, clean_environment, render

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
# What a class may stand for: the user's tables and views.
RELATIONS = """
select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind in ('r', 'p', 'v', 'm', 'f') and nspname !~ '^pg_' and nspname not in
    ('information_schema', 'auth', 'storage', 'realtime', 'extensions', 'vault', 'twolane')
"""


@pytest.fixture(scope="module")
def minimal_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return render(tmp_path_factory.mktemp("minimal") / "crm", starter="minimal")


@pytest.fixture(params=shared_schemas.NAMES)
def unsynced(
    request: pytest.FixtureRequest,
    minimal_service: Service,
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
) -> Service:
    """A service whose database holds one of the schemas."""
    url = new_database(platform)
    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10_000
        connection.execute(shared_schemas.script(request.param, major))
        for (view,) in connection.execute("select matviewname from pg_matviews").fetchall():
            statement = sql.SQL("refresh materialized view public.{}")
            connection.execute(statement.format(sql.Identifier(view)))
    shutil.copytree(minimal_service.folder, tmp_path / "crm")
    # The shadow makes databases of its own beside the one named.
    return Service(tmp_path / "crm", {"DATABASE_URL": url, "SHADOW_DATABASE_URL": new_database()})


def test_a_sync_makes_models_that_work(unsynced: Service) -> None:
    first = unsynced.invoke("db.sync").out
    assert "src/crm/db/schema/introspected.py and supabase/schema.lock.json" in first
    assert "✓ The mirror is now level with the database." in first
    classes, relations = classes_in_use(unsynced), unsynced.sql(RELATIONS)[0][0]
    # A class for each relation, but for those that the ORM can't map: without a column.
    assert 0 < classes <= relations + 1, "and auth.users, where it is referred to"
    assert classes >= relations * 0.9

    unsynced.commit()
    again = unsynced.invoke("db.sync").out
    assert "Wrote" not in again and "✓ No schema changes." in again
    assert unsynced.git("status", "--short") == ""
    unsynced.invoke("db.sync", "--check")
    run_in(unsynced, "-m", "ruff", "check", "--quiet", ".")
    run_in(unsynced, "-m", "ruff", "format", "--check", "--quiet", ".")


def classes_in_use(service: Service) -> int:
    """Reads all rows of each class, without a warning; how many classes there are."""
    url = service.env["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    done = run_in(service, "-W", "error", "-c", USE, PYTHONPATH="src", URL=url)
    assert done.stderr == ""
    return int(done.stdout)


def run_in(service: Service, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Python in the service's folder; it ends well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=service.folder,
        env=clean_environment() | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
