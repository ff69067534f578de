"""Who a service is, as its repo and each database that it changed say.

A service is known by the first commit of its repo, which no other has, and by its folder in it.
Nothing has to be kept for that: a fork, a colleague's clone, a renamed package and a moved folder
are the same service. Where git can't tell (no commit yet, a shallow
clone), the package's name does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twolane import git
from twolane.config import Config
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

TABLE = """
create schema if not exists twolane;
revoke all on schema twolane from public;
create table if not exists twolane.service (
    only_one boolean primary key default true check (only_one),
    package pg_catalog.text not null,
    folder pg_catalog.text not null,
    roots pg_catalog.text[] not null,
    recorded_at pg_catalog.timestamptz not null default pg_catalog.now()
);
"""


@dataclass(frozen=True)
class Service:
    """package: its name in Python. folder: its place in the repo. roots: the repo's first commits,
    as far as they are known."""

    package: str
    folder: str
    roots: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a person calls it, and consents to: the package, and which repo's."""
        return "-".join([self.package, *(root[:7] for root in self.roots[:1])])


def of_repo(config: Config) -> Service:
    return Service(config.package, git.folder(config.root), tuple(git.roots(config.root)))


def of_database(connection: Connection[Any]) -> Service | None:
    """The service whose database it is; None if it says nothing."""
    known = ask(connection, "select pg_catalog.to_regclass('twolane.service')").fetchone()
    if known is None or known[0] is None:
        return None
    row = ask(connection, "select package, folder, roots from twolane.service").fetchone()
    return Service(row[0], row[1], tuple(row[2])) if row else None


def is_ours(config: Config, service: Service) -> bool:
    """Whether it is this repo's service, whatever its package and its folder are called by now.

    Another service in the same repo differs in both.
    """
    has_root = any(git.has(config.root, root) for root in service.roots)
    if not has_root and service.roots and git.is_complete(config.root):
        return False
    if service.package == config.package:
        return True
    return has_root and service.folder == git.folder(config.root)


def is_current(config: Config, service: Service) -> bool:
    """Whether the database says all that the repo can tell of this service."""
    named = (service.package, service.folder) == (config.package, git.folder(config.root))
    has_root = any(git.has(config.root, root) for root in service.roots)
    return named and (has_root or not git.is_complete(config.root))


def record(connection: Connection[Any], service: Service, before: Service | None) -> None:
    """Writes the service into the database, over the one that it has.

    A clone that lacks the repo's first commits leaves those that are recorded.
    """
    if before is None:
        connection.execute(TABLE)
    roots = service.roots or (before.roots if before else ())
    connection.execute(
        """
        insert into twolane.service (package, folder, roots) values (%s, %s, %s)
        on conflict (only_one) do update set
            package = excluded.package, folder = excluded.folder, roots = excluded.roots,
            recorded_at = excluded.recorded_at
        """,
        (service.package, service.folder, list(roots)),
    )
