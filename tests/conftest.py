"""A real Postgres for the tests, and fresh databases on it."""

import compileall
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fleets import FIVE, THREE, Fleet, make_fleet
from hypothesis import HealthCheck, settings
from own_folders import remove, remove_data_of
from prepared import facts_prepared
from psycopg import sql
from servers import (
    PostgresServer,
    Server,
    drop_databases,
    make_database,
    running,
    running_on_a_socket,
    shadows,
)
from service import DEV_MARKERS, Service, render
from sharing import made_once
from standins import Pair, make_real, make_stand_ins
from supabase_cli import cli as cli

from twolane.facts import catalog
from twolane.postgres import dump, standins, transactions
from twolane.tasks import console

ROOT = Path(__file__).parents[1]
PLATFORM = ROOT / "twolane/postgres/platform.sql"
SQL = ROOT / "template/supabase/sql"

BOOTSTRAP = [
    "00_core_tables.sql",
    "00_chat_tables.sql",
    "01b_add_user_tenant_columns.sql",
    "01_extensions_and_vector.sql",
    "02_rls_core_tables.sql",
    "03_rls_ai_tables.sql",
    "04_rls_chat_tables.sql",
    "05_guardrails.sql",
    "99_cleanup_drop_jacuzzi_models.sql",
]

# A busy machine makes no example wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


OWN_FOLDER = pytest.StashKey[Path]()
# Whose commits, and which repo: of who runs the tests, or of the hook that does.
GIT_VARIABLES = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepares what the workers share: a folder for files, and the engine, compiled.

    Of the folder that pytest would take, each pytest of root's that starts takes the access away
    from others, so from the user as whom Postgres runs. Invoke writes no bytecode, so each command
    in a process of its own would compile the engine anew.
    """
    for name in [name for name in os.environ if name.startswith(GIT_VARIABLES)]:
        del os.environ[name]
    if hasattr(config, "workerinput"):
        return
    compileall.compile_dir(ROOT / "twolane", quiet=2)
    if not config.option.basetemp:
        folder = Path(tempfile.mkdtemp(prefix="twolane-tests-"))
        config.stash[OWN_FOLDER] = folder
        config.option.basetemp = str(folder / "files")


# These take longest, so they begin first: at the end no worker waits for another one.
LONG = (
    "test_day_one",
    "test_inprocess",
    "test_histories",
    "test_faults",
    "test_adopt_real_schemas",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the folder, and what services in it have elsewhere."""
    if hasattr(config, "workerinput"):
        return
    remove_data_of(Path(config.option.basetemp))
    if folder := config.stash.get(OWN_FOLDER, None):
        remove(folder)


NewDatabase = Callable[..., str]
FactsAfter = Callable[[str], catalog.Snapshot]


def run_files(conninfo: str, *names: str, settings: str = "") -> list[str]:
    """Run SQL files, each in a transaction of its own; the messages that the server sent."""
    messages: list[str] = []

    def note(message: psycopg.errors.Diagnostic) -> None:
        messages.append(f"{message.severity_nonlocalized}: {message.message_primary}")

    for name in names:
        with psycopg.connect(conninfo, options=settings) as connection:
            connection.add_notice_handler(note)
            connection.execute((SQL / name).read_bytes())
    return messages


@pytest.fixture(scope="session")
def fifteen() -> Iterator[Server]:
    """The oldest major, where the machine has it."""
    with running(15) as server:
        yield server


@pytest.fixture(scope="session")
def sixteen() -> Iterator[Server]:
    with running(16) as server:
        yield server


@pytest.fixture(scope="session")
def seventeen() -> Iterator[Server]:
    """The major of Supabase's new projects, where the machine has it."""
    with running(17) as server:
        yield server


@pytest.fixture(scope="session")
def locked() -> Iterator[Server]:
    """A server that asks for a password, `hunter2`."""
    with running(18, password="hunter2") as server:
        yield server


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server with the embedded one's programs, of the major version that TWOLANE_TEST_POSTGRES
    names (or 18)."""
    with running_on_a_socket(int(os.environ.get("TWOLANE_TEST_POSTGRES", "18"))) as server:
        yield server


@pytest.fixture(scope="session")
def maintenance(server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection for making and dropping databases."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def lasting_database(server: PostgresServer, maintenance: psycopg.Connection[Any]) -> NewDatabase:
    """Make a database that stays until the end: for fixtures that several tests share."""

    def make(template: str = "template1") -> str:
        return server.get_uri(database=make_database(maintenance, template))

    return make


@pytest.fixture
def new_database(
    server: PostgresServer, maintenance: psycopg.Connection[Any], tmp_path: Path
) -> Iterator[NewDatabase]:
    """Make a database, empty or a copy of one of the `templates`, and return its conninfo.

    It is gone when the test ends, and with it the shadows of the test's own services, and what
    commands left that the test cut short.
    """
    made: list[str] = []
    before = shadows(maintenance)

    def make(template: str = "template1") -> str:
        made.append(make_database(maintenance, template))
        return server.get_uri(database=made[-1])

    yield make
    facts = [path for at in ("*", "*/*") for path in tmp_path.glob(f"{at}/.postgres/shadow/*.json")]
    own = {path.stem for path in facts} - before
    drop_databases(maintenance, [*made, *own])


@pytest.fixture(scope="session")
def platform(lasting_database: NewDatabase) -> str:
    """The name of a database with Supabase's part alone, to be used as a template."""
    conninfo = lasting_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute(PLATFORM.read_bytes())
    return database_name(conninfo)


