"""The doctor: a list of checks. Each examines a subject, and each subject is gathered once.

Only the gathering does I/O. If it fails, the first check of that subject says why, and the others
that need it are skipped; the remaining checks run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twolane import config, exit_codes
from twolane.config import Target
from twolane.doctor import environment, files, lanes, locks, server, urls
from twolane.errors import Failure, explain
from twolane.facts import catalog
from twolane.guards.findings import ERROR, INFO, WARNING, Finding, as_json, from_failure
from twolane.guards.findings import Result as Outcome
from twolane.guards.refusal import Refused
from twolane.postgres import reach
from twolane.repo import contents, ledger
from twolane.state import state

if TYPE_CHECKING:
    from psycopg import Connection

Subject = TypeVar("Subject")
Working = Callable[[str], AbstractContextManager[Any]]


class Once(Generic[Subject]):
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
        self.config = Once(config.load)
        self.urls = Once(lambda: urls.gather(self.config()))
        self.git = Once(lambda: environment.git(self.config().root))
        self.disk = Once(lambda: environment.disk(self.config()))
        self.embedded = Once(lambda: environment.embedded_state(self.config()))
        self.target = Once(self._target)
        self.routes = Once(lambda: urls.routes(self.config(), self.target()))
        self.repo = Once(lambda: contents.read_repo(self.config()))
        self.models = Once(lambda: files.models(self.repo()))
        self.shadow = Once(lambda: locks.shadow_server(self.config()))
        self.connection: Once[Connection[Any]] = Once(
            lambda: stack.enter_context(reach.connect(self.config(), self.target()))
        )
        self.server = Once(lambda: server.gather(self.connection(), self.target().name))
        self.left = Once(lambda: locks.gather(self.connection(), self.target().name))
        self.facts = Once(lambda: catalog.read(self.connection()))
        self.ledger = Once(lambda: ledger.read(self.connection()))
        self.state = Once(
            lambda: state.read_state(self.repo(), self.target(), self.connection(), working)
        )

    def _target(self) -> Target:
        """The selected target; raises the problem of its URL, if it has one."""
        settings = self.config()
        target = settings.target(self.name)
        for url in self.urls():
            if url.variable == target.variable and url.problem:
                raise url.problem
        return reach.protected_twin(settings, target)


@dataclass(frozen=True)
class Check:
    """One check: its name, what it looks at, and how it finds what is wrong."""

    name: str
    looks_at: str
    find: Callable[[Subjects], Iterator[Finding]]


Result = Outcome[Check]


def _reached(subject: Callable[[], object]) -> Iterator[Finding]:
    """Finds nothing, unless the subject can't be gathered."""
    subject()
    return iter(())


def _sslmode(subjects: Subjects) -> str:
    """The sslmode that libpq uses if a URL names none; empty if it is not set."""
    return subjects.config().environment.get("PGSSLMODE", "")


