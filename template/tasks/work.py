"""What a command works on: the repo, a target, an open connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from . import catalog, config, console, databases, ledger, state
from .catalog import Snapshot
from .config import Config, Target
from .ledger import Ledger
from .state import Repo, State


@dataclass(frozen=True)
class Work:
    """A command's surroundings. The ledger is as it was when the command began."""

    repo: Repo
    target: Target
    connection: Connection[Any]
    ledger: Ledger

    @property
    def config(self) -> Config:
        return self.repo.config

    def state(self) -> State:
        """Where things stand now."""
        return state.read_state(self.repo, self.target, self.connection, console.working)


@contextmanager
def work_on(name: str | None) -> Iterator[Work]:
    """Reads the repo and connects to the target of that name."""
    repo = state.read_repo(config.load())
    target = databases.protected_twin(repo.config, repo.config.target(name))
    with databases.connect(repo.config, target) as connection:
        yield Work(repo, target, connection, ledger.read(connection))


def facts_of(name: str | None) -> Snapshot:
    """The facts of a database given by URL or by target name; a URL needs no service around."""
    if name and "://" in name:
        parameters = databases.from_url(name, "The URL")
        opening = databases.open_connection(parameters, "Connecting to the URL")
    else:
        settings = config.load()
        opening = databases.connect(settings, settings.target(name))
    with opening as connection:
        return catalog.read(connection)
