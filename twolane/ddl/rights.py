"""Statements for grants, default privileges, comments and security labels. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from twolane.ddl.clauses import BY_DEFAULT, list_of, signature
from twolane.ddl.statement import Edit, Parts, Rank, Statement, Unwritten
from twolane.facts import catalog, identities
from twolane.facts.identities import RELATION_KINDS
from twolane.sql import literal

# The words of GRANT and COMMENT for a kind of fact, where they differ from the kind.
_GRANT_ON = {
    **dict.fromkeys(RELATION_KINDS, "table"),
    **dict.fromkeys(("enum", "domain", "composite type", "range type", "type"), "type"),
    "aggregate": "function",
    "server": "foreign server",
    "foreign-data wrapper": "foreign data wrapper",
}
_COMMENT_ON = {
    **dict.fromkeys(("enum", "composite type", "range type"), "type"),
    "foreign-data wrapper": "foreign data wrapper",
    "statistics object": "statistics",
}
# New objects of these kinds may be granted to others by default.
_GRANTED = (*RELATION_KINDS, "sequence", "function", "procedure", "aggregate")
_TYPES = ("enum", "domain", "composite type", "range type")


def of_new(edit: Edit) -> Iterator[Statement]:
    """Grants on a new object, whatever the database's default privileges are.

    Everybody may use a new type. Where the facts say the same, the statement is empty.
    """
    held = edit.live.grants_on(edit.identity)
    is_usual = list(held) == ["public"] and held["public"] == {"privileges": ["ALL"]}
    facts = [f"grant {edit.identity} to {role}" for role in held]
    if edit.kind in _TYPES and is_usual:
        yield edit.write("", Rank.RIGHTS, facts=facts)
    elif edit.kind in (*_GRANTED, *_TYPES):
        target = _target(edit.identity)
        owner = edit.live.owner_of(edit.identity)
        also = f", {owner}" if owner in held else ""
        lines = [f"revoke all on {target} from {BY_DEFAULT}{also};", *_granted(target, held)]
        yield edit.write("\n".join(lines), Rank.RIGHTS, facts=facts)


def _target(identity: str) -> str:
    """`table public.t`, `function public.f(integer)`, as GRANT has it."""
    kind = identities.kind(identity)
    name = signature(kind, identity.removeprefix(f"{kind} "))
    return f"{_GRANT_ON.get(kind, kind)} {name}"


def _granted(target: str, held: Mapping[str, Parts], columns: str = "") -> Iterator[str]:
    """`grant …`, one statement for all roles that hold the same privileges."""

    def same(role: str) -> str:
        return catalog.as_text(held[role])

    for _, group in groupby(sorted(held, key=same), same):
        roles = list(group)
        parts = held[roles[0]]
        everything, may_grant = list_of(parts, "privileges"), list_of(parts, "grant_option")
        plain = [p for p in everything if p not in may_grant]
        for privileges, option in ((plain, ""), (may_grant, " with grant option")):
            if privileges:
                words = ", ".join(f"{p.lower()}{columns}" for p in privileges)
                yield f"grant {words} on {target} to {', '.join(roles)}{option};"


def grant(edit: Edit) -> Iterator[Statement]:
    """Statements for one role's privileges on an object that exists already."""
    about = str(identities.about(edit.identity))
    role = edit.identity.removeprefix(f"grant {about} to ")
    if about.startswith("default privileges "):
        yield _default_privileges(edit, about, role)
        return
    if about.startswith("column "):
        table = str(identities.relation(about))
        kind, columns = edit.live.relation_kind(table), f" ({identities.split_name(about)[-1]})"
        target, rank = _target(f"{kind} {table}"), Rank.COLUMN_RIGHTS
        lines = [f"revoke all{columns} on {target} from {role};"]
    else:
        columns, target, rank = "", _target(about), Rank.RIGHTS
        lines = [f"revoke all on {target} from {role};"]
        if edit.after is None and role == edit.live.owner_of(about):
            lines = [f"grant all on {target} to {role};"]
        elif edit.after is None and edit.old.get("privileges") == []:
            lines = _given_back(about, target, role)
    if edit.after:
        lines += _granted(target, {role: edit.after}, columns)
    if not columns and identities.kind(about) in RELATION_KINDS:
        lines += _columns_again(edit, about, role)
    yield edit.write("\n".join(lines), rank)


