"""Statements for parts of tables: constraints, indexes, triggers, rules, policies. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.ddl.clauses import (
    differs_from,
    idents,
    is_of_one_table,
    list_of,
    of_partitions_too,
    set_options,
    when,
)
from twolane.ddl.statement import Edit, Parts, Rank, Statement, Unwritten
from twolane.ddl.tables_and_views import tablespace
from twolane.facts import identities
from twolane.sql import literal


def constraint(edit: Edit) -> Iterator[Statement]:
    is_domain = edit.live.relation_kind(edit.table) == "domain"
    kind = edit.live.relation_kind(edit.table)
    alter = f"alter {'domain' if is_domain else kind} {edit.table}"
    drop = f"{alter} drop constraint if exists {edit.own};"
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK, otherwise="\n".join(_of_index(edit, "index_")))
        return
    if edit.differs("triggers"):
        raise Unwritten("only a superuser switches off the triggers of a key")
    new = edit.after
    rank = Rank.FOREIGN_KEY if new["type"] == "foreign key" else Rank.KEY
    place = "contypid" if is_domain else "conrelid"
    cast = "regtype" if is_domain else "regclass"
    where = f"{place} = {literal(edit.table)}::{cast} and conname = {literal(edit.plain)}"
    add = f"{alter} add constraint {edit.own} {new['definition']};"
    steps = []
    if edit.before is None:
        steps.append(
            when(f"not exists (\n    select from pg_constraint\n    where {where}\n  )", add)
        )
        if _is_inherited(edit):  # not valid yet, as its parent's, where it came with that
            unproven = f"exists (\n    select from pg_constraint\n    where {where}\n"
            unproven += "    and not convalidated\n  )"
            steps.append(when(unproven, f"{alter} validate constraint {edit.own};"))
    elif edit.old["definition"] == f"{new['definition']} NOT VALID":
        steps.append(f"{alter} validate constraint {edit.own};")
    elif edit.differs("definition", "type"):
        words = f"(select pg_get_constraintdef(oid) from pg_constraint\n    where {where})"
        steps.append(when(differs_from(edit, words, "definition"), drop, add))
    steps += _of_index(edit, "index_")
    if steps:
        yield edit.write("\n".join(steps), rank)


def _is_inherited(edit: Edit) -> bool:
    """Whether the table may have a valid check from a parent whose own is not valid."""
    is_valid = not str(edit.new["definition"]).endswith(" NOT VALID")
    return is_valid and "inherits" in edit.live.parts(f"table {edit.table}")


def index(edit: Edit) -> Iterator[Statement]:
    name = f"{_schema(edit)}.{edit.own}"
    if edit.after is None:
        drop = f"drop index if exists {name};"
        yield edit.write(drop, Rank.UNHOOK, otherwise="\n".join(_of_index(edit, "")))
        return
    words = str(edit.after["definition"])
    if not edit.after.get("invalid"):  # of a partitioned table, and on all partitions
        words = of_partitions_too(words)
    elif not is_of_one_table(words):
        raise Unwritten("it is unfinished: drop it, or build it again with reindex")
    create = words.replace(" INDEX ", " INDEX IF NOT EXISTS ", 1) + ";"
    steps = []
    if edit.before is None:
        steps.append(create)
    elif edit.differs("definition"):
        printed = f"pg_get_indexdef(to_regclass({literal(name)}))"
        is_other = differs_from(edit, printed, "definition")
        steps += [when(is_other, f"drop index if exists {name};"), create]
    elif edit.old.get("invalid") and not edit.after.get("invalid"):
        valid = f"(select indisvalid from pg_index where indexrelid = to_regclass({literal(name)}))"
        steps += [when(f"not {valid}", f"drop index {name};"), create]
    steps += _of_index(edit, "")
    if steps:
        yield edit.write("\n".join(steps), Rank.INDEX)


def _of_index(edit: Edit, prefix: str) -> Iterator[str]:
    """Statements for an index's other properties; a key's index has the key's name."""
    name = f"{_schema(edit)}.{edit.own}"
    old, new = edit.old, edit.new
    table = f"{edit.live.relation_kind(edit.table)} {edit.table}"
    if prefix:
        yield from set_options(
            f"index {name}", list_of(old, "index_options"), list_of(new, "index_options")
        )
    if edit.differs(f"{prefix}tablespace"):
        yield tablespace(f"index {name}", name, new)
    before = dict(list_of(old, f"{prefix}statistics"))
    after = dict(list_of(new, f"{prefix}statistics"))
    for number in before | after:
        if before.get(number) != after.get(number):
            target = after.get(number, -1)
            yield f"alter index {name} alter column {number} set statistics {target};"
    if edit.differs("clustered"):
        how = f"cluster on {edit.own}" if new.get("clustered") else "set without cluster"
        yield f"alter {table} {how};"
    if edit.differs("replica_identity"):
        how = f"using index {edit.own}" if new.get("replica_identity") else "default"
        yield f"alter {table} replica identity {how};"


