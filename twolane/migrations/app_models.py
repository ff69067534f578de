"""What `app.py` declares: its tables, and the facts that they make in a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.config import Config
from twolane.errors import Failure, from_user_code
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.migrations import app_import, domains, places
from twolane.migrations.renames import quoted
from twolane.migrations.session import importable, session
from twolane.postgres import transactions

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class AppSchema:
    """What `app.py` declares: tables, and those its foreign keys name, as `schema.table`."""

    tables: frozenset[str]
    referenced: frozenset[str]


def declared(
    connection: Connection[Any], config: Config, base: Snapshot, head: Snapshot
) -> Snapshot:
    """The facts after SQLAlchemy made every table of `app.py` anew; it is rolled back.

    The database stands at the last revision, so that functions and types that revisions make are
    there: `head`. base: the facts of the files before; tables and enums that they lack are the
    app's, so are domains that `app.py` names. Of the others those are gone that no column has any
    more.

    Raises:
        Failure: Postgres refuses what `app.py` declares; it names the line.
    """
    from psycopg import Rollback

    facts: Snapshot = {}
    with session(connection) as (alchemy, _), transactions.transaction(connection):
        own = _own_domains(config)
        _keep_sequences(connection)
        for identity in head.keys() - base.keys():
            kind, _, name = identity.partition(" ")
            if kind in ("table", "enum") or (kind == "domain" and name in own):
                what = "type" if kind == "enum" else kind
                connection.execute(f"drop {what} if exists {name} cascade".encode())
        alchemy.begin()
        with importable(config), transactions.theirs(connection):
            _make(config, alchemy, own.values())
        facts = catalog.read(connection)
        lost = _unused(head, facts) - base.keys() - {f"domain {name}" for name in own}
        ordered = [f"domain {name}" for name in reversed(domains.names(facts))]
        facts = domains.without(facts, _free(connection, [d for d in ordered if d in lost]))
        raise Rollback
    # A sequence that is there already may be one that a revision makes by hand.
    kept = {i for i in facts if identities.kind(i) == "sequence" and i in head}
    return {i: text for i, text in facts.items() if i not in kept or i in base}


def _own_domains(config: Config) -> Mapping[str, Any]:
    """The domains that `app.py` makes, by `schema.name`; one that is another's base comes first."""
    from twolane.migrations import types

    with importable(config):
        tables = _metadata(config).tables.values()
        found = [d for t in tables for c in t.c for d in types.domains(c.type)]
        return {quoted(domain.schema or "", str(domain.name)): domain for domain in found}


def _unused(before: Snapshot, after: Snapshot) -> set[str]:
    """The domains, as facts, that a column had before, and none has after."""
    had, has = (domains.used_by(facts) for facts in (before, after))
    return {f"domain {name}" for name in had - has} & after.keys()


def _free(connection: Connection[Any], lost: Iterable[str]) -> list[str]:
    """Of these domains those that nothing else needs, no function and no other type.

    lost: a domain comes before the one that it is of. They are dropped; all of it is rolled back.
    """
    from psycopg import Error

    found = []
    for domain in lost:
        with suppress(Error), connection.transaction():
            connection.execute(f"drop {domain}".encode())
            found.append(domain)
    return found


# All but those that SQLAlchemy makes anew, of a serial key: defaults may name them.
_SEQUENCES = """
select s.oid::pg_catalog.regclass::pg_catalog.text
from pg_catalog.pg_depend d
join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
join pg_catalog.pg_class t on t.oid = d.refobjid
join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = 'a'
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and not (
        s.relname = t.relname || '_' || a.attname || '_seq'
        and exists (
            select from pg_catalog.pg_index i
            where i.indrelid = t.oid and i.indisprimary and i.indkey[0] = a.attnum
        )
    )
"""


def _keep_sequences(connection: Connection[Any]) -> None:
    """Cuts sequences off from their columns, so that they stay when a table goes."""
    for (name,) in transactions.ask(connection, _SEQUENCES).fetchall():
        connection.execute(f"alter sequence {name} owned by none".encode())


def _make(config: Config, alchemy: Any, own: Iterable[Any]) -> None:
    """Makes all tables of `app.py`, and its own domains; schemas are made by SQL files."""
    from psycopg import Error as PostgresError
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.schema import CheckFirst

    from twolane.migrations import types

    metadata = _metadata(config)
    base = import_module(f"{config.package}.db.schema.base").AppBase
    try:
        for domain in own:
            types.create_domain(domain, alchemy)
        metadata.create_all(alchemy, checkfirst=CheckFirst.TYPES | CheckFirst.SEQUENCES)
    except DBAPIError as error:
        if not isinstance(error.orig, PostgresError):
            raise
        raise places.refused_by_postgres(config, base, error) from error
    except Exception as error:
        raise places.refused_by_sqlalchemy(config, base, error) from error


def _metadata(config: Config) -> Any:
    try:
        return app_metadata(config)
    except Exception as error:
        raise _failure(config, error) from error


def _failure(config: Config, error: Exception) -> Failure:
    """What is wrong with the models; a file of them that can't be read comes first.

    `db.sync` writes the models of lane A anew, whatever they are.
    """
    if not config.schema.is_dir():
        shown = config.schema.relative_to(config.root).as_posix()
        first = f"Name the package with db/schema in pyproject.toml, or git checkout -- {shown}"
        return Failure(f"There is no {shown}, where [tool.twolane] has its package.", first)
    try:
        for path in (config.schema / "base.py", config.introspected, config.schema / "app.py"):
            files.read(config, path)
    except Failure as unread:
        return unread
    failure = from_user_code(error, config.root)
    if isinstance(error, SyntaxError) and error.filename == str(config.introspected):
        failure.first = "invoke db.sync"
    return failure


def app_schema(config: Config) -> AppSchema:
    """What `app.py` declares.

    Raises:
        Failure: `app.py` can't be imported.
    """
    with importable(config):
        try:
            tables = list(app_metadata(config).tables.values())
            referenced = {key.column.table for table in tables for key in table.foreign_keys}
        except Exception as error:
            raise _failure(config, error) from error
    return AppSchema(frozenset(map(_full_name, tables)), frozenset(map(_full_name, referenced)))


def configure(config: Config) -> None:
    """Imports both halves of the schema, and lets SQLAlchemy set up every class.

    Raises:
        Failure: one can't be imported, or a relationship does not fit.
    """
    with importable(config):
        try:
            schema = import_module(f"{config.package}.db.schema")
            schema.AppBase.registry.configure(cascade=True)
            schema.IntrospectedBase.registry.configure(cascade=True)
        except Exception as error:
            raise _failure(config, error) from error


def app_metadata(config: Config) -> Any:
    """The metadata of `AppBase`, with the tables of `app.py` in it; call within `importable`."""
    from twolane.migrations import declared_texts

    metadata = app_import.app_metadata(config.package)
    declared_texts.settle(metadata)
    return metadata


def _full_name(table: Any) -> str:
    """`schema.table`; a table without a schema in SQLAlchemy is in `public`."""
    return f"{table.schema or 'public'}.{table.name}"
