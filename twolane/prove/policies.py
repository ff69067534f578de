"""The SQL file that gives users access to their rows of a table of the app. Pure."""

from __future__ import annotations

from difflib import get_close_matches

from twolane.errors import Failure
from twolane.prove import policy_text
from twolane.prove.policy_text import Surroundings, spellings
from twolane.prove.schema import ForeignKey, Relation, user_id
from twolane.sql import ident


def find(name: str, around: Surroundings) -> Relation:
    """The app's table of that name, with or without its schema and quotes.

    Raises:
        Failure: no table, or several tables, have the name, or lane A owns the table.
    """
    found = [t for t in around.schema.tables if t.exposed and name in spellings(t.name)]
    ours = [table for table in found if table.name in around.app]
    if len(ours) > 1:
        raise Failure(
            f"{name} may be {' or '.join(t.name for t in ours)}.", f"invoke db.rls {ours[0].name}"
        )
    if ours:
        return ours[0]
    if found:
        raise Failure(
            f"{found[0].name} is lane A's: an SQL file makes it, and its policies stand there.",
            "Edit its file in supabase/sql, then: invoke db.apply",
        )
    known = {spelled: table for table in around.app for spelled in spellings(table)}
    near = list(dict.fromkeys(known[n] for n in get_close_matches(name, known, 3)))
    raise Failure(
        f"The revisions make no table {name}"
        + (f"; near it: {', '.join(near)}." if near else ".")
        + ("" if around.app else " They make none at all."),
        f"invoke db.rls {near[0]}" if near else 'For a table in app.py: invoke db.gen -m "…"',
    )


def tenant(table: Relation, around: Surroundings, column: str | None, via: str | None) -> str:
    """The column that identifies the owner of a row.

    Raises:
        Failure: the table has no such column, or `via` is not a key to a table with a tenant.
    """
    if named := column or via:
        check_column(table, named, "--column" if column else "--via")
    if via:
        if not any(key.columns[0] == via for key in around.owners.links(table)):
            raise Failure(
                f"{table.name}.{via} refers to no table that has a tenant.",
                "Name a foreign key to one, or a column with the user's id: --column NAME",
            )
        return via
    own = column or around.owners.user_column(table)
    if own is None:
        links = [key.columns[0] for key in around.owners.links(table)]
        raise Failure(
            f"{table.name} has no tenant column {around.owners.column}, nor a key to auth.users.",
            f"Through its parent: invoke db.rls {table.name} --via {links[0]}"
            if links
            else "Add TenantOwned to its model, or name the column: --column NAME",
        )
    return own


def check_column(table: Relation, named: str, option: str) -> None:
    """Raises a `Failure` if the table has no such column."""
    if table.has(named):
        return
    names = [column.name for column in table.columns]
    near = get_close_matches(named, names, 1) or names[:1]
    raise Failure(
        f"{table.name} has no column {named}; it has {', '.join(names)}.",
        f"invoke db.rls {table.name} {option} {near[0]}",
    )


def render(table: Relation, around: Surroundings, column: str, read_only: bool) -> str:
    """The text of the file.

    Raises:
        Failure: the policies read a parent table that users may not read.
    """
    mine = is_mine(table, column, around)
    check = "\n  and ".join([mine, *_same_tenant(table, around, column)])
    policies = {"select": f"using ({mine})"}
    if not read_only:
        policies |= {
            "insert": f"with check (\n  {check}\n)",
            "update": f"using ({mine})\nwith check (\n  {check}\n)",
            "delete": f"using ({mine})",
        }
    doing = "sees" if read_only else "sees and changes"
    about = [f"each user {doing} their own rows, nobody else's."]
    return policy_text.of_table(table, around, about, [column], policies, "own")


def is_mine(table: Relation, column: str, around: Surroundings) -> str:
    """SQL: whether the current user owns a row; follows parents up to the tenant column.

    Raises:
        Failure: users may not read a parent.
    """
    return _is_mine(ident(column), table, column, around, table.short, 1)


def _is_mine(
    spelled: str, table: Relation, column: str, around: Surroundings, alias: str, depth: int
) -> str:
    """SQL: whether the current user owns a row; follows parents up to the tenant column."""
    key = next((k for k in around.owners.links(table) if k.columns[0] == column), None)
    if key is None or around.owners.user_column(table) == column:
        return f"{user_id(table.column(column))} = {spelled}"
    parent = _readable(key, table, around)
    inner = f"parent_{depth}" if depth > 1 else "parent"
    step = str(around.owners.tenant(parent))
    return (
        f"exists (\n    select 1 from {parent.name} as {inner}\n"
        f"    where {inner}.{ident(key.parent_columns[0])} = {alias}.{ident(column)}\n    and "
        f"{_is_mine(f'{inner}.{ident(step)}', parent, step, around, inner, depth + 1)}\n  )"
    )


def _readable(key: ForeignKey, table: Relation, around: Surroundings) -> Relation:
    parent = around.schema.relations[key.parent]
    if "r" not in parent.rights["authenticated"]:
        raise Failure(
            f"The policies of {table.name} would ask {parent.name}, which is closed to users.",
            f"invoke db.rls {parent.name}",
        )
    return parent


def _same_tenant(table: Relation, around: Surroundings, column: str) -> list[str]:
    """SQL conditions: the same user owns each parent of a row; for parents that users may read."""
    if around.owners.user_column(table) != column:
        return []
    alias, found = table.short, []
    for key in around.owners.links(table):
        parent = around.schema.relations[key.parent]
        own = around.owners.user_column(parent)
        if own is None or key.parent == table.name or "r" not in parent.rights["authenticated"]:
            continue
        refers = ident(key.columns[0])
        exists = (
            f"exists (\n    select 1 from {parent.name} as parent\n"
            f"    where parent.{ident(key.parent_columns[0])} = {alias}.{refers}\n"
            f"    and parent.{ident(own)} = {alias}.{ident(column)}\n  )"
        )
        optional = not table.column(key.columns[0]).required
        found.append(f"({refers} is null or {exists})" if optional else exists)
    return found
