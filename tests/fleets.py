"""One service, many databases: what the tests of several targets at once stand on."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from service import Service

from twolane.postgres.transactions import ADVISORY_LOCK

THREE, FIVE = [tuple(f"eu-{i}" for i in range(1, number + 1)) for number in (3, 5)]
NOTHING = ["nothing to do"]
SECRET = "hush-hush"
UNREACHABLE = f"postgresql://postgres:{SECRET}@127.0.0.1:1/postgres"
PUSH = ("db.push", "--target", "eu-*")


@dataclass
class Fleet:
    """A service where a revision waits in each of several databases; one of them is protected."""

    service: Service
    urls: dict[str, str]

    def query(self, target: str, statement: str) -> list[tuple[Any, ...]]:
        """Runs SQL in one database, behind twolane's back."""
        with psycopg.connect(self.urls[target], autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def pushed(self) -> set[str]:
        """The targets that have the table, and so its row in the ledger."""
        found = set()
        for target in self.urls:
            ((table, rows),) = self.query(
                target,
                "select to_regclass('dev_markers') is not null, count(*) from twolane.pushes",
            )
            assert (table, rows) in ((True, 1), (False, 0)), target
            found |= {target} if table else set()
        return found

    def at_work(self) -> set[str]:
        """The targets on which a command holds a connection."""
        return self._connected("true")

    @contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Twolane's own lock on these databases: whoever would change them waits."""
        with ExitStack() as stack:
            for target in names:
                connection = stack.enter_context(psycopg.connect(self.urls[target]))
                connection.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
            yield

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`invoke ARGUMENTS…`, running; its progress is to be read from `stderr`."""
        return self.service.start(*arguments, stderr=subprocess.PIPE)

    def waiting(self) -> set[str]:
        """The targets on which a command waits for twolane's lock."""
        return self._connected(
            "query ~ 'pg_try_advisory_xact_lock|pg_locks l join pg_stat_activity'"
        )

    def _connected(self, condition: str) -> set[str]:
        rows = self.query(
            next(iter(self.urls)),
            "select distinct datname from pg_stat_activity "
            f"where application_name = 'twolane' and {condition}",
        )
        names = {conninfo_to_dict(url)["dbname"]: target for target, url in self.urls.items()}
        return {names[name] for (name,) in rows if name in names}


def variable(target: str) -> str:
    return f"{target.upper().replace('-', '_')}_DATABASE_URL"


def name_targets(service: Service, **urls: str) -> None:
    """More targets in `pyproject.toml`, their URLs in the environment; underscores for dashes."""
    for target, url in urls.items():
        name = target.replace("_", "-")
        mark = "protected = true\n" if name.startswith("prod") else ""
        entry = f'\n[tool.twolane.targets.{name}]\nenv = "{variable(name)}"\n{mark}'
        service.write("pyproject.toml", service.read("pyproject.toml") + entry)
        if url:
            service.env[variable(name)] = url


def make_fleet(service: Service, new_database: Callable[[str], str], names: Sequence[str]) -> Fleet:
    """The service with these targets, whose databases are copies of its own."""
    template = str(conninfo_to_dict(service.env["DATABASE_URL"])["dbname"])
    urls = {name: new_database(template) for name in names}
    name_targets(service, **{name.replace("-", "_"): url for name, url in urls.items()})
    service.commit()
    return Fleet(service, urls)


def rows(text: str) -> dict[str, list[str]]:
    """The table: target → the other cells of its line."""
    lines = text.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("Target ")) + 1 :]
    cells = (re.split(r"\s{2,}", line) for line in table)
    return {row[0]: row[1:] for row in cells if re.fullmatch(r"[\w-]+( \(protected\))?", row[0])}


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits for the condition, while the process runs."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
