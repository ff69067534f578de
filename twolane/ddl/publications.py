"""Statements for publications, and for the tables and schemas in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.ddl.clauses import idents, unless_there, when
from twolane.ddl.statement import Edit, Rank, Statement
from twolane.facts import identities
from twolane.sql import literal


def publication(edit: Edit) -> Iterator[Statement]:
    drop = f"drop publication if exists {edit.name};"
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK)
        return
    new = edit.after
    events = ", ".join(e for e in ("insert", "update", "delete", "truncate") if new[e])
    held = [f"publish = '{events}'", f"publish_via_partition_root = {str(new['via_root']).lower()}"]
    if "generated_columns" in new or "generated_columns" in edit.old:
        stored = "stored" if "generated_columns" in new else "none"
        held.append(f"publish_generated_columns = {stored}")
    everything = " for all tables" if new["all_tables"] else ""
    create = f"create publication {edit.name}{everything} with ({', '.join(held)});"
    if edit.before is None:
        yield edit.write(unless_there(create), Rank.DATABASE)
    elif edit.differs("all_tables"):
        there = (
            "exists (select from pg_publication where "
            f"pubname = {literal(edit.plain)} and puballtables <> {str(new['all_tables']).lower()})"
        )
        yield edit.write(f"{when(there, drop)}\n{unless_there(create)}", Rank.DATABASE)
    else:
        sql = f"alter publication {edit.name} set ({', '.join(held)});"
        yield edit.write(sql, Rank.DATABASE)


def publication_table(edit: Edit) -> Iterator[Statement]:
    table = str(identities.relation(edit.identity))
    name = edit.name.removesuffix(f" {table}")
    there = (
        "exists (\n    select from pg_publication_rel join pg_publication p on p.oid = prpubid\n"
        f"    where pubname = {literal(identities.unquote(name))} "
        f"and prrelid = to_regclass({literal(table)})\n  )"
    )
    alter = f"alter publication {name}"
    drop = when(there, f"{alter} drop table {table};")
    if edit.after is None:
        yield edit.write(drop, Rank.UNHOOK)
        return
    columns = f" ({idents(edit.after['columns'])})" if "columns" in edit.after else ""
    rows = f" where ({edit.after['filter']})" if "filter" in edit.after else ""
    add = f"{alter} add table {table}{columns}{rows};"
    if edit.before is None:
        yield edit.write(when(f"not {there}", add), Rank.DATABASE)
    else:
        yield edit.write(f"{drop}\n{add}", Rank.DATABASE)


def publication_schema(edit: Edit) -> Iterator[Statement]:
    name, schema = publication_and_schema(edit.name)
    there = (
        "exists (select from pg_publication_namespace join pg_publication p on p.oid = pnpubid "
        f"where pubname = {literal(identities.unquote(name))} "
        f"and pnnspid = to_regnamespace({literal(schema)}))"
    )
    alter = f"alter publication {name}"
    if edit.after is None:
        yield edit.write(when(there, f"{alter} drop tables in schema {schema};"), Rank.UNHOOK)
    else:
        add = when(f"not {there}", f"{alter} add tables in schema {schema};")
        yield edit.write(add, Rank.DATABASE)


def publication_and_schema(name: str) -> tuple[str, str]:
    """The publication and the schema in `name`: quoted where necessary, with a space between."""
    first, _, second = name.rpartition(' "') if name.endswith('"') else name.rpartition(" ")
    return (first, f'"{second}') if name.endswith('"') else (first, second)
