"""The calls that take the place of statements that supautils raises, one by one. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from twolane.sql import literal, quoted

_PLATFORM = ("auth", "realtime", "storage")
# `supautils.reserved_roles` of Supabase.
RESERVED = frozenset(
    {
        "anon",
        "authenticated",
        "authenticator",
        "dashboard_user",
        "pgbouncer",
        "service_role",
        "supabase_admin",
        "supabase_auth_admin",
        "supabase_read_only_user",
        "supabase_realtime_admin",
        "supabase_replication_admin",
        "supabase_storage_admin",
    }
)


def call(node: Any, text: str, major: int) -> str | None:
    """The SQL in place of a statement, or None where it runs as it is.

    major: the server's version; before 16 roles are made by a call, too.
    """
    rewrite = _REWRITES.get(type(node).__name__)
    if major < 16:
        rewrite = _OLDER.get(type(node).__name__, rewrite)
    return rewrite(node, text) if rewrite else None


def _function(name: str, *arguments: str) -> str:
    return f"select supabase_stand_in.{name}({', '.join(arguments)})"


def _text(value: str | None) -> str:
    return "null" if value is None else literal(value)


def _texts(values: Iterable[str]) -> str:
    return f"array[{', '.join(map(literal, values))}]::pg_catalog.text[]"


def _flag(value: object) -> str:
    return "true" if value else "false"


def _options(definitions: Any) -> dict[str, Any]:
    return {each.defname: each.arg for each in definitions or ()}


def _value(node: Any) -> str:
    """A definition's value as text; a word is a TypeName to the parser."""
    if hasattr(node, "names"):
        return ".".join(part.sval for part in node.names)
    for kind in ("sval", "ival", "fval"):
        if hasattr(node, kind):
            return str(getattr(node, kind))
    return str(getattr(node, "boolval", True)).lower()


def _json(definitions: Any) -> str:
    found = {each.defname: _value(each.arg) for each in definitions or ()}
    return literal(json.dumps(found)) if found else "null"


def _create_extension(node: Any, _: str) -> str:
    options = _options(node.options)
    schema = options["schema"].sval if "schema" in options else None
    version = _value(options["new_version"]) if "new_version" in options else None
    return _function(
        "create_extension",
        literal(node.extname),
        _flag(node.if_not_exists),
        _text(schema),
        "pg_catalog.current_schema()::pg_catalog.text",
        _text(version),
        _flag("cascade" in options),
    )


def _update_extension(node: Any, _: str) -> str:
    options = _options(node.options)
    version = _value(options["new_version"]) if "new_version" in options else None
    return _function("alter_extension", literal(node.extname), _text(version), "null", "true")


def _move_extension(node: Any, _: str) -> str | None:
    if node.objectType.name != "OBJECT_EXTENSION":
        return None
    name, schema = literal(node.object.sval), literal(node.newschema)
    return _function("alter_extension", name, "null", schema, "false")


def _create_event_trigger(node: Any, _: str) -> str:
    tags = [tag.sval for each in node.whenclause or () for tag in each.arg]
    function = literal(f"{quoted(part.sval for part in node.funcname)}()")
    return _function(
        "create_event_trigger",
        literal(node.trigname),
        literal(node.eventname),
        _texts(tags) if tags else "null",
        f"{function}::pg_catalog.regprocedure",
    )


def _create_wrapper(node: Any, _: str) -> str:
    named = {each.defname: each.arg for each in node.func_options or ()}

    def function(kind: str) -> str:
        if not named.get(kind):
            return "null"
        name = quoted(part.sval for part in named[kind])
        return f"{literal(name)}::pg_catalog.regproc"

    return _function(
        "create_wrapper",
        literal(node.fdwname),
        function("handler"),
        function("validator"),
        _json(node.options),
    )


def _create_publication(node: Any, text: str) -> str | None:
    if node.for_all_tables:
        return _function("publish_all", literal(node.pubname), _json(node.options))
    return _with_schemas(node, text, "add")


def _alter_publication(node: Any, text: str) -> str | None:
    if node.action.name == "AP_DropObjects":
        return None
    return _with_schemas(node, text, "set" if node.action.name == "AP_SetObjects" else "add")


