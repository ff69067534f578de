"""The digest of a revision's code, the same on every Python. Pure.

A record in a database is older than the Python that compares it, so the digest stands on what the
syntax tree means: `ast.unparse` and `ast.dump` write one tree differently from version to version.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from hashlib import sha256

# Where a name is read or set follows from where it stands; of `u"…"` the letter means nothing.
_LEFT_OUT = {"ctx", "kind"}


def of(tree: ast.Module) -> str:
    """A hash of the code alone: formatting, import order and comments don't change it."""
    return sha256(_text(_code(tree)).encode()).hexdigest()


def as_recorded_before(tree: ast.Module) -> str:
    """The hash that twolane recorded once: of a text that not every Python writes alike."""
    return sha256(ast.unparse(_code(tree)).encode()).hexdigest()


def _code(tree: ast.Module) -> ast.Module:
    body = [
        node
        for node in tree.body
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    return ast.Module(body, [])


def _text(value: object) -> str:
    """The node's type and its fields by name, without empty ones: versions of Python add fields."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if not isinstance(value, ast.AST):
        return f"{type(value).__name__} {value!a}"
    is_value = isinstance(value, (ast.Constant, ast.MatchSingleton))
    fields = {name: getattr(value, name, None) for name in value._fields if name not in _LEFT_OUT}
    if isinstance(value, ast.JoinedStr):
        fields["values"] = list(_joined(value.values))
    parts = [
        f"{name}={_text(field)}"
        for name, field in sorted(fields.items())
        if is_value or (field is not None and field != [])
    ]
    return f"{type(value).__name__}({','.join(parts)})"


def _joined(values: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """The parts of an f-string: one constant between two values, and none that is empty."""
    between = ""
    for part in values:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            between += part.value
            continue
        if between:
            yield ast.Constant(between)
        between = ""
        yield part
    if between:
        yield ast.Constant(between)
