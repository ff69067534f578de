"""The words of single statements on the app's tables, from parts of facts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twolane.ddl.clauses import of_partitions_too
from twolane.ddl.columns import clause, identity_clause
from twolane.ddl.sequences import sequence_options
from twolane.ddl.statement import Parts
from twolane.ddl.tables_and_views import storage
from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot
from twolane.facts.identities import own_name
from twolane.sql import ident, literal

NOT_VALID = " NOT VALID"
_VARCHARS = re.compile(r"(ARRAY\[(?:(?:'(?:[^']|'')*'::character varying)(?:, )?)+\])\)::text\[\]")


# Quoted names and texts; what else a condition is made of.
_TOKENS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|(?<= )(?:AND|OR)(?= )""")


def reparsable(printed: str) -> str:
    """SQL that Postgres prints as it is given here.

    `varchar in ('a', 'b')` prints as `(ARRAY['a'::character varying, …])::text[]`. Read again,
    that casts each element, and prints otherwise; a cast of the array in between keeps it.
    `a between 1 and 9 and b` prints as `((… AND …) AND b)`. Read again, the first AND becomes part
    of the second (makeAndExpr in src/backend/parser/gram.y); a cast, which does nothing, keeps it.
    """
    words = _VARCHARS.sub(r"\1::character varying[])::text[]", printed)
    for end in sorted(_first_of_their_kind(words), reverse=True):
        words = f"{words[:end]}::boolean{words[end:]}"
    return words


def _first_of_their_kind(words: str) -> Iterator[int]:
    """Where a condition in parentheses ends that is the first of those which its own word joins."""
    joins: list[str] = [""]
    closed: dict[int, str] = {}
    for token in _TOKENS.finditer(words):
        match token[0]:
            case "(":
                joins.append("")
            case ")" if len(joins) > 1:
                closed[token.end()] = joins.pop()
            case "AND" | "OR" as word if not joins[-1]:
                joins[-1] = word
                if closed.get(token.start() - 1) == word:
                    yield token.start() - 1


def reparsable_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """A column's parts with its expressions as `reparsable` gives them."""
    texts = ("default", "generated")
    return {n: reparsable(v) if n in texts else v for n, v in parts.items()}


def ways(old: str, new: str, is_back: bool = False) -> list[str]:
    """How a column of the one type may become the other, `{0}::uuid`; the best comes first.

    A value alone becomes an array of one, an array its first element, and JSON what it is, where
    the text of each would be read as something else. is_back: whether that undoes such a step, so
    that an array of one is the value again, and the text of an array an array.
    """
    is_list, was_list = new.endswith("[]"), old.endswith("[]")
    found = ["", f"{{0}}::{new}"]
    if is_list and not was_list and old not in ("json", "jsonb"):
        found.insert(2 if is_back else 1, listed("{0}", new))
    if new in ("json", "jsonb"):
        found.append(f"to_{new}({{0}})")
    elif was_list and not is_list:
        found.insert(0 if is_back else 2, f"{{0}}[1]::{new}")
    return [*found, f"{{0}}::text::{new}"]


def listed(value: str, kind: str) -> str:
    """The value as an array of one; null stays null."""
    return f"case when {value} is not null then array[{value}]::{kind} end"


def create_table(table: str, columns: Iterable[str], facts: Snapshot) -> str:
    """`create table` from facts, for types that SQLAlchemy can't write; without foreign keys."""
    own = catalog.definition(facts[f"table {table}"])
    end = f" partition by {own['partition_by']}" if "partition_by" in own else ""
    end += storage(own)
    made = "create unlogged table" if own.get("unlogged") else "create table"
    if "bound" in own:
        return f"{made} {table} partition of {own['inherits'][0]} {own['bound']}{end}"
    lines = []
    for column in columns:
        parts = catalog.definition(facts[f"column {table}.{column}"])
        lines.append(clause(table, column, reparsable_parts(parts)))
    for identity, text in facts.items():
        if identities.kind(identity) == "constraint" and identities.relation(identity) == table:
            parts = catalog.definition(text)
            if parts["type"] != "foreign key":
                lines.append(f"constraint {own_name(identity)} {reparsable(parts['definition'])}")
    return f"{made} {table} ({', '.join(lines)}){end}"