@pytest.fixture(scope="session")
def bootstrapped(lasting_database: NewDatabase, platform: str) -> str:
    """The name of a database with all nine files, to be used as a template."""
    conninfo = lasting_database(platform)
    run_files(conninfo, *BOOTSTRAP)
    return database_name(conninfo)


@pytest.fixture(scope="session")
def facts_after(lasting_database: NewDatabase, platform: str) -> Iterator[FactsAfter]:
    """The facts of a database with Supabase's part and what this SQL makes, which is taken back."""
    with psycopg.connect(lasting_database(platform), autocommit=True) as connection:

        def facts(statements: str) -> catalog.Snapshot:
            with connection.transaction(force_rollback=True):
                connection.execute(statements.encode())
                return catalog.read(connection)

        yield facts


@pytest.fixture(scope="session")
def ground(lasting_database: NewDatabase, platform: str) -> str:
    """The name of a database with one object of every kind, to be used as a template."""
    from mutations.ground import lay  # which needs names of this module

    return lay(lasting_database, platform)


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Commands in this process name no step because the machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "PATIENCE", 120.0)
        yield


@pytest.fixture(scope="module")
def prepared_facts() -> Iterator[None]:
    """For modules that read the facts hundreds of times on one connection."""
    with facts_prepared():
        yield


@pytest.fixture
def hasty_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the facts waits half a second for a lock, where users' commands wait for five."""
    read = catalog._read
    text = catalog.query().replace(b"('lock_timeout', '5s')", b"('lock_timeout', '500ms')")
    assert text != catalog.query()

    def hastily(connection: psycopg.Connection[Any]) -> catalog.Snapshot:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalog, "query", lambda: text)
            return read(connection)

    monkeypatch.setattr(catalog, "_read", hastily)
    options = [option.replace("=5s", "=500ms") for option in dump._OPTIONS]
    monkeypatch.setattr(dump, "_OPTIONS", options)
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "500ms")


@pytest.fixture
def like_supabase(new_database: NewDatabase, platform: str) -> str:
    """A URL of a role that may do what `postgres` may on Supabase, in a database of its own."""
    url, role = new_database(platform), f"postgres_{uuid4().hex[:8]}"
    with psycopg.connect(url) as connection:
        connection.execute(
            sql.SQL(
                """
                create role {role} login createrole createdb replication bypassrls;
                grant anon, authenticated, service_role to {role} with admin option;
                grant usage on schema auth to {role};
                grant all on table auth.users to {role};
                grant all on schema extensions to {role} with grant option;
                create extension vector with schema extensions;
                alter database {database} owner to {role}
                """
            ).format(role=sql.Identifier(role), database=sql.Identifier(database_name(url)))
        )
    return url.replace("postgres:@", f"{role}:@")


@pytest.fixture(scope="session")
def dump_schema(server: PostgresServer) -> Callable[[str], str]:
    """The schema of a database as pg_dump writes it: an observer that is not ours."""

    def dump(conninfo: str) -> str:
        command = [str(server.bin_path / "pg_dump"), "--schema-only", f"--dbname={conninfo}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        fence = ("\\restrict", "\\unrestrict")  # newer releases add a random key
        return "\n".join(line for line in output.splitlines() if not line.startswith(fence))

    return dump


def database_name(conninfo: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])


def rendered(tmp_path_factory: pytest.TempPathFactory, starter: str) -> Service:
    """A fresh render that all workers share."""

    def make(draft: Path) -> None:
        render(draft / "crm", starter=starter)

    return Service(made_once(tmp_path_factory, starter, make) / "crm")


@pytest.fixture(scope="session")
def blank_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A fresh render, to be copied: not bootstrapped."""
    return rendered(tmp_path_factory, "omnicrm")


@pytest.fixture(scope="session")
def minimal_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The same of the smaller starter."""
    return rendered(tmp_path_factory, "minimal")


