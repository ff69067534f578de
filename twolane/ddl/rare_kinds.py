"""Statements for the kinds that are seldom made. Pure.

They are event triggers, casts, operators, collations, text search and foreign servers. None of
them holds rows. A changed object is dropped and made again; Postgres refuses that while
other objects depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twolane.ddl.clauses import list_of, operator, routine, unless_there
from twolane.ddl.statement import Edit, Parts, Rank, Statement, Unwritten
from twolane.facts import identities
from twolane.sql import ident, literal

_SECRET = "its options may be secrets, and stand as digests"


def _remade(edit: Edit, drop: str, create: str, rank: Rank = Rank.ROUTINE) -> Statement:
    if edit.after is None:
        return edit.write(drop, Rank.DROP)
    if edit.before is None:
        return edit.write(unless_there(create), rank)
    return edit.write(f"{drop}\n{create}", rank)


def event_trigger(edit: Edit) -> Iterator[Statement]:
    drop = f"drop event trigger if exists {edit.name};"
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK)
        return
    new = edit.after
    tags = ", ".join(map(literal, list_of(new, "tags")))
    tags = f" when tag in ({tags})" if tags else ""
    steps = []
    if edit.differs("event", "function", "tags"):
        create = f"create event trigger {edit.name} on {new['event']}{tags}"
        steps += [drop, f"{create}\nexecute function {routine(new['function'])}();"]
    if "enabled" in new or not steps:
        words = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}
        steps.append(
            f"alter event trigger {edit.name} {words.get(new.get('enabled', ''), 'enable')};"
        )
    yield edit.write("\n".join(steps), Rank.DATABASE)


def cast(edit: Edit) -> Iterator[Statement]:
    drop = f"drop cast if exists {edit.name};"
    yield _remade(edit, drop, f"create cast {edit.name} {_method(edit.new)};" if edit.after else "")


def _method(new: Parts) -> str:
    context = {"i": " as implicit", "a": " as assignment", "e": ""}[new["context"]]
    if new["method"] == "f":
        return f"with function {new['function']}{context}"
    return f"{'with inout' if new['method'] == 'i' else 'without function'}{context}"


def operator_itself(edit: Edit) -> Iterator[Statement]:
    name, _, arguments = edit.name.removesuffix(")").rpartition("(")
    left, right = arguments.split(",")
    drop = f"drop operator if exists {name} ({left}, {right});"
    new = edit.new
    parts = [f"function = {routine(new['function'])}"] if edit.after else []
    for word, side in (("leftarg", left), ("rightarg", right)):
        parts += [f"{word} = {side}"] if side != "NONE" else []
    for part in ("commutator", "negator"):
        parts += [f"{part} = {operator(new[part])}"] if part in new else []
    for part in ("restrict", "join"):
        parts += [f"{part} = {routine(new[part])}"] if part in new else []
    parts += [part for part in ("hashes", "merges") if new.get(part)]
    yield _remade(edit, drop, f"create operator {name} ({', '.join(parts)});")


def collation(edit: Edit) -> Iterator[Statement]:
    new = edit.new
    provider = {"i": "icu", "b": "builtin", "c": "libc"}.get(new.get("provider", ""), "libc")
    parts = {
        "provider": provider,
        "locale": _quoted(new.get("locale")),
        "lc_collate": _quoted(new.get("collate")),
        "lc_ctype": _quoted(new.get("ctype")),
        "deterministic": "false" if new.get("deterministic") is False else None,
        "rules": _quoted(new.get("rules")),
    }
    inside = ", ".join(f"{name} = {value}" for name, value in parts.items() if value)
    drop = f"drop collation if exists {edit.name};"
    yield _remade(edit, drop, f"create collation {edit.name} ({inside});", Rank.TYPE)


def _quoted(text: str | None) -> str | None:
    return None if text is None else literal(text)


def text_search_dictionary(edit: Edit) -> Iterator[Statement]:
    parts = [f"template = {edit.new.get('template')}"]
    parts += [edit.new["options"]] if "options" in edit.new else []
    target = f"text search dictionary {edit.name}"
    create = f"create {target} ({', '.join(parts)});"
    if edit.before and edit.after and not edit.differs("template"):
        yield edit.write(_dictionary_options(target, edit.old, edit.new), Rank.TYPE)
    else:
        drop = f"drop text search dictionary if exists {edit.name};"
        yield _remade(edit, drop, create, Rank.TYPE)


def _dictionary_options(target: str, old: Parts, new: Parts) -> str:
    """`alter … (a = 'b', c)`: an option without a value is removed."""
    given = str(new.get("options", ""))
    names = re.findall(r'("(?:[^"]|"")*"|\w+) = ', str(old.get("options", "")))
    gone = [name for name in names if f"{name} = " not in given]
    return f"alter {target} ({', '.join([*([given] if given else []), *gone])});"


def text_search_configuration(edit: Edit) -> Iterator[Statement]:
    target = f"text search configuration {edit.name}"
    drop = f"drop text search configuration if exists {edit.name};"
    if edit.after is None:
        yield edit.write(drop, Rank.DROP)
        return
    parser = edit.after["parser"]
    if not parser.endswith('."default"'):
        raise Unwritten("its parser, a superuser's, alone can name the types of tokens")
    old = {} if edit.differs("parser") else _mappings(edit.old)
    new = _mappings(edit.after)
    create = unless_there(f"create {target} (parser = {parser});")
    steps = [create] if edit.differs("parser") else []
    steps = [drop, *steps] if steps and edit.before else steps
    for number in sorted(old | new):
        if old.get(number) != new.get(number):
            token = _TOKENS[number - 1]
            steps.append(f"alter {target} drop mapping if exists for {token};")
            if number in new:
                words = ", ".join(new[number])
                steps.append(f"alter {target} add mapping for {token} with {words};")
    yield edit.write("\n".join(steps), Rank.TYPE)


def _mappings(parts: Parts) -> dict[int, list[str]]:
    """Number of a token's type → its dictionaries, in the order in which Postgres asks them."""
    found: dict[int, list[str]] = {}
    for number, dictionary in list_of(parts, "mappings"):
        found.setdefault(number, []).append(dictionary)
    return found