def _with_schemas(node: Any, text: str, how: str) -> str | None:
    """The statement without its schemas, and a call that adds them: only a superuser adds those."""
    from pglast.stream import RawStream

    objects = node.pubobjects or ()
    schemas = [each for each in objects if "SCHEMA" in each.pubobjtype.name]
    if not schemas:
        return None
    names = ", ".join(
        literal(each.name) if each.name else "pg_catalog.current_schema()" for each in schemas
    )
    tables = tuple(each for each in objects if each not in schemas)
    call = _function(
        "publish_schemas",
        literal(node.pubname),
        literal("add" if tables else how),
        f"array[{names}]::pg_catalog.text[]",
    )
    if not tables and type(node).__name__ == "AlterPublicationStmt":
        return call
    others = copy(node)
    others.pubobjects = tables or None
    return f"{RawStream()(others)}; {call}"


def _policy(node: Any, text: str) -> str | None:
    return _lent(node.table.schemaname, node.table.relname, text)


def _lent(schema: str | None, name: str, text: str) -> str | None:
    if schema not in _PLATFORM:
        return None
    table = f"{literal(quoted([schema, name]))}::pg_catalog.regclass"
    lend, take_back = _function("lend", table), _function("take_back", table)
    return f"{lend}; {text}\n; {take_back}"


def _drop(node: Any, text: str) -> str | None:
    kind = node.removeType.name
    if kind not in ("OBJECT_POLICY", "OBJECT_TRIGGER"):
        return None
    *table, name = [part.sval for part in node.objects[0]]
    if len(table) != 2 or table[0] not in _PLATFORM:
        return None
    if kind == "OBJECT_POLICY":
        return _lent(table[0], table[1], text)
    return _function(
        "drop_trigger",
        f"{literal(quoted(table))}::pg_catalog.regclass",
        literal(name),
        _flag(node.missing_ok),
        _flag(node.behavior.name == "DROP_CASCADE"),
    )


def _alter_role(node: Any, _: str) -> str | None:
    return _refused(node.role.rolename)


def _drop_role(node: Any, _: str) -> str | None:
    return next((_refused(role.rolename) for role in node.roles if _refused(role.rolename)), None)


_SWITCHES = {
    "bypassrls": "bypassrls",
    "canlogin": "login",
    "createdb": "createdb",
    "createrole": "createrole",
    "inherit": "inherit",
    "isreplication": "replication",
    "superuser": "superuser",
}


def _create_role(node: Any, _: str) -> str | None:
    """None where it does more than switch attributes and set a password."""
    options = _options(node.options)
    secret = options.pop("password", None)
    if options.keys() - _SWITCHES.keys():
        return None
    if node.stmt_type.name == "ROLESTMT_USER" and "canlogin" not in options:
        attributes = ["login"]
    else:
        attributes = []
    attributes += [f"{'' if on.boolval else 'no'}{_SWITCHES[name]}" for name, on in options.items()]
    return _function(
        "create_role",
        literal(node.role),
        _texts(attributes),
        _text(secret.sval if secret else None),
    )


def _drop_roles(node: Any, text: str) -> str | None:
    if refused := _drop_role(node, text):
        return refused
    there = _flag(node.missing_ok)
    return "; ".join(
        _function("drop_role", literal(role.rolename or ""), there) for role in node.roles
    )


def _rename(node: Any, _: str) -> str | None:
    return _refused(node.subname) if node.renameType.name == "OBJECT_ROLE" else None


def _refused(role: str | None) -> str | None:
    if role not in RESERVED:
        return None
    said = f'"{role}" is a reserved role, only superusers can modify it'
    return _function("refuse", literal(said), "null")


_REWRITES: dict[str, Callable[[Any, str], str | None]] = {
    "CreateExtensionStmt": _create_extension,
    "AlterExtensionStmt": _update_extension,
    "AlterObjectSchemaStmt": _move_extension,
    "CreateEventTrigStmt": _create_event_trigger,
    "CreateFdwStmt": _create_wrapper,
    "CreatePublicationStmt": _create_publication,
    "AlterPublicationStmt": _alter_publication,
    "CreatePolicyStmt": _policy,
    "AlterPolicyStmt": _policy,
    "DropStmt": _drop,
    "AlterRoleStmt": _alter_role,
    "DropRoleStmt": _drop_role,
    "RenameStmt": _rename,
}
_OLDER: dict[str, Callable[[Any, str], str | None]] = {
    "CreateRoleStmt": _create_role,
    "DropRoleStmt": _drop_roles,
}
