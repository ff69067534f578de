"""Policies in words. Pure."""

from __future__ import annotations

import re
from typing import Any

_ROLES = {
    "authenticated": "signed-in users",
    "anon": "visitors who are not signed in",
    "public": "every role",
    "service_role": "the server (service_role)",
}
_DOES = {
    "select": "see",
    "insert": "add",
    "update": "change",
    "delete": "delete",
    "all": "see, add, change and delete",
}
_UID = r"\(*\s*(?:SELECT )?auth\.uid\(\)(?: AS uid)?\s*\)*"
_NAME = r'\(*((?:\w+\.)*(?:\w+|"[^"]+"))\)*'
_OWN = (re.compile(rf"^\(?{_UID} = {_NAME}\)?$"), re.compile(rf"^\(?{_NAME} = {_UID}\)?$"))


def policy(parts: dict[str, Any]) -> str:
    """`Signed-in users may see rows whose user_id is their own.`"""
    who = " and ".join(_ROLES.get(role, f"the role {role}") for role in parts["to"])
    using, check = parts.get("using"), parts.get("check")
    may = "may only" if parts.get("restrictive") else "may"
    told = f"{who} {may} {_DOES[parts['for']]} {_rows(using if using is not None else check)}"
    if using is not None and check is not None and check != using:
        told += f"; the new row must be one of: {_rows(check)}"
    return f"{told[0].upper()}{told[1:]}."


def _rows(expression: str | None) -> str:
    if expression is None or expression == "true":
        return "all rows"
    if expression == "false":
        return "no rows"
    for form in _OWN:
        if found := form.match(expression):
            return f"rows whose {found[1]} is their own id"
    parts = _conjuncts(expression)
    for form in _OWN:
        if parts and (found := form.match(parts[0])):
            return (
                f"rows whose {found[1]} is their own id, and that meet: {' and '.join(parts[1:])}"
            )
    return f"rows that meet: {expression}"


def _conjuncts(expression: str) -> list[str]:
    """The sides of an AND at the top, as Postgres prints it: `((a) AND (b))`."""
    inner = expression[1:-1] if expression.startswith("(") and expression.endswith(")") else ""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            return []
        if depth == 0 and inner.startswith(" AND ", position):
            parts.append(inner[start:position])
            start = position + 5
    return [*parts, inner[start:]] if parts else []
