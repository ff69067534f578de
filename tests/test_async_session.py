"""Sessions for asyncio promise what the others promise (`test_session`)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import NewDatabase
from pooler import transaction_pooler
from psycopg.conninfo import conninfo_to_dict
from sample_rows import ALICE, BOB
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from user_sessions import WHO, load_session, with_two_users

service = load_session()
user_session = service.async_user_session
Work = Callable[[AsyncEngine], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def database(lasting_database: NewDatabase, bootstrapped: str) -> str:
    return with_two_users(lasting_database, bootstrapped)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[AsyncEngine]:
    engine = service.make_async_engine(url, **options)
    yield engine
    await engine.dispose()


def run(work: Work, url: str, **options: Any) -> None:
    """Run `work` with an engine whose pool has one connection, unless `options` say otherwise."""

    async def main() -> None:
        async with connected(url, **{"pool_size": 1, "max_overflow": 0} | options) as engine:
            await work(engine)

    asyncio.run(main())


async def who(session: AsyncSession) -> Any:
    return (await session.execute(WHO)).one()


async def contacts(session: AsyncSession) -> set[str]:
    return set(await session.scalars(text("select user_id::text from contacts")))


async def assert_nobody(engine: AsyncEngine) -> None:
    """The next user of the connection is the login role, with no claims."""
    async with AsyncSession(engine) as session:
        row = await who(session)
    assert (row.role, row.uid) == ("postgres", None)
    assert not row.claims


def test_a_user_survives_commit_rollback_and_savepoints_and_sees_their_rows(database: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        async with user_session(engine, ALICE) as session:
            before = await who(session)
            assert (before.role, before.uid) == ("authenticated", ALICE)
            await session.commit()
            assert await who(session) == before
            with pytest.raises(ProgrammingError):
                await session.execute(text("select nonsense"))
            await session.rollback()
            async with session.begin_nested():
                assert await who(session) == before
            assert await contacts(session) == {ALICE}
            with pytest.raises(ProgrammingError, match="row-level security"):
                await session.execute(text(f"update contacts set user_id = '{BOB}'"))
            await session.rollback()
        await assert_nobody(engine)

    run(work, database)


def test_nothing_leaks_to_the_next_user_of_the_connection(database: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        with pytest.raises(ZeroDivisionError):
            async with user_session(engine, ALICE) as session:
                await who(session)
                raise ZeroDivisionError
        await assert_nobody(engine)

        async def cut_short() -> None:
            async with user_session(engine, ALICE) as session:
                await session.execute(text("select pg_sleep(60)"))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cut_short(), 0.2)
        await assert_nobody(engine)
        async with user_session(engine, BOB) as session:
            assert (await who(session)).uid == BOB

    run(work, database)


def test_who_is_not_clear_is_not_let_in(database: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        for user, role in ((None, "authenticated"), (ALICE, "postgres"), ("x", "authenticated")):
            with pytest.raises(ValueError):
                async with user_session(engine, user, role):
                    pass

    run(work, database)

    async def on_autocommit(engine: AsyncEngine) -> None:
        with pytest.raises(ValueError, match="AUTOCOMMIT"):
            async with user_session(engine, ALICE) as session:
                await who(session)

    run(on_autocommit, database, isolation_level="AUTOCOMMIT")


def test_a_statement_that_ends_the_transaction_raises(database: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        for statement in ("commit", "select 1; rollback", "END"):
            with pytest.raises(RuntimeError, match=r"session\.commit"):
                async with user_session(engine, ALICE) as session:
                    await session.execute(text(statement))
        with pytest.raises(RuntimeError, match=r"session\.commit"):
            async with user_session(engine, ALICE) as session:
                raw = await (await session.connection()).get_raw_connection()
                assert raw.driver_connection
                await raw.driver_connection.execute("commit")  # past SQLAlchemy
                await contacts(session)
        await assert_nobody(engine)

    run(work, database)


def test_twenty_tasks_share_one_server_connection_and_nothing_else(database: str) -> None:
    seen: list[tuple[Any, ...]] = []

    async def work(engine: AsyncEngine) -> None:
        async def request(user: str) -> None:
            for _ in range(5):  # psycopg would prepare a statement at its sixth execution
                async with user_session(engine, user) as session:
                    for _ in range(3):
                        row = await who(session)
                        seen.append((user, row.uid, row.role, row.server, await contacts(session)))
                        await session.commit()

        await asyncio.gather(*map(request, [ALICE, BOB] * 10))
        await assert_nobody(engine)

    where = conninfo_to_dict(database)
    with transaction_pooler(str(where["host"]), 5432, str(where["dbname"])) as url:
        run(work, url, pool_size=20)
    assert len(seen) == 300
    assert len({server for _, _, _, server, _ in seen}) == 1
    assert all(
        uid == user and role == "authenticated" and owners == {user}
        for user, uid, role, _, owners in seen
    )