def trigger(edit: Edit) -> Iterator[Statement]:
    drop = f"drop trigger if exists {edit.own} on {edit.table};"
    if edit.after is None:
        as_parents = f"alter table {edit.table} enable trigger {edit.own};"
        yield edit.write(drop, Rank.UNHOOK, otherwise=as_parents if _is_parents(edit) else "")
        return
    if "arguments" in edit.after and edit.differs("arguments", "definition"):
        raise Unwritten("what a webhook is given may be a secret, and stands as a digest")
    words = str(edit.after["definition"])
    steps = []
    if edit.differs("definition") and not _is_parents(edit):
        if words.startswith("CREATE TRIGGER ") and not _is_constraint(edit.old):
            steps.append(f"CREATE OR REPLACE {words.removeprefix('CREATE ')};")
        else:
            steps += [drop, f"{words};"]
    if edit.differs("enabled"):
        steps.append(f"alter table {edit.table} {_enable(edit.after)} trigger {edit.own};")
    yield edit.write("\n".join(steps), Rank.ON_TABLE)


def _is_constraint(parts: Parts) -> bool:
    return str(parts.get("definition", "")).startswith("CREATE CONSTRAINT ")


def _is_parents(edit: Edit) -> bool:
    """Whether a partition has the trigger from its parent."""
    parts = edit.live.parts(f"table {edit.table}")
    parents = list_of(parts, "inherits") if "bound" in parts else []
    return any(f"trigger {parent}.{edit.own}" in edit.live.facts for parent in parents)


def _enable(parts: Parts) -> str:
    words = {"disabled": "disable", "replica": "enable replica", "always": "enable always"}
    return words.get(parts.get("enabled", ""), "enable")


def rule(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop rule if exists {edit.own} on {edit.table};", Rank.UNHOOK)
        return
    steps = []
    if edit.differs("definition"):
        words = str(edit.after["definition"]).removeprefix("CREATE ")
        steps.append(f"CREATE OR REPLACE {words}")
    if edit.differs("enabled"):
        steps.append(f"alter table {edit.table} {_enable(edit.after)} rule {edit.own};")
    yield edit.write("\n".join(steps), Rank.ON_TABLE)


def policy(edit: Edit) -> Iterator[Statement]:
    drop = f"drop policy if exists {edit.own} on {edit.table};"
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK)
        return
    new = edit.after
    lines = [f"create policy {edit.own} on {edit.table}"]
    lines += ["as restrictive"] if new.get("restrictive") else []
    lines += [f"for {new['for']} to {idents(new['to'])}"]
    lines += [f"using ({new['using']})"] if "using" in new else []
    lines += [f"with check ({new['check']})"] if "check" in new else []
    yield edit.write("\n".join([drop, *lines]) + ";", Rank.ON_TABLE)


def rls(edit: Edit) -> Iterator[Statement]:
    alter = f"alter table {edit.name}"
    steps = []
    if bool(edit.old.get("enabled")) != bool(edit.new.get("enabled")):
        steps.append(
            f"{alter} {'enable' if edit.new.get('enabled') else 'disable'} row level security;"
        )
    if bool(edit.old.get("forced")) != bool(edit.new.get("forced")):
        forced = "force" if edit.new.get("forced") else "no force"
        steps.append(f"{alter} {forced} row level security;")
    yield edit.write("\n".join(steps), Rank.ON_TABLE)


def statistics(edit: Edit) -> Iterator[Statement]:
    drop = f"drop statistics if exists {edit.name};"
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK)
        return
    words = str(edit.after["definition"])
    create = words.replace("CREATE STATISTICS ", "CREATE STATISTICS IF NOT EXISTS ", 1) + ";"
    steps = []
    if edit.before is None:
        steps.append(create)
    elif edit.differs("definition"):
        schema, own = identities.split_name(edit.name)
        printed = (
            "(select pg_get_statisticsobjdef(oid) from pg_statistic_ext "
            f"where stxnamespace = {literal(schema)}::regnamespace "
            f"and stxname = {literal(identities.unquote(own))})"
        )
        steps += [when(differs_from(edit, printed, "definition"), drop), create]
    if edit.differs("target"):
        steps.append(f"alter statistics {edit.name} set statistics {edit.new.get('target', -1)};")
    yield edit.write("\n".join(steps), Rank.ON_TABLE)


def _schema(edit: Edit) -> str:
    return identities.split_name(edit.table)[0]
