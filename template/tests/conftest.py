"""A database for the tests: the repo's own files make it, on the embedded server.

It is never `DATABASE_URL`: the shadow replays the files, and the tests get a copy of the shadow.
They may write to the copy; it is dropped afterwards.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from twolane import config
from twolane.repo import contents
from twolane.shadow import shadow


@pytest.fixture(scope="session")
def repo() -> contents.Repo:
    """The repo's files: SQL in its order, revisions, lock."""
    return contents.read_repo(config.load(Path(__file__).parents[1]))


@pytest.fixture(scope="session")
def head(repo: contents.Repo) -> shadow.Replay:
    """The whole repo replayed from nothing: SQL files, migrations, the SQL files after them."""
    steps = [
        shadow.files_step(repo.order.before),
        shadow.migrations_step(repo.config, repo.revisions),
        shadow.files_step(repo.order.after),
    ]
    return shadow.replay(repo.config, steps, nullcontext)


@pytest.fixture(scope="session")
def session_module(repo: contents.Repo) -> ModuleType:
    """The service's `<package>.db.session`."""
    return importlib.import_module(f"{repo.config.package}.db.session")


@pytest.fixture(scope="module")
def engine(
    repo: contents.Repo, head: shadow.Replay, session_module: ModuleType
) -> Iterator[Engine]:
    """An engine on a copy of `head`, as its superuser; each test module has a copy of its own."""
    with shadow.clone(repo.config, head.database) as parameters:
        engine: Engine = session_module.make_engine("postgresql://", connect_args=parameters)
        yield engine
        engine.dispose()


@pytest.fixture
def attempt(engine: Engine, session_module: ModuleType) -> Callable[..., int]:
    """Try a statement as a user, or as `anon`; returns the row count, 0 if it is refused."""

    def run(statement: str, user: str | None, **parameters: str) -> int:
        role = "authenticated" if user else "anon"
        with session_module.user_session(engine, user, role) as session:
            try:
                return int(session.execute(text(statement), parameters).rowcount)
            except DBAPIError as error:
                if isinstance(error.orig, (InsufficientPrivilege, ObjectNotInPrerequisiteState)):
                    return 0  # no grant or policy; a view that can't be updated
                raise
            finally:
                session.rollback()

    return run
