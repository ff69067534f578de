"""Statements for tables, foreign tables, views and materialized views. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from twolane.ddl.clauses import (
    differs_from,
    foreign_options,
    list_of,
    options,
    set_options,
    texts,
    unlike,
    when,
)
from twolane.ddl.columns import clause, extras
from twolane.ddl.statement import Edit, Parts, Rank, Statement, Unwritten
from twolane.facts import identities
from twolane.sql import ident, literal, runnable

# A constraint with only these parts goes inside `create table`; the others follow separately.
_INLINE = {"type", "columns", "definition"}


def table(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        sql = f"drop {edit.kind} if exists {edit.name};"
        lost = "" if edit.kind == "foreign table" else f"table {edit.name} with its rows"
        yield edit.write(sql, Rank.DROP, loses=lost)
    elif edit.before is None:
        yield _new_table(edit)
    elif edit.differs("server"):
        again = _new_table(edit)
        server = (
            "(select srvname from pg_foreign_table join pg_foreign_server s on s.oid = ftserver "
            f"where ftrelid = to_regclass({literal(edit.name)}))"
        )
        drop = when(
            unlike(server, literal(edit.new["server"])),
            f"drop foreign table if exists {edit.name};",
        )
        yield edit.write(f"{drop}\n{again.sql}", Rank.TABLE, facts=again.facts[1:])
    else:
        steps = list(_changed_table(edit))
        yield edit.write("\n".join(steps), Rank.COLUMN)


def _new_table(edit: Edit) -> Statement:
    """Whatever else Postgres refuses of it is left to statements of its own."""
    inside, bare, facts, more = _inside(edit)
    is_set = "replica_identity" in edit.new and edit.kind == "table"
    replica = [_replica_identity(edit)] if is_set else []
    whole = "\n".join([_create(edit, inside), *more, *replica])
    alone = _create(edit, bare)
    return edit.write(whole, Rank.TABLE, "" if alone == whole else alone, facts=facts)


def _create(edit: Edit, inside: str) -> str:
    """The statement that makes the table. inside: the lines between the brackets."""
    parts, name = edit.new, edit.name
    bound, parents = parts.get("bound"), list_of(parts, "inherits")
    head = f"create {_unlogged(parts)}{edit.kind} if not exists {name}"
    if "of_type" in parts:
        head += f" of {parts['of_type']}"
    elif bound:
        head += f" partition of {parents[0]} {bound}"
    else:
        head += f" (\n{inside}\n)" if inside else " ()"
        head += f" inherits ({', '.join(parents)})" if parents else ""
    if "partition_by" in parts:
        head += f" partition by {parts['partition_by']}"
    if "server" in parts:
        head += f" server {ident(parts['server'])}"
        outside = foreign_options([], list_of(parts, "server_options")).replace("add ", "")
        head += f" options ({outside})" if outside else ""
    return head + storage(parts) + ";"


def _unlogged(parts: Parts) -> str:
    return "unlogged " if parts.get("unlogged") else ""


def storage(parts: Parts) -> str:
    """`using … with (…) tablespace …`."""
    held = [options(list_of(parts, "options"))] if parts.get("options") else []
    held += [options(list_of(parts, "toast_options"), "toast.")] if "toast_options" in parts else []
    words = f" using {ident(parts['access_method'])}" if "access_method" in parts else ""
    words += f" with ({', '.join(held)})" if held else ""
    words += f" tablespace {ident(parts['tablespace'])}" if "tablespace" in parts else ""
    return words


# Of a column that Postgres refuses as it is: a server may lack the function, or ICU.
_LATER = ("default", "collation")


def _inside(edit: Edit) -> tuple[str, str, list[str], list[str]]:
    """The lines between the brackets, those of bare columns, the facts that the first make, and
    statements for the rest."""
    if edit.new.keys() & {"of_type", "bound"}:
        return "", "", [], []
    constraints = {
        identity: parts
        for identity, parts in edit.live.parts_of(edit.name, "constraint").items()
        if parts.keys() <= _INLINE and parts["type"] != "foreign key"
        if not parts["definition"].endswith(" NOT VALID")
    }
    key = [c for p in constraints.values() if p["type"] == "primary key" for c in p["columns"]]
    columns = {
        identity: parts
        for identity, parts in edit.live.parts_of(edit.name, "column").items()
        if not parts.get("inherited") or parts.get("declared_here")
    }

    def place(identity: str) -> tuple[int, bool, int, bool, str]:
        name = _last(identity)
        plain = identities.unquote(name)
        in_key = key.index(plain) if plain in key else 0
        known = edit.live.place(edit.name, name)
        return known, plain not in key, in_key, name.endswith("_at"), name

    ordered = sorted(columns, key=place)
    lines = [f"  {clause(edit.name, _last(identity), columns[identity])}" for identity in ordered]
    without = {
        i: {name: part for name, part in columns[i].items() if name not in _LATER} for i in ordered
    }
    bare = [f"  {clause(edit.name, _last(i), parts)}" for i, parts in without.items()]
    lines += [f"  constraint {_last(i)} {p['definition']}" for i, p in constraints.items()]
    more = [s for i in ordered for s in extras(edit.name, _last(i), columns[i], {}, edit.kind)]
    return ",\n".join(lines), ",\n".join(bare), [*ordered, *constraints], more


def _last(identity: str) -> str:
    return identities.split_name(identity.partition(" ")[2])[-1]


def _changed_table(edit: Edit) -> Iterator[str]:
    """Statements for a table that stays."""
    if edit.differs("partition_by"):
        raise Unwritten("Postgres can't partition a table otherwise")
    old, new, name = edit.old, edit.new, edit.name
    alter, at = f"alter {edit.kind} {name}", f"where oid = {literal(name)}::regclass"
    if edit.differs("bound"):
        yield _bound(edit)
    elif edit.differs("inherits"):
        yield _parents(edit)
    if edit.differs("of_type"):
        of_type = f"of {new['of_type']}" if "of_type" in new else "not of"
        held = f"(select nullif(reloftype, 0)::regtype::text from pg_class {at})"
        wanted = literal(new["of_type"]) if "of_type" in new else "null"
        yield when(unlike(held, wanted), f"{alter} {of_type};")
    if edit.differs("unlogged"):
        want, letter = ("unlogged", "u") if new.get("unlogged") else ("logged", "p")
        held = f"(select relpersistence from pg_class {at})"
        yield when(f"{held} <> '{letter}'", f"{alter} set {want};")
    yield from _storage_changes(edit)
    if edit.differs("replica_identity") and edit.kind == "table":
        yield _replica_identity(edit)
    change = foreign_options(list_of(old, "server_options"), list_of(new, "server_options"))
    if change:
        held = (
            'array(select unnest(ftoptions) collate "C" from pg_foreign_table '
            f"where ftrelid = {literal(name)}::regclass order by 1)"
        )
        wanted = texts(list_of(new, "server_options"))
        yield when(unlike(held, wanted), f"{alter} options ({change});")


def tablespace(target: str, relation: str, parts: Parts) -> str:
    """SQL that moves a table, view or index from another tablespace; Postgres copies the data."""
    name = parts.get("tablespace", parts.get("index_tablespace", "pg_default"))
    held = (
        "(select coalesce(spcname, 'pg_default') from pg_class c "
        "left join pg_tablespace s on s.oid = reltablespace "
        f"where c.oid = {literal(relation)}::regclass)"
    )
    return when(f"{held} <> {literal(name)}", f"alter {target} set tablespace {ident(name)};")


def _replica_identity(edit: Edit) -> str:
    wanted = edit.new.get("replica_identity", "default")
    return f"alter table {edit.name} replica identity {wanted};"


def _bound(edit: Edit) -> str:
    """SQL that detaches a partition and attaches it again; its rows are read, none is moved."""
    at = f"where oid = {literal(edit.name)}::regclass"
    held = f"(select pg_get_expr(relpartbound, oid) from pg_class {at})"
    steps = []
    if "bound" in edit.old:
        parent = edit.old["inherits"][0]
        steps.append(f"alter table {parent} detach partition {edit.name};")
    if "bound" in edit.new:
        parent = edit.new["inherits"][0]
        steps.append(f"alter table {parent} attach partition {edit.name} {edit.new['bound']};")
    wanted = literal(edit.new["bound"]) if "bound" in edit.new else "null"
    return when(unlike(held, wanted), *steps)


def _parents(edit: Edit) -> str:
    """SQL that changes a table's parents, which Postgres keeps in the order they were added in.

    It leaves alone the parents that keep their places.
    """
    old, new = list_of(edit.old, "inherits"), list_of(edit.new, "inherits")
    rest = iter(old)
    kept = list(takewhile(lambda parent: parent in rest, new))
    held = (
        "array(select inhparent::regclass::text from pg_inherits "
        f"where inhrelid = {literal(edit.name)}::regclass order by inhseqno)"
    )
    gone = [parent for parent in old if parent not in kept]
    steps = [f"alter table {edit.name} no inherit {parent};" for parent in gone]
    steps += [f"alter table {edit.name} inherit {parent};" for parent in new[len(kept) :]]
    return when(unlike(held, texts(new)), *steps)


def view(edit: Edit) -> Iterator[Statement]:
    target = f"view {edit.name}"
    if edit.after is None:
        yield edit.write(f"drop view if exists {edit.name};", Rank.UNHOOK)
        return
    if edit.before and not edit.differs("definition"):
        steps = set_options(target, list_of(edit.old, "options"), list_of(edit.new, "options"))
        yield edit.write("\n".join(steps), Rank.VIEW)
        return
    held = list_of(edit.new, "options")
    words = str(edit.new["definition"])
    inside = f" with ({options(held)})" if held else ""
    create = f"create or replace view {edit.name}{inside} as\n{runnable(words)}"
    printed = f"pg_get_viewdef(to_regclass({literal(edit.name)}))"
    # `or replace` can't drop, change or rename columns; only a new view can have these.
    drop = when(differs_from(edit, printed, "definition"), f"drop view if exists {edit.name};")
    yield edit.write(create, Rank.VIEW, otherwise=f"{drop}\n{create}" if edit.before else "")


def materialized_view(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop materialized view if exists {edit.name};", Rank.UNHOOK)
        return
    words = runnable(str(edit.new["definition"]).rstrip(";"))
    create = f"create materialized view if not exists {edit.name}{storage(edit.new)} as\n{words};"
    if edit.before is None:
        yield edit.write(create, Rank.VIEW)
    elif edit.differs("definition"):
        printed = f"pg_get_viewdef(to_regclass({literal(edit.name)}))"
        is_other = differs_from(edit, printed, "definition")
        drop = when(is_other, f"drop materialized view if exists {edit.name};")
        yield edit.write(f"{drop}\n{create}", Rank.VIEW)
    else:
        yield edit.write("\n".join(_storage_changes(edit)), Rank.VIEW)


def _storage_changes(edit: Edit) -> Iterator[str]:
    """Options, access method and tablespace of a table or materialized view."""
    target = f"{edit.kind} {edit.name}"
    for part, prefix in (("options", ""), ("toast_options", "toast.")):
        yield from set_options(target, list_of(edit.old, part), list_of(edit.new, part), prefix)
    if edit.differs("access_method"):
        method = edit.new.get("access_method", "heap")
        held = (
            "(select amname from pg_am a join pg_class c on a.oid = relam "
            f"where c.oid = {literal(edit.name)}::regclass)"
        )
        is_other = f"{held} <> {literal(method)}"
        yield when(is_other, f"alter {target} set access method {ident(method)};")
    if edit.differs("tablespace"):
        yield tablespace(target, edit.name, edit.new)
