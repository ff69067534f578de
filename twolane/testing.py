"""For the service's own tests: a database that its files make, on the embedded server.

A conftest.py loads the fixtures by `pytest_plugins = ["twolane.testing"]`. The database is never
`DATABASE_URL`: the shadow replays the files, and the tests get a copy of the shadow. They may write
to the copy; it is dropped afterwards.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from types import ModuleType

import pytest
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState
from sqlalchemy import Engine, MetaData, text
from sqlalchemy.exc import DBAPIError

from twolane import config
from twolane.config import Config
from twolane.lanes import app_changes
from twolane.migrations import app_models
from twolane.repo import contents
from twolane.repo.contents import Repo
from twolane.shadow import shadow
from twolane.shadow.shadow import Replay
from twolane.shadow.steps import files_step, migrations_step

__all__ = [
    "Replay",
    "Repo",
    "app_is_ahead",
    "app_tables",
    "mirrored_tables",
    "models",
    "tables",
]


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Config:
    """`[tool.twolane]` of the service in which pytest runs."""
    found = config.load(pytestconfig.rootpath)
    make_importable(found)
    return found


def make_importable(settings: Config) -> None:
    """Lets the service's package be imported where pytest's settings don't name its folder.

    So it is in a repo that had such settings before the template was copied into it.
    """
    if find_spec(settings.package) is None:
        sys.path.insert(0, str(settings.source))


@pytest.fixture(scope="session")
def schema(settings: Config) -> ModuleType:
    """The barrel: the service's `<package>.db.schema`, with the models of both lanes."""
    return importlib.import_module(f"{settings.package}.db.schema")


@pytest.fixture(scope="session")
def session_module(settings: Config) -> ModuleType:
    """The service's `<package>.db.session`."""
    return importlib.import_module(f"{settings.package}.db.session")


@pytest.fixture(scope="session")
def repo(settings: Config) -> Repo:
    """The repo's files: its `revisions`, their `heads`, SQL in its order, the lock."""
    return contents.read_repo(settings)


@pytest.fixture(scope="session")
def head(repo: Repo) -> Replay:
    """The whole repo replayed from nothing: SQL files, migrations, the SQL files after them."""
    steps = [
        files_step(repo.order.before),
        migrations_step(repo.config, repo.revisions),
        files_step(repo.order.after),
    ]
    return shadow.replay(repo.config, steps, nullcontext)


@pytest.fixture(scope="module")
def engine(repo: Repo, head: Replay, session_module: ModuleType) -> Iterator[Engine]:
    """An engine on a copy of `head`, as `postgres`; each test module has a copy of its own."""
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


def models(schema: ModuleType, metadata: MetaData) -> dict[str, type]:
    """The barrel's models on one of the two metadata objects, by their tables' names."""
    found = (getattr(schema, name) for name in schema.__all__)
    mapped = {m.__table__.fullname: m for m in found if hasattr(m, "__table__")}
    return {name: model for name, model in mapped.items() if name in metadata.tables}


def app_tables(repo: Repo) -> frozenset[str]:
    """The tables that `app.py` declares, as `schema.name`."""
    return app_models.app_schema(repo.config).tables


def mirrored_tables(repo: Repo) -> frozenset[str]:
    """The tables and views in `schema.lock.json`, as `schema.name`."""
    return app_changes.relations(repo.lock)


def tables(head: Replay) -> frozenset[str]:
    """The tables and views of a replayed repo, as `schema.name`."""
    return app_changes.relations(head.facts)


def app_is_ahead(repo: Repo) -> bool:
    """Whether `app.py` declares what no revision makes."""
    return app_changes.has_changes(repo)
