"""From changes of facts to the SQL that brings them about. Pure.

Every statement may run again: where its facts are true already, it does nothing, or the same once
more. Definitions are in Postgres's own words, as the facts hold them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from twolane.ddl import (
    columns,
    on_tables,
    publications,
    rare_kinds,
    rights,
    routines_and_types,
    sequences,
    tables_and_views,
)
from twolane.ddl.clauses import compares
from twolane.ddl.statement import Edit, Live, Rank, Statement, Unwritten, edit
from twolane.facts import identities
from twolane.facts.catalog import Change, Snapshot
from twolane.facts.differences import object_of
from twolane.sql import plainly
from twolane.text import clean

__all__ = ["Left", "Rank", "Rendered", "Statement", "render", "text"]

Writer = Callable[[Edit], Iterable[Statement]]

WRITERS: Mapping[str, Writer] = {
    "schema": routines_and_types.schema,
    "extension": routines_and_types.extension,
    "function": routines_and_types.function,
    "procedure": routines_and_types.function,
    "aggregate": routines_and_types.aggregate,
    "enum": routines_and_types.enum,
    "domain": routines_and_types.domain,
    "composite type": routines_and_types.composite,
    "range type": routines_and_types.range_type,
    "table": tables_and_views.table,
    "foreign table": tables_and_views.table,
    "view": tables_and_views.view,
    "materialized view": tables_and_views.materialized_view,
    "sequence": sequences.sequence,
    "column": columns.write,
    "constraint": on_tables.constraint,
    "index": on_tables.index,
    "trigger": on_tables.trigger,
    "rule": on_tables.rule,
    "policy": on_tables.policy,
    "rls": on_tables.rls,
    "statistics object": on_tables.statistics,
    "grant": rights.grant,
    "default privileges": rights.default_privileges,
    "comment": rights.comment,
    "security label": rights.label,
    "publication": publications.publication,
    "publication table": publications.publication_table,
    "publication schema": publications.publication_schema,
    "event trigger": rare_kinds.event_trigger,
    "cast": rare_kinds.cast,
    "operator": rare_kinds.operator_itself,
    "collation": rare_kinds.collation,
    "text search dictionary": rare_kinds.text_search_dictionary,
    "text search configuration": rare_kinds.text_search_configuration,
    "server": rare_kinds.server,
    "foreign-data wrapper": rare_kinds.wrapper,
    "user mapping": rare_kinds.user_mapping,
}

SUPERUSER = "only a superuser makes it"
UNWRITTEN: Mapping[str, str] = {
    "owner": "an object belongs to who makes it: owners differ with who connects",
    "subscription": "its connection holds a password, which is no fact",
    "type": SUPERUSER,
    "operator class": SUPERUSER,
    "operator family": SUPERUSER,
    "operator of access method": SUPERUSER,
    "function of access method": SUPERUSER,
    "access method": SUPERUSER,
    "language": SUPERUSER,
    "transform": SUPERUSER,
    "conversion": SUPERUSER,
    "text search parser": SUPERUSER,
    "text search template": SUPERUSER,
}


@dataclass(frozen=True)
class Left:
    """A change for which there is no statement, and why."""

    change: Change
    reason: str


@dataclass(frozen=True)
class Rendered:
    """Statements, ordered by kind. left: the changes that have no statement."""

    statements: tuple[Statement, ...]
    left: tuple[Left, ...]


def render(
    changes: Sequence[Change],
    live: Snapshot,
    owner: str = "postgres",
    readers: Mapping[str, Sequence[str]] = MappingProxyType({}),
    second: Snapshot = MappingProxyType({}),
    order: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Rendered:
    """The statements that bring the changes about.

    changes: from what the files make to what the live database has. live: all its facts. owner: the
    role that owns its objects where no fact names another, the database's owner. readers:
    column → the views that read it, all as identities, the nearest first; if the column's type
    changes, these views are dropped before and made again. second, order: see
    `Live`.
    """
    around = Live(live, owner, readers, second, order)
    changes = [*changes, *_again(changes, around)]
    edits = [edit(change, around) for change in changes]
    # Tables and composite types make their columns, too.
    edits.sort(key=lambda e: e.kind not in (*identities.RELATION_KINDS, "composite type"))
    _order_columns(edits)
    gone = {each.identity for each in edits if each.after is None}
    statements: list[Statement] = []
    left: list[Left] = []
    made: set[str] = set()
    for each in edits:
        if each.identity in made or (each.after is None and _goes_along(each, gone)):
            continue
        if reason := UNWRITTEN.get(each.kind):
            left.append(Left(each.change, reason))
            continue
        try:
            found = list(WRITERS[each.kind](each))
        except Unwritten as unwritten:
            left.append(Left(each.change, str(unwritten)))
            continue
        if each.before is None:
            found += rights.of_new(each)
        statements += (statement for statement in found if statement.sql)
        made.update(fact for statement in found for fact in statement.facts)
    return Rendered(tuple(_by_object(statements)), tuple(left))


def _order_columns(edits: list[Edit]) -> None:
    """Sorts the columns of each table as the live table has them, in the places they have."""
    places = [number for number, each in enumerate(edits) if each.kind == "column"]
    ordered = sorted(
        (edits[number] for number in places),
        key=lambda each: (each.table, each.live.place(each.table, each.own), each.own),
    )
    for number, each in zip(places, ordered, strict=True):
        edits[number] = each


def _again(changes: Sequence[Change], around: Live) -> Iterator[Change]:
    """The views that are dropped and made again, as if they were new."""
    known = {change.identity for change in changes}
    views = dict.fromkeys(view for views in around.readers.values() for view in views)
    for view in views:
        if view in around.facts and view not in known:
            yield Change(view, None, around.facts[view])


_STAGES = (
    {Rank.VALUE},
    {Rank.UNHOOK},
    {Rank.SCHEMA},
    {Rank.TYPE, Rank.SEQUENCE},
    {Rank.ROUTINE},
    {Rank.TABLE, Rank.COLUMN, Rank.KEY, Rank.INDEX, Rank.ON_TABLE},
    {Rank.FOREIGN_KEY},  # it depends on a key that may be made again
    {Rank.VIEW},
    {Rank.DATABASE},
    {Rank.DROP},
    {Rank.RIGHTS, Rank.COLUMN_RIGHTS, Rank.COMMENT},
)
_MAKING = {Rank.TYPE, Rank.SEQUENCE, Rank.ROUTINE, Rank.TABLE, Rank.COLUMN, Rank.VIEW}
# These statements are placed with their table, view or function.
_WITH_OBJECT = {Rank.INDEX, Rank.ON_TABLE, Rank.RIGHTS, Rank.COLUMN_RIGHTS, Rank.COMMENT}


def _by_object(statements: Sequence[Statement]) -> list[Statement]:
    """The statements by stage; in each stage, those for one table, view or function together."""
    stages = {rank: number for number, ranks in enumerate(_STAGES) for rank in ranks}
    made: dict[str, int] = {}
    for statement in statements:
        if statement.rank in _MAKING:
            name = object_of(statement.facts[0])
            made[name] = max(made.get(name, 0), stages[statement.rank])

    def place(statement: Statement) -> tuple[int, str, bool, Rank]:
        name, own = object_of(statement.facts[0]), stages[statement.rank]
        follows = statement.rank in _WITH_OBJECT
        return made.get(name, own) if follows else own, name, follows, statement.rank

    return sorted(statements, key=place)


def _goes_along(each: Edit, gone: Collection[str]) -> bool:
    return any(host in gone for host in _hosts(each.identity) if host != each.identity)


def _hosts(identity: str) -> Iterator[str]:
    """Identities of the objects whose drop also drops the fact; it may be among them."""
    about = identities.about(identity) or identity
    kind, table = identities.kind(about), identities.relation(about)
    name = about.removeprefix(f"{kind} ")
    match kind:
        case "default privileges":
            yield f"schema {name.partition(' in schema ')[2].rpartition(' on ')[0]}"
            return
        case "publication table":
            yield f"publication {name.removesuffix(f' {table}')}"
        case "publication schema":
            publication, schema = publications.publication_and_schema(name)
            yield from (f"publication {publication}", f"schema {schema}")
    kinds = (*identities.RELATION_KINDS, "composite type", "domain")
    yield from (about, *(f"{each} {table}" for each in kinds))


# Definitions are printed, and compared, with every name in full.
_SETTINGS = """\
set local client_min_messages = warning; -- "does not exist, skipping" is not news
set local check_function_bodies = off; -- a body may name what is made below"""
_SEARCH_PATH = "set local search_path = ''; -- conditions compare names written in full"


def text(statements: Sequence[Statement], title: str) -> str:
    """The SQL file that holds the statements, in this order.

    title: what the file is, for the comment at its head.
    """
    head = textwrap.fill(title, 98, initial_indent="-- ", subsequent_indent="-- ")
    settings = [_SETTINGS]
    if any(compares(statement.sql) for statement in statements):
        settings.append(_SEARCH_PATH)
    blocks = [f"{head}\n--\n-- Safe to run again.", "\n".join(settings)]
    for statement in statements:
        blocks.append(_comments(statement) + plainly(statement.sql))
    return "\n\n".join(blocks) + "\n"


def _comments(statement: Statement) -> str:
    """Comments, each on one line: a line break in a name would end them."""
    lines = [statement.note] if statement.note else []
    lines += [f"Gives up {statement.loses}."] if statement.loses else []
    return "".join(f"-- {clean(' '.join(line.split()))}\n" for line in lines)
