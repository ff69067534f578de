"""The SQL that closes what an attempt got through, to begin from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twolane.facts import identities
from twolane.prove.attempts import Attempt
from twolane.prove.causes import DATABASE
from twolane.prove.owners import Owners
from twolane.prove.schema import Relation, user_id
from twolane.sql import ident

_COMMANDS = {"select": "select", "delete": "delete", "insert": "insert"}


def closing(attempt: Attempt, owners: Owners, platform: Mapping[str, Callable[[bool], str]]) -> str:
    """A policy, or a right to take away, that refuses the attempt; '' if none is known.

    platform: table of the platform → SQL: whether a user may read a row, or write it.
    """
    if attempt.object == DATABASE:
        return "\n".join(
            f"revoke truncate on all tables in schema {name} from public, anon, authenticated;\n"
            f"alter default privileges in schema {name}"
            " revoke truncate on tables from anon, authenticated;"
            for name in _schemas(owners)
        )
    if attempt.object in platform:
        condition = platform[attempt.object](attempt.operation == "select")
        command = _COMMANDS.get(attempt.operation, "update")
        return _restrictive(command, attempt.object, condition)
    relation = owners.schema.relations.get(attempt.object)
    roles = "anon, authenticated"
    if relation is None:
        function = next((f for f in owners.schema.functions if f.signature == attempt.object), None)
        word = "procedure" if function and function.is_procedure else "function"
        if function and function.is_definer:
            return f"alter {word} {attempt.object} security invoker;"
        return f"revoke execute on {word} {attempt.object} from public, {roles};"
    if attempt.operation == "truncate":
        return f"revoke truncate on table {relation.name} from public, {roles};"
    if relation.kind == "view":
        return f"alter view {relation.name} set (security_invoker = true);"
    if not relation.is_table or relation.kind == "foreign table":
        return f"revoke all on table {relation.name} from public, {roles};"
    return _policy(attempt, relation, owners)


def _schemas(owners: Owners) -> list[str]:
    """The schemas with a table that may be truncated."""
    names = [
        identities.split_name(table.name)[0]
        for table in owners.schema.tables
        if table.exposed and any("t" in rights for rights in table.rights.values())
    ]
    return list(dict.fromkeys(names))


def _policy(attempt: Attempt, table: Relation, owners: Owners) -> str:
    condition = _is_mine(table, owners)
    enable = "" if table.has_rls else f"alter table {table.name} enable row level security;\n"
    if not condition:
        return enable
    command = _COMMANDS.get(attempt.operation, "all")
    return enable + _restrictive(command, table.name, condition)


def _restrictive(command: str, table: str, condition: str) -> str:
    word = "with check" if command == "insert" else "using"
    return (
        f"create policy only_own_{command} on {table} as restrictive for {command}\n"
        f"to anon, authenticated {word} ({condition});"
    )


def _is_mine(table: Relation, owners: Owners) -> str:
    """SQL: whether a row is the current user's, or their organization's; '' if unknown."""
    column = owners.tenant(table)
    if own := owners.own(table):
        return f"{user_id(table.column(own))} = {ident(own)}"
    for member in owners.members.values():
        mine = f"select m.{ident(member.column)} from {member.table} as m"
        mine += f" where m.{ident(member.user)} = (select auth.uid())"
        if member.key.parent == table.name:
            return f"{ident(member.key.parent_columns[0])} in ({mine})"
        refers = any(
            key.columns[0] == column and key.parent == member.key.parent
            for key in table.foreign_keys
        )
        if refers and member.table != table.name:
            return f"{ident(str(column))} in ({mine})"
    key = next((k for k in table.foreign_keys if list(k.columns) == [column]), None)
    if key is None or column is None:
        return ""
    return f"{ident(column)} in (select {ident(key.parent_columns[0])} from {key.parent})"
