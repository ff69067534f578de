"""G01: whose a database is, and how a protected one is known."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
from conftest import database_name
from fleets import name_targets
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from service import Service, owned
from steps import add_sql, tables

NewDatabase = Callable[..., str]
STAGING = ("--target", "staging")
FAX = "alter table contacts add column if not exists fax text;"


def whose(service: Service) -> tuple[object, ...]:
    """What the database says of the service that it belongs to."""
    return service.sql("select package, folder, roots from twolane.service")[0]


def ran(service: Service, name: str) -> bool:
    return bool(service.sql("select 1 from twolane.sql_runs where file = %s", name))


def begun_anew(service: Service, folder: Path) -> Service:
    """The service's files as another's: in a repo of its own, `staging` being the first's."""
    shutil.copytree(service.folder, folder, ignore=shutil.ignore_patterns(".git"))
    (folder / "README.md").write_text("another\n")
    found = owned(folder)
    found.env = dict(service.env)
    name_targets(found, staging=service.env["DATABASE_URL"])
    return found


def renamed(service: Service, package: str) -> None:
    project = service.read("pyproject.toml").replace('package = "crm"', f'package = "{package}"')
    service.write("pyproject.toml", project)
    (service.folder / "src/crm").rename(service.folder / f"src/{package}")


def test_g01_another_services_database_is_refused(
    service: Service, new_database: NewDatabase, platform: str, tmp_path: Path
) -> None:
    """Also one of the same name and template; the consent names it, and hands it over."""
    other = begun_anew(service, tmp_path / "other" / "crm")
    name = f"crm-{service.git('rev-list', '--max-parents=0', 'HEAD')[:7]}"
    add_sql(other, "10_fax.sql", FAX)
    for words in (("db.apply",), ("db.push",), ("db.bootstrap",), ("db.apply", "--confirm", "crm")):
        said = other.invoke(*words, *STAGING, code=2).err
        assert "G01 target\n  The database of target staging belongs to another service" in said
        assert f"another service, {name}." in said
        assert "First:  correct the URL in STAGING_DATABASE_URL" in said
    other.invoke("db.status", *STAGING)  # to look is allowed
    assert not ran(service, "10_fax.sql")

    other.invoke("db.apply", *STAGING, "--confirm", f"staging,service:{name}")
    assert ran(service, "10_fax.sql")
    add_sql(other, "11_fax.sql", FAX)
    other.invoke("db.apply", *STAGING)
    assert "belongs to another service" in service.invoke("db.apply", code=2).err


def test_g01_a_database_of_todays_ledger_comes_along_by_itself(service: Service) -> None:
    """With the first command that changes it, by the repo's whole history or without it."""
    known = whose(service)
    service.sql("drop table twolane.service")
    for looking in (("db.status",), ("db.push", "--dry-run"), ("db.apply",)):
        service.invoke(*looking)
    assert "service" not in tables(service, "twolane")
    add_sql(service, "10_fax.sql", FAX)
    service.invoke("db.apply")
    assert whose(service) == known

    service.git("add", "--all")
    service.git("commit", "-qm", "more")
    shallow = service.folder.with_name("shallow")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", service.folder.as_uri(), shallow], check=True
    )
    checkout = Service(shallow, service.env)
    for number in (11, 12):  # as CI has it, before the database says whose it is and after
        add_sql(checkout, f"{number}_fax.sql", FAX)
        checkout.invoke("db.apply", CI="true")
        assert ran(service, f"{number}_fax.sql")
        assert whose(service) == known
    service.sql("drop table twolane.service")
    add_sql(checkout, "13_fax.sql", FAX)
    checkout.invoke("db.apply")
    assert whose(service) == ("crm", "", [])


def test_g01_a_fork_and_a_renamed_service_keep_their_databases(service: Service) -> None:
    before = whose(service)
    service.folder = service.folder.rename(service.folder.with_name("elsewhere"))
    renamed(service, "shop")
    add_sql(service, "10_fax.sql", FAX)
    service.invoke("db.apply")
    assert ran(service, "10_fax.sql")
    assert whose(service) == ("shop", *before[1:])