# The default parser's types of tokens, by number: src/backend/tsearch/wparser_def.c.
_TOKENS = (
    "asciiword", "word", "numword", "email", "url", "host", "sfloat", "version", "hword_numpart",
    "hword_part", "hword_asciipart", "blank", "tag", "protocol", "numhword", "asciihword", "hword",
    "url_path", "file", "float", "int", "uint", "entity",
)  # fmt: skip


def server(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop server if exists {edit.name};", Rank.DROP)
        return
    new = edit.after
    if edit.differs("options"):
        raise Unwritten(_SECRET)
    version = f" version {literal(new['version'])}" if "version" in new else ""
    kind = f" type {literal(new['type'])}" if "type" in new else ""
    create = f"{edit.name}{kind}{version} foreign data wrapper {ident(new['wrapper'])};"
    if edit.before is None:
        yield edit.write(f"create server if not exists {create}", Rank.SCHEMA)
    elif edit.differs("type", "wrapper"):
        if "options" in new:
            raise Unwritten(_SECRET)
        yield edit.write(f"drop server if exists {edit.name};\ncreate server {create}", Rank.SCHEMA)
    else:
        yield edit.write(f"alter server {edit.name}{version or ' version null'};", Rank.SCHEMA)


def wrapper(edit: Edit) -> Iterator[Statement]:
    target = f"foreign data wrapper {edit.name}"
    if edit.after is None:
        yield edit.write(f"drop foreign data wrapper if exists {edit.name};", Rank.DROP)
        return
    if edit.differs("options"):
        raise Unwritten(_SECRET)
    parts = []
    for part in ("handler", "validator"):
        if part in edit.after:
            parts.append(f"{part} {routine(edit.after[part])}")
        elif part in edit.old:
            parts.append(f"no {part}")
    words = " ".join(["", *parts])
    if edit.before is None:
        yield edit.write(unless_there(f"create {target}{words};"), Rank.SCHEMA)
    else:
        yield edit.write(f"alter {target}{words};", Rank.ROUTINE)


def user_mapping(edit: Edit) -> Iterator[Statement]:
    role, _, name = edit.name.partition(" on server ")
    words = f"for {role if role == 'public' else ident(identities.unquote(role))} server {name};"
    if edit.after is None:
        yield edit.write(f"drop user mapping if exists {words}", Rank.UNHOOK)
        return
    yield edit.write(
        "-- Its options are no facts: set them by hand, they may hold a password.\n"
        f"create user mapping if not exists {words}",
        Rank.DATABASE,
    )
