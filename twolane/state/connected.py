"""The objects that a command works on: the repo, a target, an open connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from psycopg import Connection

from twolane import config
from twolane.config import Config, Target
from twolane.postgres import embedded, reach, session
from twolane.repo import contents, ledger
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.state import contact, reading, rehearsal, stand
from twolane.state.contact import Contact
from twolane.state.rehearsal import Course, Steps
from twolane.state.state import State
from twolane.telling import Tell


@dataclass(frozen=True)
class Work:
    """Repo, target and connection of a command. ledger: as read when the command began.

    tell: the one who is told what takes long.
    """

    repo: Repo
    target: Target
    connection: Connection[Any]
    ledger: Ledger
    tell: Tell

    @property
    def config(self) -> Config:
        return self.repo.config

    def rehearse(
        self, state: State, steps: Steps, finish: rehearsal.Finish = rehearsal.NOTHING
    ) -> Course:
        """Runs what the database lacks where it stands, on the shadow."""
        where = state.stand or stand.read(self.repo, state.ledger, self.connection)
        steps = replace(steps, major=self.connection.info.server_version // 10_000)
        return rehearsal.rehearse(self.repo, where, steps, self.tell.working, finish)

    @cached_property
    def is_shared(self) -> bool:
        """Whether the connection leads to a transaction pooler."""
        return session.is_shared(reach.parameters(self.config, self.target), self.connection)

    def state(self) -> State:
        """Reads the current state."""
        return reading.read_state(self.repo, self.target, self.connection, self.tell.working)

    @cached_property
    def contact(self) -> Contact:
        """Whose database it is; read before a command changes it, and written there afterwards."""
        return contact.read(self.repo, self.target, self.connection, self.ledger)

    def sign(self) -> None:
        """Writes into a database that was changed whose it is."""
        if "contact" in vars(self):
            contact.sign(self.repo, self.contact, self.connection, self.ledger)


@contextmanager
def work_on(name: str | None, tell: Tell) -> Iterator[Work]:
    """Reads the repo and connects to the target of that name."""
    repo = contents.read_repo(config.load())
    target = reach.protected_twin(repo.config, repo.config.target(name))
    with reach.connect(repo.config, target) as connection:
        for remark in embedded.remarks(repo.config):
            tell.warn(remark)
        work = Work(repo, target, connection, ledger.read(connection), tell)
        yield work
        work.sign()