def test_g01_two_services_of_one_repo_differ(service: Service, tmp_path: Path) -> None:
    """By package and folder; either alone may change."""
    both = tmp_path / "both"
    moved = Service(both / "a", service.env)
    both.mkdir()
    shutil.move(service.folder / ".git", both / ".git")
    shutil.move(service.folder, moved.folder)
    other = Service(both / "b", dict(service.env))
    shutil.copytree(moved.folder, other.folder)
    renamed(other, "shop")
    name_targets(other, staging=service.env["DATABASE_URL"])

    add_sql(moved, "10_fax.sql", FAX)
    moved.invoke("db.apply")
    assert whose(service)[:2] == ("crm", "a/")
    add_sql(other, "11_fax.sql", FAX)
    assert "belongs to another service" in other.invoke("db.apply", *STAGING, code=2).err
    moved.sql(
        "create table if not exists twolane.alembic_version (version_num text);"
        "insert into twolane.alembic_version values ('abc')"
    )
    told = other.invoke("db.status", *STAGING).out
    assert "belongs to another service" in told and "Next     correct the URL in STAGING" in told


def test_g01_a_database_with_tables_that_twolane_was_never_in_is_no_empty_one(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    url = new_database(platform)
    with psycopg.connect(url) as connection:
        connection.execute("create table orders (id int); create table contacts (id int)")
    name_targets(service, staging=url)
    here = Service(service.folder, service.env | {"DATABASE_URL": url})

    for command in ("db.bootstrap", "db.apply"):
        said = service.invoke(command, *STAGING, code=2).err
        assert "twolane never changed this database, and it has tables" in said
        assert "\n    public.contacts\n    public.orders\n" in said
        assert "First:  invoke db.adopt --target staging, to bring them in; " in said
        assert "repeat with --confirm staging" in said
    assert not tables(here, "twolane")

    here.sql("drop table contacts")
    service.invoke("db.bootstrap", *STAGING, "--confirm", "staging")
    assert "sql_runs" in tables(here, "twolane")
    add_sql(service, "10_fax.sql", FAX)
    service.invoke("db.apply", *STAGING)  # it is the service's now


def test_g01_an_adopted_database_needs_no_consent(
    service: Service, new_database: NewDatabase
) -> None:
    """Its tables are just what the mirror has."""
    url = new_database(database_name(service.env["DATABASE_URL"]))
    name_targets(service, staging=url)
    with psycopg.connect(url) as connection:
        connection.execute("drop schema twolane cascade")
    service.invoke("db.apply", *STAGING)


# ── A protected database, however its URL is written ──────────────────────────────────────────────


def protect(service: Service, url: str) -> None:
    name_targets(service, prod=url)


def test_g01_a_protected_database_is_known_by_its_server(service: Service, tmp_path: Path) -> None:
    """Over a pooler, and while the URL's text says nothing of the other."""
    url = service.env["DATABASE_URL"]
    found = conninfo_to_dict(url)
    link = tmp_path / "socket"
    link.symlink_to(str(found["host"]))
    spelt = f"postgresql://postgres@/{found['dbname']}?host={quote(str(link), safe='')}"
    protect(service, spelt)
    add_sql(service, "10_fax.sql", FAX)

    said = service.invoke("db.apply", code=2).err
    assert "This database is protected as prod (reached as target default)." in said
    assert "First:  repeat with --confirm prod" in said
    memory = (service.folder / ".postgres/places.json").read_text()
    assert str(link) not in memory and str(found["dbname"]) in memory
    with transaction_pooler(str(found["host"]), 5432, str(found["dbname"])) as pooled:
        name_targets(service, pooled=pooled)
        assert "protected as prod" in service.invoke("db.apply", "--target", "pooled", code=2).err
        service.invoke("db.apply", "--target", "pooled", "--confirm", "prod")

    assert service.sql("select target from twolane.label") == [("prod",)]
    del service.env["PROD_DATABASE_URL"]  # from now on the database says so itself
    add_sql(service, "11_fax.sql", FAX)
    assert "protected as prod" in service.invoke("db.apply", code=2).err


def test_g01_a_protected_database_elsewhere_is_asked_once_and_stops_nobody(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    """One that answers is not asked at each command; one that doesn't holds nobody up."""
    protect(service, new_database(platform))
    name_targets(service, prod_2="postgresql://127.0.0.1:1/x")
    add_sql(service, "10_fax.sql", FAX)
    service.invoke("db.apply")
    memory = service.folder / ".postgres/places.json"
    first = json.loads(memory.read_text())
    assert sorted(bool(known["place"]) for known in first.values()) == [False, True]
    add_sql(service, "11_fax.sql", FAX)
    service.invoke("db.apply")
    asked = json.loads(memory.read_text())
    answered = [key for key, known in first.items() if known["place"]]
    assert [asked[key] for key in answered] == [first[key] for key in answered]
