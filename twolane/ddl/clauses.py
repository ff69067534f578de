"""SQL fragments for the modules that write statements: guards, options, quoting. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from twolane.ddl.statement import Edit, Parts, Unwritten
from twolane.facts import catalog
from twolane.sql import ident, literal

# The roles to which Supabase's default privileges may grant something on a new object.
BY_DEFAULT = "public, anon, authenticated, service_role"
# What is there already, by Postgres's word for it; of text search the catalog's index says it.
_THERE = "duplicate_object or duplicate_function or unique_violation"


def unlike(printed: str, words: str) -> str:
    """A condition: what Postgres prints differs from `words`, both with an empty search path."""
    return f"{printed} is distinct from {words}"


def differs_from(edit: Edit, printed: str, part: str, prefix: str = "") -> str:
    """A condition: what Postgres prints is the part in none of its forms; see `Live.second`."""
    again = catalog.definition(edit.live.second.get(edit.identity, "{}"))
    forms = dict.fromkeys([str(edit.new[part]), str(again.get(part, edit.new[part]))])
    return "\n    and ".join(unlike(printed, literal(prefix + form)) for form in forms)


def compares(statement: str) -> bool:
    """Whether the statement contains a condition from `unlike`."""
    return " is distinct from " in statement


_ONLY = re.compile(r'(CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")*"|[^\s"]+) ON )ONLY ')


def is_of_one_table(index: str) -> bool:
    """Whether the definition of an index leaves out the partitions of its table."""
    return bool(_ONLY.match(index))


def of_partitions_too(index: str) -> str:
    """The definition of an index on a table and on all of its partitions."""
    return _ONLY.sub(r"\1", index, count=1) if is_of_one_table(index) else index


def when(condition: str, *statements: str) -> str:
    """A block that runs the statements where the condition holds.

    Only the first line of each is indented: the others may belong to a literal.
    """
    body = "\n".join(f"    {statement}" for statement in statements)
    tag = dollar(body)
    return f"do {tag}\nbegin\n  if {condition} then\n{body}\n  end if;\nend {tag};"


def unless_there(create: str) -> str:
    """A block that runs a `create` without `if not exists`, and ignores that the object exists."""
    tag = dollar(create)
    return f"do {tag}\nbegin\n  {create}\nexception\n  when {_THERE} then null;\nend {tag};"


def dollar(text: str) -> str:
    """A dollar quote that the text does not contain."""
    tags = ("$$", "$do$", *(f"$do_{number}$" for number in range(len(text))))
    return next(tag for tag in tags if tag not in text)


def texts(values: Sequence[str]) -> str:
    """An array of texts."""
    return f"array[{', '.join(map(literal, values))}]::text[]"


def idents(names: Sequence[str]) -> str:
    return ", ".join(map(ident, names))


def options(values: Sequence[str], prefix: str = "") -> str:
    """Storage options, `name=value` each, for `with (…)` and `set (…)`."""
    pairs = (value.partition("=") for value in values)
    return ", ".join(f"{prefix}{name} = {literal(value)}" for name, _, value in pairs)


def set_options(target: str, old: Sequence[str], new: Sequence[str], prefix: str = "") -> list[str]:
    """Statements that change storage options: `ALTER … target SET (…)` and `RESET (…)`."""
    kept = {value.partition("=")[0] for value in new}
    gone = [name for name in (v.partition("=")[0] for v in old) if name not in kept]
    found = [value for value in new if value not in old]
    return [
        *([f"alter {target} set ({options(found, prefix)});"] if found else []),
        *([f"alter {target} reset ({', '.join(prefix + g for g in gone)});"] if gone else []),
    ]


def foreign_options(old: Sequence[str], new: Sequence[str]) -> str:
    """The changes from old to new options of a foreign table or column: `add a '1', drop b`.

    Raises:
        Unwritten: one of them may be a secret, and stands as a digest.
    """
    if any(value.partition("=")[2].startswith("sha256:") for value in new):
        raise Unwritten("its options may be secrets, and stand as digests")
    before = {name: value for name, _, value in (each.partition("=") for each in old)}
    after = {name: value for name, _, value in (each.partition("=") for each in new)}
    steps = [f"drop {ident(name)}" for name in before if name not in after]
    steps += [
        f"{'set' if name in before else 'add'} {ident(name)} {literal(value)}"
        for name, value in after.items()
        if before.get(name) != value
    ]
    return ", ".join(steps)


def list_of(parts: Parts, name: str) -> list[Any]:
    return list(parts.get(name) or [])


def signature(kind: str, name: str) -> str:
    """A routine's name where a statement names it.

    Types alone may mean a procedure's input arguments or all of them, and two procedures then have
    "a name that is not unique"; a mode says which (`LookupFuncWithArgs` in parse_func.c).
    """
    if kind != "procedure" or name.endswith("()"):
        return name
    bare = routine(name)
    arguments = name.removeprefix(bare)[1:-1]
    return f"{bare}(" + re.sub(r'((?:"[^"]*"|[^",])+)(, )?', r"in \1\2", arguments) + ")"


def routine(signature: str) -> str:
    """The name in `public.f(integer)`."""
    found = re.match(r'(?:"[^"]*"|[^"(])*', signature)
    return found[0] if found else signature


def operator(signature: str) -> str:
    """`<(integer,integer)` → `operator(pg_catalog.<)`, the same under every search path."""
    name = signature[: signature.rindex("(")]
    has_schema = re.match(r'(?:"[^"]*"|\w+)\.', name)
    return f"operator({'' if has_schema else 'pg_catalog.'}{name})"
