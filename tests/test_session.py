"""`session.py` on a real server: what a session that acts as a user promises."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import NewDatabase
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege
from sample_rows import ALICE, BOB
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from user_sessions import WHO, load_session, with_two_users

HOSTILE = """'; reset role; select set_config('role', 'postgres', false); -- \\' " $$ %s :x é"""

service = load_session()
user_session = service.user_session


@pytest.fixture(scope="module")
def database(lasting_database: NewDatabase, bootstrapped: str) -> str:
    return with_two_users(lasting_database, bootstrapped)


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine whose pool has one connection: everyone gets the one that was used before."""
    engine = service.make_engine(database, pool_size=1, max_overflow=0)
    yield engine
    engine.dispose()


@pytest.fixture
def pooled(database: str) -> Iterator[Engine]:
    """An engine with many connections to a PgBouncer that has one to the server."""
    where = conninfo_to_dict(database)
    with transaction_pooler(str(where["host"]), 5432, str(where["dbname"])) as url:
        engine = service.make_engine(url, pool_size=20)
        yield engine
        engine.dispose()


def who(session: Session) -> Any:
    return session.execute(WHO).one()


def contacts(session: Session) -> set[str]:
    """The owners of the contacts that the session sees."""
    return set(session.scalars(text("select user_id::text from contacts")))


def assert_nobody(engine: Engine) -> None:
    """The next user of the connection is the login role, with no claims."""
    with Session(engine) as session:
        row = who(session)
    assert (row.role, row.uid) == ("postgres", None)
    assert not row.claims
    assert not row.sub


# ── Whom a session acts as ───────────────────────────────────────────────────────────────────────


def test_a_session_acts_as_its_user(engine: Engine) -> None:
    with user_session(engine, ALICE) as session:
        row = who(session)
    assert (row.role, row.uid, row.claimed) == ("authenticated", ALICE, "authenticated")


def test_verified_claims_reach_the_policies(engine: Engine) -> None:
    claims = {"sub": ALICE, "role": "authenticated", "app_metadata": {"plan": "pro"}}
    with user_session(engine, claims) as session:
        plan = session.scalar(text("select auth.jwt() #>> '{app_metadata,plan}'"))
        assert (plan, who(session).uid) == ("pro", ALICE)


def test_a_hostile_claim_stays_a_value(engine: Engine) -> None:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    with user_session(engine, {"sub": ALICE, "name": HOSTILE, HOSTILE: 1}) as session:
        row = who(session)
        claims = session.scalar(text("select auth.jwt()"))
    assert (row.role, row.uid) == ("authenticated", ALICE)
    assert (claims["name"], claims[HOSTILE]) == (HOSTILE, 1)
    assert statements and not any("reset role" in statement for statement in statements)


@pytest.mark.parametrize(
    "role", ["postgres", "Authenticated", "anon; reset role", "none", "", None]
)
def test_the_role_is_one_of_a_fixed_set(engine: Engine, role: Any) -> None:
    with pytest.raises(ValueError, match="role must be one of"), user_session(engine, ALICE, role):
        pass


@pytest.mark.parametrize(
    ("user", "role"),
    [
        (None, "authenticated"),
        ("", "authenticated"),
        ({}, "authenticated"),
        ("alice", "authenticated"),
        (f"{ALICE}' or true", "authenticated"),
        ({"sub": ALICE, "role": "service_role"}, "authenticated"),
        ({"sub": ALICE, "role": "authenticated"}, "service_role"),
    ],
)
def test_who_is_not_clear_is_not_let_in(engine: Engine, user: Any, role: Any) -> None:
    with pytest.raises(ValueError), user_session(engine, user, role):
        pass


# ── For how long ─────────────────────────────────────────────────────────────────────────────────


def test_the_user_survives_commit_and_rollback(engine: Engine) -> None:
    with user_session(engine, ALICE) as session:
        before = who(session)
        session.commit()
        assert who(session) == before
        session.rollback()
        assert who(session) == before
        with pytest.raises(ProgrammingError):
            session.execute(text("select nonsense"))
        session.rollback()
        assert who(session) == before


def test_the_user_survives_savepoints(engine: Engine) -> None:
    with user_session(engine, ALICE) as session:
        with session.begin_nested():  # the session's first transaction begins with a savepoint
            before = who(session)
        assert before.uid == ALICE
        with pytest.raises(ProgrammingError), session.begin_nested():
            session.execute(text("select nonsense"))
        assert who(session) == before
        savepoint = session.begin_nested()
        savepoint.rollback()
        assert who(session) == before


def test_nothing_leaks_to_the_next_user_of_the_connection(engine: Engine) -> None:
    with user_session(engine, ALICE) as session:
        first = who(session)
    assert_nobody(engine)
    with pytest.raises(ZeroDivisionError), user_session(engine, ALICE) as session:
        who(session)
        raise ZeroDivisionError
    assert_nobody(engine)
    with user_session(engine, ALICE) as session, pytest.raises(ProgrammingError):
        session.execute(text("select nonsense"))
        session.rollback()
    assert_nobody(engine)
    with user_session(engine, ALICE) as session:
        session.commit()
        who(session)
        session.rollback()
    assert_nobody(engine)
    with user_session(engine, BOB) as session:
        assert (who(session).uid, who(session).server) == (BOB, first.server)


def test_two_sessions_at_once_do_not_mix(database: str) -> None:
    engine = service.make_engine(database)
    with user_session(engine, ALICE) as alice, user_session(engine, BOB) as bob:
        assert (who(alice).uid, who(bob).uid) == (ALICE, BOB)
        alice.commit()
        assert (who(bob).uid, who(alice).uid) == (BOB, ALICE)
    engine.dispose()


def test_an_engine_without_transactions_is_refused(database: str) -> None:
    engine = service.make_engine(database, isolation_level="AUTOCOMMIT")
    with pytest.raises(ValueError, match="AUTOCOMMIT"), user_session(engine, ALICE) as session:
        who(session)
    engine.dispose()


def test_the_block_commits_at_its_end_and_rolls_back_on_an_exception(engine: Engine) -> None:
    rename = text("update contacts set display_name = :name")
    names = text("select display_name from contacts")
    with user_session(engine, ALICE) as session:
        session.execute(rename, {"name": "kept"})
    with pytest.raises(ZeroDivisionError), user_session(engine, ALICE) as session:
        session.execute(rename, {"name": "lost"})
        raise ZeroDivisionError
    with user_session(engine, ALICE) as session:
        assert session.scalars(names).all() == ["kept"]


# ── What they see ────────────────────────────────────────────────────────────────────────────────


def test_a_user_sees_and_changes_only_their_own_rows(engine: Engine) -> None:
    for user, other in [(ALICE, BOB), (BOB, ALICE)]:
        with user_session(engine, user) as session:
            assert contacts(session) == {user}
            changed: Any = session.execute(text("update contacts set notes = 'mine'"))
            assert changed.rowcount == 1
            with pytest.raises(ProgrammingError, match="row-level security"):
                session.execute(
                    text("insert into contacts (user_id, display_name) values (:user, 'x')"),
                    {"user": other},
                )
            session.rollback()


def test_anon_reaches_nothing(engine: Engine) -> None:
    for user in (None, ALICE):
        with user_session(engine, user, "anon") as session:
            assert (who(session).role, who(session).uid) == ("anon", user)
            with pytest.raises(ProgrammingError) as refused:
                contacts(session)
            assert isinstance(refused.value.orig, InsufficientPrivilege)
            session.rollback()


def test_the_service_role_sees_every_tenant(engine: Engine) -> None:
    with user_session(engine, role="service_role") as session:
        assert (who(session).role, who(session).uid) == ("service_role", None)
        assert contacts(session) == {ALICE, BOB}


# ── Through a transaction pooler ─────────────────────────────────────────────────────────────────


def test_twenty_threads_share_one_server_connection_and_nothing_else(pooled: Engine) -> None:
    def work(user: str) -> set[tuple[Any, ...]]:
        seen: set[tuple[Any, ...]] = set()
        for _ in range(5):  # psycopg would prepare a statement at its sixth execution
            with user_session(pooled, user) as session:
                for _ in range(3):
                    row = who(session)
                    seen.add((row.role, row.uid, row.server, *contacts(session)))
                    session.commit()
        return seen

    users = [ALICE, BOB] * 10
    with ThreadPoolExecutor(20) as threads:
        results = list(threads.map(work, users))
    servers = {server for result in results for _, _, server, *_ in result}
    assert len(servers) == 1
    assert results == [{("authenticated", user, *servers, user)} for user in users]
    assert_nobody(pooled)


# ── The URL ──────────────────────────────────────────────────────────────────────────────────────


def test_tls_and_other_parameters_of_the_url_are_respected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "DATABASE_URL",
        "postgres://postgres.ref:p%40ss%3A@pooler.example:6543/postgres"
        "?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=7",
    )
    engine = service.make_engine()
    _, parameters = engine.dialect.create_connect_args(engine.url)
    assert {name: value for name, value in parameters.items() if name != "context"} == {
        "host": "pooler.example",
        "port": 6543,
        "user": "postgres.ref",
        "password": "p@ss:",
        "dbname": "postgres",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "connect_timeout": "7",
    }
    assert "p@ss" not in f"{engine!r} {service.database_url()!r} {service.database_url()}"


def test_the_parameters_reach_the_server(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = "application_name=crm&options=-c%20statement_timeout%3D7s"
    monkeypatch.setenv("DATABASE_URL", f"{database}{'&' if '?' in database else '?'}{extra}")
    with service.make_engine().connect() as connection:
        shown = [
            connection.scalar(text(f"show {s}")) for s in ("application_name", "statement_timeout")
        ]
    assert shown == ["crm", "7s"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_environment_goes_before_the_env_file(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={scheme}://file.example/db?sslmode=require\n")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    url = service.database_url()
    assert (url.drivername, url.host) == ("postgresql+psycopg", "file.example")
    assert url.query == {"sslmode": "require"}
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://environment.example/db")
    assert service.database_url().host == "environment.example"


def test_a_missing_or_foreign_url_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").touch()  # else one of a folder above is read
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(RuntimeError, match="DATABASE_URL is not set"):
        service.database_url()
    monkeypatch.setenv("DATABASE_URL", "mysql://root:secret@db.example/x")
    with pytest.raises(ValueError, match="must begin with postgresql://") as refused:
        service.database_url()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "statement",
    ["commit", "COMMIT AND CHAIN", "select 1; /* x */ rollback", "end", "rollback work"],
)
def test_a_statement_that_ends_the_transaction_raises(engine: Engine, statement: str) -> None:
    with (
        pytest.raises(RuntimeError, match=r"session\.commit"),
        user_session(engine, ALICE) as session,
    ):
        session.execute(text(statement))
    with pytest.raises(RuntimeError), user_session(engine, ALICE) as session:
        session.connection().connection.cursor().execute(statement)  # past SQLAlchemy
        if not session.connection().connection.dbapi_connection.info.transaction_status:
            contacts(session)
        raise RuntimeError
    with user_session(engine, ALICE) as session:
        session.execute(text("select '; commit' || $$x$$"))
        with session.begin_nested() as savepoint:
            savepoint.rollback()
        assert contacts(session) == {str(ALICE)}
