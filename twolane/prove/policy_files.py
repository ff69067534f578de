"""The files of `db.rls`: reads the facts for them from the shadow, writes and registers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts.catalog import Snapshot
from twolane.postgres.transactions import ask
from twolane.prove import schema_reading
from twolane.prove.owners import Owners
from twolane.prove.policy_text import Surroundings
from twolane.repo import order

if TYPE_CHECKING:
    from psycopg import Connection


def read(
    config: Config, connection: Connection[Any], facts: Snapshot, app: frozenset[str]
) -> Surroundings:
    """The tables at head, with the facts that policies, grants and indexes need."""
    schema = schema_reading.read(connection, facts)
    owners = Owners(schema, config.tenant_column, config.prove.tenants)
    names = [table.name for table in schema.tables]
    sequences: dict[str, dict[str, bool]] = {name: {} for name in names}
    query = """
        select t.name,
            pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname),
            d.deptype = 'a'
        from pg_catalog.unnest(%s::pg_catalog.text[]) t (name)
        join pg_catalog.pg_depend d on d.refobjid = t.name::pg_catalog.regclass
            and d.deptype in ('a', 'i')
        join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
        join pg_catalog.pg_namespace n on n.oid = s.relnamespace
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjsubid > 0
        order by 2
    """
    for table, sequence, is_serial in ask(connection, query, (names,)):
        sequences[table][sequence] = is_serial
    query = """
        select t.name, a.attname
        from pg_catalog.unnest(%s::pg_catalog.text[]) t (name)
        join pg_catalog.pg_index i on i.indrelid = t.name::pg_catalog.regclass and i.indpred is null
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    """
    indexed = frozenset((t, c) for t, c in ask(connection, query, (names,)))
    return Surroundings(schema, owners, app, sequences, indexed)


def there(config: Config, names: Iterable[str]) -> list[str]:
    """The names of those SQL files that exist already."""
    return [name for name in names if (config.sql / name).exists()]


def write(config: Config, texts: Mapping[str, str]) -> list[Path]:
    """Writes new SQL files, and lists them in `bootstrap.txt` after the mark.

    Raises:
        Failure: one of them exists already; then no file is written.
    """
    paths = [config.sql / name for name in texts]
    for path in paths:
        if path.exists():
            raise Failure(
                f"{path.relative_to(config.root).as_posix()} exists already; it is yours.",
                "Edit it, then: invoke db.apply. Or remove it and its line in bootstrap.txt.",
            )
    with files.alone(config):
        listed = order.with_files(order.read_text(config), after=texts)
        new = dict(zip(paths, texts.values(), strict=True))
        files.write({**new, config.order_file: listed})
    return paths