def index(parts: Parts) -> str:
    """An index; of a partitioned table, with those of the partitions."""
    words = reparsable(parts["definition"])
    return words if parts.get("invalid") else of_partitions_too(words)


def sequence(identity: str, before: str | None, new: Parts) -> Iterator[str]:
    """The statement that makes a sequence, or what of it has changed; none for nothing."""
    old = catalog.definition(before) if before else {}
    steps = [f"as {new['type']}"] if old.get("type") != new["type"] else []
    steps += sequence_options(new, old)
    if not before or steps:
        yield " ".join(["alter" if before else "create", identity, *steps])


def identity_steps(table: str, column: str, old: Parts, new: Parts) -> Iterator[str]:
    """The steps of `alter column` that bring an identity about."""
    if "identity" not in new:
        return
    if "identity" not in old:
        yield f"add {identity_clause(new, table, column)}"
        return
    if old["identity"] != new["identity"]:
        yield f"set generated {new['identity']}"
    before, after = old["identity_options"], new["identity_options"]
    if changed := sequence_options(after, before):
        yield " ".join(f"set {option}" for option in changed)


NEXT = re.compile(r"^nextval\('(.*)'::regclass\)$")


def serial_sequence(identity: str, parts: Parts) -> str:
    """The sequence of a serial column, by the name that Postgres gives it; else nothing."""
    found = NEXT.match(parts.get("default") or "")
    name = found[1].replace("''", "'") if found else ""
    schema, table, column = map(
        identities.unquote, identities.split_name(identity.removeprefix("column "))
    )
    own = list(map(identities.unquote, identities.split_name(name))) if name else []
    return name if own == [schema, f"{table}_{column}_seq"] else ""


def owned_sequence(name: str, table: str, column: str, kind: str) -> Iterator[str]:
    """The statements that make the sequence of a serial column."""
    yield f"create sequence if not exists {name} as {kind}"
    yield f"alter sequence {name} owned by {table}.{column}"


def counted_on(table: str, column: str, options: Mapping[str, Any]) -> str:
    """Lets a new identity go on behind the rows that are there, which it would number again."""
    last, is_behind = ("max", ">=") if options["increment"] > 0 else ("min", "<=")
    found = f"pg_get_serial_sequence({literal(table)}, {literal(identities.unquote(column))})"
    return (
        f"select setval({found}, {last}({column})) from {table} "
        f"having {last}({column}) {is_behind} {options['start']}"
    )


def aside(kind: str, name: str) -> str:
    """The statement by which a type or domain makes room for one of its name."""
    return f"alter {kind} {name} rename to {identities.split_name(set_aside(name))[-1]}"


def set_aside(name: str) -> str:
    """The name that it has meanwhile."""
    schema, own = identities.split_name(name)
    return f"{schema}.{suffixed(own, '__old')}"


def suffixed(name: str, suffix: str) -> str:
    """The name, cut so that Postgres leaves the suffix: it takes 63 bytes (manual, 4.1.1)."""
    plain = identities.unquote(name).encode()[: 63 - len(suffix)].decode(errors="ignore")
    return ident(f"{plain}{suffix}")


def commented(about: str) -> str:
    """What a comment is on, as `comment on` names it."""
    kind = identities.kind(about)
    name = about.removeprefix(f"{kind} ")
    if kind == "constraint":
        return f"constraint {own_name(about)} on {identities.relation(about)}"
    if kind == "index":
        return f"index {identities.split_name(name)[0]}.{own_name(about)}"
    return f"{'type' if kind == 'enum' else kind} {name}"
