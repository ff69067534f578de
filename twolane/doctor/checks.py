"""The doctor: a list of checks. Each examines a subject, and each subject is gathered once.

Only the gathering does I/O. If it fails, the first check of that subject says why, and the others
that need it are skipped; the remaining checks run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twolane import config, exit_codes
from twolane.config import Target
from twolane.doctor import environment, files, lanes, locks, server, urls
from twolane.errors import Failure, explain
from twolane.facts import catalog
from twolane.guards import checks
from twolane.guards.checks import LEVELS, Check, Result, Working
from twolane.guards.findings import Finding
from twolane.guards.refusal import Refused
from twolane.postgres import reach
from twolane.repo import contents, ledger
from twolane.state import reading

if TYPE_CHECKING:
    from psycopg import Connection

Subject = TypeVar("Subject")


class Gathered(Generic[Subject]):
    """A subject that is gathered on first use; a failure is kept as well.

    So we wait for an unreachable server only once.
    """

    def __init__(self, gather: Callable[[], Subject]) -> None:
        self._gather = gather
        self._found: list[Subject] = []
        self._failure: Failure | None = None

    def __call__(self) -> Subject:
        if self._failure:
            raise self._failure
        if not self._found:
            try:
                self._found.append(self._gather())
            except Refused as refused:
                self._failure = Failure(refused.refusal.reason, refused.refusal.first)
                raise self._failure from None
            except Exception as problem:
                self._failure = explain(problem)
                raise self._failure from None
        return self._found[0]


class Subjects:
    """What there is to examine, for one target."""

    def __init__(self, name: str | None, working: Working, stack: ExitStack) -> None:
        self.name = name
        self.config = Gathered(config.load)
        self.urls = Gathered(lambda: urls.gather(self.config()))
        self.git = Gathered(lambda: environment.git(self.config().root))
        self.disk = Gathered(lambda: environment.disk(self.config()))
        self.embedded = Gathered(lambda: environment.embedded_state(self.config()))
        self.target = Gathered(self._target)
        self.sslmode = Gathered(lambda: self.config().environment.get("PGSSLMODE", ""))
        self.routes = Gathered(lambda: urls.routes(self.config(), self.target()))
        self.repo = Gathered(lambda: contents.read_repo(self.config()))
        self.files = Gathered(lambda: self.repo().order.files)
        self.models = Gathered(lambda: files.models(self.repo()))
        self.shadow = Gathered(lambda: locks.shadow_server(self.config()))
        self.shadow_major = Gathered(lambda: self.shadow().major)
        self.connection: Gathered[Connection[Any]] = Gathered(
            lambda: stack.enter_context(reach.connect(self.config(), self.target()))
        )
        self.server = Gathered(lambda: server.gather(self.connection(), self.target().name))
        self.extension_sources = Gathered(self._extension_sources)
        self.left = Gathered(lambda: locks.gather(self.connection(), self.target().name))
        self.facts = Gathered(lambda: catalog.read(self.connection()))
        self.ledger = Gathered(lambda: ledger.read(self.connection()))
        self.state = Gathered(
            lambda: reading.read_state(self.repo(), self.target(), self.connection(), working)
        )

    def _target(self) -> Target:
        """The selected target; raises the problem of its URL, if it has one."""
        settings = self.config()
        target = settings.target(self.name)
        for url in self.urls():
            if url.variable == target.variable and url.problem:
                raise url.problem
        return reach.protected_twin(settings, target)

    def _extension_sources(self) -> Mapping[str, Mapping[str, str]]:
        """Server, in words → the extensions that it could install, with their comments."""
        there = {f"target {self.target().name}": self.server().available}
        return {**there, "the shadow": self.shadow().available}


def _no_more(subject: object) -> Iterator[Finding]:
    """Finds nothing: that the subject was gathered is all that is asked."""
    return iter(())


CHECKS: tuple[Check[...], ...] = (
    # Settings, files and git: no connection.
    environment.settings,
    environment.variables,
    environment.overridden,
    environment.secrets,
    environment.history,
    urls.written,
    urls.ports,
    urls.users,
    urls.encrypted,
    urls.separate,
    environment.space,
    environment.leftovers,
    files.order,
    files.syntax,
    files.once,
    files.vectors,
    files.scope,
    # The shadow's server.
    locks.shadow_rights,
    locks.drafts,
    files.shadow_extensions,
    # The target.
    Check(_no_more, "target", "the target's name and URL", ("target",)),
    urls.reachable,
    Check(_no_more, "connection", "the connection", ("connection",)),
    server.identity,
    locks.own_lock,
    locks.transactions,
    locks.hidden,
    locks.indexes,
    server.version,
    server.clock,
    server.ledger_rights,
    server.table_rights,
    server.sees_all,
    server.event_triggers,
    server.search_path,
    files.target_extensions,
    files.stand_ins,
    # What ran on the target, and what is pending.
    lanes.label,
    lanes.applied,
    lanes.work,
    lanes.replayed,
    lanes.mirror,
    lanes.app_columns,
)


def run(name: str | None, working: Working) -> Iterator[Result]:
    """Each check's result as it comes; writes nothing except the shadow's cache."""
    with ExitStack() as stack:
        subjects = Subjects(name, working, stack)
        yield from checks.run(
            CHECKS,
            partial(_found, subjects),
            lambda check: working(f"looking at {check.about}"),
            name or "",
        )


def _found(subjects: Subjects, check: Check[...]) -> list[Finding]:
    """What the check finds; raises `Failure` if a subject can't be gathered."""
    try:
        found = check(*(getattr(subjects, subject)() for subject in check.of))
        return [replace(finding, check=check.name) for finding in found]
    except Exception as problem:
        raise explain(problem) from None


def exit_code(results: Sequence[Result]) -> int:
    """1 if there is an error, else 0."""
    return exit_codes.ERROR if any(result.status == "failed" for result in results) else 0


def report_json(name: str | None, results: Sequence[Result]) -> dict[str, Any]:
    """`{"target", "errors", "warnings", "infos", "checks": [{"check", "looks_at", "status",
    "reason"}], "findings"}`.

    target: as it was asked for, or null. status: see `Result.status`; reason: why it was skipped,
    or null. Every check is listed, in its order. A finding is as in `db.check --json`, with a third
    level, "info".
    """
    counted = checks.report_json(results, LEVELS, lambda check: {"looks_at": check.about})
    return {"target": name, **counted}