@pytest.fixture
def folder(blank_service: Service, tmp_path: Path) -> Service:
    """A fresh render of the test's own, a git repo; it has met no database."""
    shutil.copytree(blank_service.folder, tmp_path / "crm")
    return Service(tmp_path / "crm")


@pytest.fixture
def stranded(folder: Service) -> Service:
    """The same; its databases are where nobody listens."""
    nowhere = "postgresql://127.0.0.1:1/x"
    return Service(folder.folder, {"DATABASE_URL": nowhere, "SHADOW_DATABASE_URL": nowhere})


@pytest.fixture(scope="session")
def ready_service(
    blank_service: Service,
    server: PostgresServer,
    lasting_database: NewDatabase,
    platform: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A bootstrapped service on a database of the shared server, to be copied."""
    folder = tmp_path_factory.mktemp("ready") / "crm"
    shutil.copytree(blank_service.folder, folder)
    urls = {"DATABASE_URL": lasting_database(platform), "SHADOW_DATABASE_URL": server.get_uri()}
    service = Service(folder, urls)
    service.invoke("db.bootstrap")
    service.commit()
    service.git("gc", "--quiet")  # each copy is of a few files
    return service


def copy(origin: Service, folder: Path, new_database: NewDatabase) -> Service:
    """The same service again, with a database of its own that holds the same."""
    shutil.copytree(origin.folder, folder)
    database = new_database(database_name(origin.env["DATABASE_URL"]))
    return Service(folder, origin.env | {"DATABASE_URL": database})


def with_tables(origin: Service, models: str, folder: Path, new_database: NewDatabase) -> Service:
    """The same, whose lane B has made these tables as well."""
    service = copy(origin, folder, new_database)
    service.write_app(models)
    service.invoke("db.gen", "-m", "add tables")
    service.invoke("db.push")
    service.commit()
    return service


@pytest.fixture(scope="session")
def waiting_service(
    ready_service: Service, lasting_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The table `dev_markers` in `app.py` and in a revision, to be copied: not pushed."""
    service = copy(ready_service, tmp_path_factory.mktemp("waiting") / "crm", lasting_database)
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    service.commit()
    service.git("gc", "--quiet")
    return service


@pytest.fixture(scope="session")
def pushed_service(
    waiting_service: Service,
    lasting_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """The table `dev_markers` in the database as well, to be copied."""
    service = copy(waiting_service, tmp_path_factory.mktemp("pushed") / "crm", lasting_database)
    service.invoke("db.push")
    service.invoke("db.status")  # so that copies find the shadow as it stands now
    return service


@pytest.fixture
def service(ready_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A bootstrapped service of the test's own: folder, git repo and database."""
    return copy(ready_service, tmp_path / "crm", new_database)


@pytest.fixture
def visitor(service: Service) -> Iterator[str]:
    """A URL of a role that may connect to the service's database and nothing else."""
    role = f"visitor_{uuid4().hex[:8]}"
    service.sql(f"create role {role} login")
    yield service.env["DATABASE_URL"].replace("postgres:@", f"{role}:@")
    service.sql(f"drop owned by {role}; drop role {role}")


@pytest.fixture
def waiting(waiting_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A service of the test's own where a revision waits that makes `dev_markers`."""
    return copy(waiting_service, tmp_path / "crm", new_database)


@pytest.fixture(scope="session")
def offered(server: PostgresServer) -> str:
    """Options of a connection to which the shared server offers the stand-ins for extensions."""
    home = server.pgdata.parent
    standins.install(home)
    return f"-c extension_control_path={standins.search_path(home)}"


@pytest.fixture(scope="session")
def stand_ins(lasting_database: NewDatabase, platform: str, offered: str) -> str:
    """The URL of a database that has all of them."""
    return make_stand_ins(lasting_database(platform), offered)


@pytest.fixture(scope="session")
def pair(fifteen: Server, stand_ins: str) -> Iterator[Pair]:
    with (
        psycopg.connect(make_real(fifteen), autocommit=True) as real,
        psycopg.connect(stand_ins, autocommit=True) as stand_in,
    ):
        yield Pair(real, stand_in)


@pytest.fixture
def fleet(waiting: Service, new_database: NewDatabase) -> Fleet:
    """The same with three more databases, in which it waits too, and a protected one."""
    return make_fleet(waiting, new_database, (*THREE, "production"))


@pytest.fixture
def five(waiting: Service, new_database: NewDatabase) -> Fleet:
    """The same with five more databases."""
    return make_fleet(waiting, new_database, FIVE)


@pytest.fixture
def pushed(pushed_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A service of the test's own whose lane B has made `dev_markers`."""
    return copy(pushed_service, tmp_path / "crm", new_database)