def _given_back(about: str, target: str, role: str) -> list[str]:
    """What Postgres itself gives everybody, taken away before: on what an extension brought."""
    if role != "public" or identities.kind(about) in (*RELATION_KINDS, "sequence"):
        raise Unwritten("only the extension's script tells what it gave")
    return [f"grant all on {target} to public;"]


def _columns_again(edit: Edit, about: str, role: str) -> Iterator[str]:
    """Grants on a table's columns again: a revoke on the table revokes them, too."""
    name = about.removeprefix(f"{identities.kind(about)} ")
    for column in edit.live.parts_of(name, "column"):
        if parts := edit.live.parts(f"grant {column} to {role}"):
            own = f" ({identities.split_name(column)[-1]})"
            yield from _granted(_target(about), {role: parts}, own)


def default_privileges(edit: Edit) -> Iterator[Statement]:
    """The statement for an entry; facts about the entry hold what it grants."""
    yield _default_privileges(edit, edit.identity, None)


def _default_privileges(edit: Edit, entry: str, role: str | None) -> Statement:
    """The statement for a whole entry: who gets which privileges on the role's future objects.

    role: a grantee that may hold nothing any more.
    """
    head, _, what = entry.removeprefix("default privileges ").rpartition(" on ")
    alter = f"alter default privileges {head.replace('for ', 'for role ', 1)}"
    held = edit.live.grants_on(entry)
    facts = [f"grant {entry} to {role}" for role in held]
    if entry not in edit.live.facts:
        held = _built_in(head, what)
    roles = dict.fromkeys([*_built_in(head, what), *([role] if role else []), *held])
    lines = [f"{alter} revoke all on {what} from {each};" for each in roles]
    lines += [f"{alter} {words}" for words in _granted(what, held)]
    return edit.write("\n".join(lines), Rank.RIGHTS, facts=[entry, *facts])


def _built_in(head: str, what: str) -> dict[str, Parts]:
    """What Postgres grants by itself where a role has no entry for all schemas (manual, 5.8)."""
    if " in schema " in head:
        return {}
    everybody = {"functions": "EXECUTE", "types": "USAGE"}
    held: dict[str, Parts] = {head.removeprefix("for "): {"privileges": ["ALL"]}}
    if what in everybody:
        held["public"] = {"privileges": [everybody[what]]}
    return held


def comment(edit: Edit) -> Iterator[Statement]:
    words = literal(edit.after["text"]) if edit.after else "null"
    about = str(identities.about(edit.identity))
    yield edit.write(f"comment on {_commented(edit, about)} is {words};", Rank.COMMENT)


def label(edit: Edit) -> Iterator[Statement]:
    about = str(identities.about(edit.identity))
    provider = edit.identity.removeprefix(f"security label {about} for ")
    words = literal(edit.after["label"]) if edit.after else "null"
    sql = f"security label for {provider} on {_commented(edit, about)} is {words};"
    yield edit.write(sql, Rank.COMMENT)


def _commented(edit: Edit, about: str) -> str:
    """An object as COMMENT names it."""
    kind = identities.kind(about)
    name = about.removeprefix(f"{kind} ")
    if kind in ("constraint", "policy", "trigger", "rule"):
        table, own = str(identities.relation(about)), identities.split_name(name)[-1]
        domain = "domain " if edit.live.relation_kind(table) == "domain" else ""
        return f"{kind} {own} on {domain}{table}"
    if kind == "index":
        schema, _, own = identities.split_name(name)
        return f"index {schema}.{own}"
    if kind == "operator":
        left, _, arguments = name.rpartition("(")
        return f"operator {left} ({arguments}"
    return f"{_COMMENT_ON.get(kind, kind)} {signature(kind, name)}"
