"""Lane A: SQL files into the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane.config import Target
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.facts.catalog import Snapshot
from twolane.guards import guards
from twolane.guards.refusal import refuse
from twolane.postgres import transactions
from twolane.repo import entries, ledger, ledger_tables, record, sqlfiles
from twolane.repo.contents import Repo, pending, waiting
from twolane.repo.sqlfiles import SqlFile
from twolane.state import losses
from twolane.telling import Tell
from twolane.text import meant

if TYPE_CHECKING:
    from psycopg import Connection


def choose(repo: Repo, done: ledger.Ledger, names: Sequence[str]) -> tuple[SqlFile, ...]:
    """The files to run: those named, else those new or changed; in the order of `bootstrap.txt`.

    While a revision waits, files that build on the migrations are left out.

    Raises:
        Failure: a name that `bootstrap.txt` doesn't list.
    """
    wanted = set(names)
    known = {file.name for file in repo.order.files}
    if unknown := sorted(wanted - known):
        raise Failure(
            f"bootstrap.txt lists no {', '.join(unknown)}; it lists: {', '.join(sorted(known))}.",
            f"{meant(unknown[0], known)}Write the file's name as it stands in supabase/sql/.",
        )
    if wanted:
        return tuple(file for file in repo.order.files if file.name in wanted)
    return pending(repo.order.before if waiting(repo, done) else repo.order.files, done)


@dataclass(frozen=True)
class Ran:
    """An SQL file that ran; messages: what the server said: warnings, and what the file raised."""

    file: SqlFile
    milliseconds: int
    messages: Sequence[str]


def apply(
    connection: Connection[Any],
    target: Target,
    files: Sequence[SqlFile],
    tell: Tell,
    *,
    again: bool = False,
    allowed: Sequence[str] = (),
    there: frozenset[int] | None = None,
) -> list[Ran]:
    """Runs the files, each in one transaction with its row in the ledger; returns those run.

    A file that another command ran meanwhile is skipped, unless it is to run `again`. allowed: the
    consents given, as `--allow` takes them. there: the tables that were there before the command,
    by OID; by default, those that are.

    Raises:
        Refused: a file gives up data without consent (G06), or writes twolane's own record (G05);
            it is rolled back.
    """
    for file in files:
        sqlfiles.check(file)
    facts: Snapshot | None = None
    ran = []
    consent = Consent(tuple(allowed), losses.tables(connection) if there is None else there)
    for file in files:
        done, facts = _apply_one(connection, target, file, tell, again, facts, consent)
        ran += [done] if done else []
    return ran


@dataclass(frozen=True)
class Consent:
    """What a command may give up: the consents given, and the tables that count, by OID."""

    allowed: tuple[str, ...]
    there: frozenset[int]

    @contextmanager
    def asked(
        self,
        connection: Connection[Any],
        file: SqlFile,
        note: Callable[[str], None],
        is_known: bool = False,
    ) -> Iterator[None]:
        """Runs a file in the open transaction; refuses what it gives up without consent.

        is_known: whether the database has run it before, as it is.
        """
        if not self.there:
            yield
            return
        before = losses.look(connection)
        yield
        found = losses.find(connection, file, before, self.there, by_rows=is_known)
        refuse(
            guards.record_written(file.name, found.records),
            guards.given_up(file.name, found.hazards, self.allowed),
        )
        for table in found.filled:
            note(f"{file.name}: adds rows or new values to {table}")


def _apply_one(
    connection: Connection[Any],
    target: Target,
    file: SqlFile,
    tell: Tell,
    again: bool,
    facts: Snapshot | None,
    consent: Consent,
) -> tuple[Ran | None, Snapshot | None]:
    """Runs the file unless it ran; with the facts after it. facts: those before, if known."""
    messages: list[str] = []

    def warn(text: str) -> None:
        messages.append(text)
        tell.warn(f"{file.name}: {text}")

    def work() -> Snapshot | None:
        with transactions.transaction(connection):
            transactions.exclusive(connection, tell.note)
            done = ledger.read(connection)
            ledger_tables.prepare(connection)
            is_known = done.applied.get(file.name) == file.digest
            if is_known and not again:
                return None
            before = catalog.read(connection) if facts is None else facts
            start = time.monotonic()
            with consent.asked(connection, file, tell.note, is_known):
                for name in sqlfiles.run(connection, file):
                    warn(
                        f"{name}: took back what this database grants by default: it has no row "
                        "level security, and the file grants nothing on it"
                    )
            entries.record_file(connection, file, round(1000 * (time.monotonic() - start)))
            after = catalog.read(connection)
            record.note(connection, done, before, after)
            if target.protected:
                entries.label(connection, target.name)
            return after

    with tell.working(file.name), sqlfiles.messages(connection, warn):
        start = time.monotonic()
        after = transactions.retry_locks(work, connection, tell.note)
    if after is None:
        return None, None
    spent = round(1000 * (time.monotonic() - start))
    tell.say(f"  {file.name}  {spent} ms")
    return Ran(file, spent, messages), after


def as_json(ran: Sequence[Ran]) -> dict[str, Any]:
    """`{"ran": [{"file", "milliseconds", "messages"}]}`, in the order in which they ran."""
    return {
        "ran": [
            {"file": r.file.name, "milliseconds": r.milliseconds, "messages": list(r.messages)}
            for r in ran
        ]
    }