CHECKS = (
    # Settings, files and git: no connection.
    Check("settings", "pyproject.toml, .env", lambda s: environment.settings(s.config())),
    Check("variables", "the variable of each target", lambda s: environment.variables(s.config())),
    Check("override", "the environment against .env", lambda s: environment.overridden(s.config())),
    Check("secrets", ".env in git", lambda s: environment.secrets(s.git())),
    Check("git", "the repository", lambda s: environment.history(s.git())),
    Check("url", "how each URL is written", lambda s: urls.written(s.urls())),
    Check("port", "hosts and ports of Supabase", lambda s: urls.ports(s.urls())),
    Check("user", "the user of each URL", lambda s: urls.users(s.urls())),
    Check("tls", "sslmode", lambda s: urls.encrypted(s.urls(), _sslmode(s))),
    Check("separate", "the shadow's server, the live one", lambda s: urls.separate(s.urls())),
    Check("disk", "free space", lambda s: environment.space(s.disk())),
    Check("embedded", ".postgres/", lambda s: environment.leftovers(s.embedded())),
    Check("files", "SQL files in their order, revisions", lambda s: files.order(s.repo())),
    Check("syntax", "each SQL file, parsed", lambda s: files.syntax(s.repo())),
    Check(
        "repeatable", "statements that run once only", lambda s: files.once(s.repo().order.files)
    ),
    Check("vectors", "the types of vector columns", lambda s: files.vectors(s.models())),
    Check("scope", "tables of app.py and of SQL", lambda s: files.scope(s.repo())),
    # The shadow's server.
    Check("shadow", "the shadow's server", lambda s: locks.shadow_rights(s.shadow())),
    Check("drafts", "unfinished databases on it", lambda s: locks.drafts(s.shadow())),
    Check(
        "shadow-extensions",
        "extensions that the files need there",
        lambda s: files.extensions(
            s.repo().order.files, s.shadow().available, "the shadow's server", files.OF_THE_SHADOW
        ),
    ),
    # The target.
    Check("target", "the target's name and URL", lambda s: _reached(s.target)),
    Check("network", "addresses of its host, IPv6", lambda s: urls.reachable(s.routes())),
    Check("connection", "the connection", lambda s: _reached(s.connection)),
    Check("server", "where that leads", lambda s: server.identity(s.server())),
    Check("lock", "twolane's own lock", lambda s: locks.own_lock(s.left())),
    Check("transactions", "open transactions", lambda s: locks.transactions(s.left())),
    Check("sessions", "sessions that are hidden", lambda s: locks.hidden(s.left())),
    Check("indexes", "indexes that are not valid", lambda s: locks.indexes(s.left())),
    Check(
        "version", "Postgres there and here", lambda s: server.version(s.server(), s.shadow().major)
    ),
    Check("clock", "its clock and this machine's", lambda s: server.clock(s.server())),
    Check(
        "ledger-rights", "rights on twolane's schema", lambda s: server.ledger_rights(s.server())
    ),
    Check(
        "table-rights",
        "rights on tables",
        lambda s: server.table_rights(s.server(), s.facts()),
    ),
    Check("rls", "who passes row level security", lambda s: server.sees_all(s.server())),
    Check("event-triggers", "RLS on new tables", lambda s: server.event_triggers(s.server())),
    Check("search-path", "the vector extension's schema", lambda s: server.search_path(s.server())),
    Check(
        "extensions",
        "extensions that the files need there",
        lambda s: files.extensions(
            s.repo().order.files,
            s.server().available,
            f"target {s.target().name}",
            files.OF_THE_TARGET,
        ),
    ),
    Check(
        "stand-ins",
        "extensions that are stand-ins",
        lambda s: files.stand_ins(
            s.repo().order.files,
            {f"target {s.target().name}": s.server().available, "the shadow": s.shadow().available},
        ),
    ),
    # What ran on the target, and what is pending.
    Check(
        "label",
        "the name it is protected under",
        lambda s: lanes.label(s.config(), s.target(), s.ledger()),
    ),
    Check("history", "what it ran, the repo", lambda s: lanes.applied(s.repo(), s.ledger())),
    Check("work", "pending files and revisions", lambda s: lanes.work(s.repo(), s.ledger())),
    Check("replay", "the repo's files, run on the shadow", lambda s: lanes.replayed(s.state())),
    Check("mirror", "the lock against the database", lambda s: lanes.mirror(s.state())),
    Check("app-columns", "the app's tables", lambda s: lanes.app_columns(s.state())),
)


def run(name: str | None, working: Working) -> Iterator[Result]:
    """Each check's result as it comes; writes nothing except the shadow's cache."""
    told: dict[int, str] = {}
    with ExitStack() as stack:
        subjects = Subjects(name, working, stack)
        for check in CHECKS:
            with working(f"looking at {check.looks_at}"):
                result = _result(check, subjects, told)
            yield result


def _result(check: Check, subjects: Subjects, told: dict[int, str]) -> Result:
    """The check's result. told: id of a failure → the earlier check that reported it."""
    try:
        found = list(check.find(subjects))
    except Failure as failure:
        if earlier := told.get(id(failure)):
            return Result(check, skipped=f"after {earlier}")
        told[id(failure)] = check.name
        found = [from_failure(failure, check.name, subjects.name or "")]
    except Exception as problem:
        found = [from_failure(explain(problem), check.name, "")]
    return Result(check, tuple(replace(finding, check=check.name) for finding in found))


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
    found = [finding for result in results for finding in result.findings]
    return {
        "target": name,
        "errors": sum(finding.level == ERROR for finding in found),
        "warnings": sum(finding.level == WARNING for finding in found),
        "infos": sum(finding.level == INFO for finding in found),
        "checks": [
            {
                "check": result.check.name,
                "looks_at": result.check.looks_at,
                "status": result.status,
                "reason": result.skipped or None,
            }
            for result in results
        ],
        "findings": [as_json(finding) for finding in found],
    }
