"""Both lanes on servers that are not the embedded one: older majors, roles with fewer rights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NewDatabase
from servers import Server, running
from service import DEV_MARKERS, Service

from twolane.facts.lock import dump_lock, load_lock


@pytest.fixture(scope="module", params=[15, 16, 17])
def older(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as server:
        yield server


@pytest.fixture
def files(blank_service: Service, older: Server, tmp_path: Path) -> Service:
    """A fresh render; without pgvector where the server has none."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    service = Service(tmp_path / "crm")
    if older.major != 16:
        leave_out_vector(service)
    return service


def leave_out_vector(service: Service) -> None:
    """Debian's 15 and the package of 17 have no pgvector: what needs it, and all that it makes."""
    (service.folder / "supabase/sql/01_extensions_and_vector.sql").unlink()
    order = service.read("supabase/bootstrap.txt")
    service.write("supabase/bootstrap.txt", order.replace("01_extensions_and_vector.sql\n", ""))
    lock = "supabase/schema.lock.json"
    facts = load_lock(service.read(lock))
    of_vector = ("vector", "public.embeddings.embedding")
    kept = {fact: text for fact, text in facts.items() if not any(x in fact for x in of_vector)}
    service.write(lock, dump_lock(kept))
    service.commit()


def shadow_on(server_url: str, service: Service, url: str) -> Service:
    return Service(service.folder, {"DATABASE_URL": url, "SHADOW_DATABASE_URL": server_url})


def take_through_both_lanes(service: Service) -> None:
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    assert "✓ Pushed" in service.invoke("db.push").out
    service.sql("alter table public.contacts add nickname text")
    refused = service.invoke("db.push", code=None)
    assert "column public.contacts.nickname" in refused.text or "Nothing to push" in refused.text
    assert "+ column nickname   text" in service.invoke("db.sync").out
    service.sql("alter table public.contacts drop nickname")
    service.invoke("db.sync")
    expect_all_fresh(service)


def expect_all_fresh(service: Service) -> None:
    status = service.invoke("db.status").out
    assert "every SQL file is applied" in status
    assert "fresh: the lock is what the live database has" in status
    assert "app.py, revisions and database agree" in status
    assert "Unmade" not in status and "Drift" not in status


def test_both_lanes_with_the_shadow_on_the_newest(
    files: Service, older: Server, new_database: NewDatabase, platform: str, tmp_path: Path
) -> None:
    shadow = new_database()
    service = shadow_on(shadow, files, older.new_database())
    service.invoke("db.bootstrap")
    assert f"(Postgres {older.major}." in service.invoke("db.status").out

    # The same files on the newest give the same lock and the same models.
    newest = shadow_on(shadow, Service(tmp_path / "newest"), new_database(platform))
    shutil.copytree(files.folder, newest.folder)
    newest.git("checkout", "--quiet", ".")
    newest.invoke("db.bootstrap")
    for mirror in ("supabase/schema.lock.json", "src/crm/db/schema/introspected.py"):
        assert service.read(mirror) == newest.read(mirror)
    if older.major == 16:
        assert service.git("status", "--short") == "", "the shipped mirror"

    take_through_both_lanes(service)


@pytest.mark.parametrize("older", [15], indirect=True)
def test_a_view_on_fifteen_is_what_the_sql_files_make(
    files: Service, older: Server, new_database: NewDatabase
) -> None:
    service = shadow_on(new_database(), files, older.new_database())
    path = "supabase/sql/99_cleanup_drop_jacuzzi_models.sql"
    view = "create or replace view public.people with (security_invoker) as"
    service.write(path, f"{view} select id, email from public.contacts;\n")
    service.invoke("db.bootstrap")
    assert "SQL file" not in service.invoke("db.sync").out


def test_the_tls_parameters_of_a_url_are_passed_on(
    files: Service, older: Server, new_database: NewDatabase
) -> None:
    """A server without TLS: what demands it fails, what would rather have it goes on."""
    url, shadow = older.new_database(), new_database()
    for parameters, code in (("sslmode=prefer", 0), ("sslmode=disable", 0), ("sslmode=require", 1)):
        result = shadow_on(shadow, files, f"{url}?{parameters}").invoke("db.snapshot", code=code)
        assert ("server does not support SSL, but SSL was required" in result.err) == bool(code)
    assert "First:  Compare sslmode and sslrootcert in the URL with what the server offers" in (
        result.err
    )


def test_sqlalchemys_spelling_of_a_url_will_do(files: Service, older: Server) -> None:
    url = older.url().replace("postgresql://", "postgresql+psycopg://")
    assert files.invoke("db.snapshot", DATABASE_URL=url).code == 0
    url = older.url().replace("postgresql://", "postgres://")
    assert files.invoke("db.snapshot", DATABASE_URL=url).code == 0


def test_a_role_that_is_no_superuser_can_do_everything(
    blank_service: Service, like_supabase: str, new_database: NewDatabase, tmp_path: Path
) -> None:
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    service = shadow_on(new_database(), Service(tmp_path / "crm"), like_supabase)
    service.invoke("db.bootstrap")
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    pushed = service.invoke("db.push")
    assert "✓ Pushed" in pushed.out
    assert (
        "enabled RLS on public.dev_markers: this database has no event trigger that does"
        in pushed.err
    )
    assert service.sql(
        "select relrowsecurity from pg_class where oid = 'public.dev_markers'::regclass"
    ) == [(True,)]
    assert "Nothing to push" in service.invoke("db.push").out
    assert "✓ No schema changes." in service.invoke("db.sync").out
    status = service.invoke("db.status").out
    assert "fresh" in status and "agree" in status
    assert "Drift" not in status
