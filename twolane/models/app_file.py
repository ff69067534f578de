"""The text of `app.py`, edited: classes come in and go, the rest stays as it was. Pure."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twolane.models.app_class import AppClasses
from twolane.models.types import DATABASE_TYPE, IMPORTS

MIRROR = ".introspected"
_BASE = ("AppBase", "AuthUsers")


class Unfit(Exception):
    """The file can't be edited so; the message says why."""


@dataclass(frozen=True)
class _Import:
    """One name that an import statement binds. name: None for the module itself."""

    module: str
    name: str | None
    bound: str


def tables(text: str) -> Mapping[str, str]:
    """Table, as `schema.name` without quotes → the class that has it."""
    return {table: node.name for table, node in _classes(ast.parse(text))}


def _classes(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (name := _assigned(node, "__tablename__")):
            yield f"{_schema(node)}.{_string(name)}", node


def _assigned(node: ast.ClassDef, target: str) -> ast.expr | None:
    for each in node.body:
        if isinstance(each, (ast.Assign, ast.AnnAssign)):
            names = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(isinstance(name, ast.Name) and name.id == target for name in names):
                return each.value
    return None


def _string(node: ast.AST | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _schema(node: ast.ClassDef) -> str:
    arguments = _assigned(node, "__table_args__")
    options = arguments.elts[-1] if isinstance(arguments, ast.Tuple) else arguments
    if isinstance(options, ast.Dict):
        for key, value in zip(options.keys, options.values, strict=True):
            if _string(key) == "schema":
                return _string(value)
    return "public"


def with_classes(text: str, made: AppClasses) -> str:
    """The text with more classes, below its imports; what they need is imported.

    Raises:
        Unfit: the file has one of the classes' names for something else.
    """
    text = _without_imports(text, set(made.names.values()), MIRROR)
    tree = ast.parse(text)
    known = {each.bound: each for each in _imports(tree)}
    own = _defined(tree)
    for name in (*made.classes, *made.constants):
        if name in known or name in own:
            raise Unfit(f"app.py has the name {name} already, for something else")
    wanted = list(_wanted(made))
    aliases = {
        each.bound: f"{each.bound}_"
        for each in wanted
        if each.bound in own or known.get(each.bound, each) != each
    }
    imports = [
        _statement(each, aliases.get(each.bound, each.bound))
        for each in wanted
        if known.get(each.bound) != each
    ]
    blocks = [DATABASE_TYPE] if "DatabaseType" in made.needs - own else []
    blocks += ["\n\n".join(made.constants.values())] if made.constants else []
    blocks += made.classes.values()
    return _inserted(text, tree, imports, [_renamed(block, aliases) for block in blocks])


def _wanted(made: AppClasses) -> Iterator[_Import]:
    """The imports that the classes need, in isort's order."""
    for section in IMPORTS:
        for statement, names in section:
            _, module, *rest = statement.split()
            if rest == ["import"] and module != ".base":
                yield from (_Import(module, n, n) for n in names if n in made.needs)
            elif rest[:1] == ["as"] and rest[1] in made.needs:
                yield _Import(module, None, rest[1])
    yield from (_Import(".base", name, name) for name in _BASE if name in made.needs)
    yield from (_Import(MIRROR, name, name) for name in sorted(made.mirrored))


def _statement(each: _Import, alias: str) -> str:
    renamed = f" as {alias}" if alias != each.name else ""
    if each.name is None:
        return f"import {each.module}{renamed}"
    return f"from {each.module} import {each.name}{renamed}"


def _imports(tree: ast.Module) -> Iterator[_Import]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (_Import(a.name, None, a.asname or a.name) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (_Import(_module(node), a.name, a.asname or a.name) for a in node.names)


def _module(node: ast.ImportFrom) -> str:
    """The module, as `.introspected` however it is spelled."""
    module = "." * node.level + (node.module or "")
    found = re.search(r"\.db\.schema\.(introspected|base)$", module)
    return f".{found[1]}" if found else module


def _defined(tree: ast.Module) -> set[str]:
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            found |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return found


def _renamed(text: str, aliases: Mapping[str, str]) -> str:
    """The text with these names replaced, where they are names of the module."""
    if not aliases:
        return text
    lines = text.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for before, token in reversed(list(zip([None, *tokens], tokens, strict=False))):
        is_attribute = before is not None and before.string == "."
        if token.type == tokenize.NAME and token.string in aliases and not is_attribute:
            row, start = token.start
            line, end = lines[row - 1], start + len(token.string)
            lines[row - 1] = line[:start] + aliases[token.string] + line[end:]
    return "".join(lines)


def _inserted(text: str, tree: ast.Module, imports: Sequence[str], blocks: Sequence[str]) -> str:
    """The text with imports and blocks below the imports that it has."""
    lines = text.splitlines()
    head = _head(tree)
    end = max((node.end_lineno or 0 for node in head), default=0)
    has_imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in head)
    gap = [] if has_imports or not head else [""]
    rest = lines[end:]
    while rest and not rest[0].strip():
        rest.pop(0)
    body = "\n\n\n".join(blocks).splitlines()
    new = [*lines[:end], *gap, *imports, "", "", *body, *(["", "", *rest] if rest else [])]
    return "\n".join(new) + "\n"


def _head(tree: ast.Module) -> list[ast.stmt]:
    """The docstring and the imports at the top, also those for type checkers alone."""
    found: list[ast.stmt] = []
    for place, node in enumerate(tree.body):
        is_docstring = place == 0 and isinstance(node, ast.Expr)
        if not is_docstring and not isinstance(node, (ast.Import, ast.ImportFrom, ast.If)):
            break
        found.append(node)
    return found


def _without_imports(text: str, names: Collection[str], module: str | None = None) -> str:
    """The text whose import statements no longer bind these names (of one module, or of any)."""
    lines = text.splitlines()
    for node in reversed(ast.parse(text).body):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if module and (isinstance(node, ast.Import) or _module(node) != module):
            continue
        kept = [a for a in node.names if (a.name if module else a.asname or a.name) not in names]
        if len(kept) == len(node.names):
            continue
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        node.names = kept
        lines[start:end] = _import_lines(node) if kept else []
    return "\n".join(lines) + "\n"


def _import_lines(node: ast.Import | ast.ImportFrom) -> list[str]:
    flat = ast.unparse(node)
    if len(flat) <= 100 or isinstance(node, ast.Import):
        return [flat]
    head = flat.partition(" import ")[0]
    return [f"{head} import (", *(f"    {ast.unparse(each)}," for each in node.names), ")"]


def without_tables(text: str, gone: Mapping[str, str]) -> str:
    """The text without the classes of these tables, and without enums and imports that they alone
    used.

    gone: table, `schema.name` without quotes → the class that `introspected.py` has for it. Code
    that names a class which goes gets it from there.

    Raises:
        Unfit: other code names it in a string, which means a class of `app.py`.
    """
    tree = ast.parse(text)
    nodes = {table: node for table, node in _classes(tree) if table in gone}
    rest = ast.Module([node for node in tree.body if node not in nodes.values()], [])
    if found := list(_named_in_strings(rest, {t: node.name for t, node in nodes.items()})):
        raise Unfit(f"other code of app.py needs it: {'; '.join(found)}")
    named = _names(nodes.values())
    enums = [node for node in tree.body if _enum(node) in named]
    enums = [e for e in enums if _enum(e) not in _names(n for n in rest.body if n is not e)]
    used = _names(node for node in rest.body if node not in enums)
    freed = (named | _names(enums)) - used
    lines = text.splitlines()
    for node in sorted([*nodes.values(), *enums], key=lambda node: -node.lineno):
        start, end = _extent(lines, node)
        lines[start:end] = []
    text = "\n".join(lines).rstrip("\n") + "\n"
    text = _without_imports(text, freed)
    needed = [
        _statement(_Import(MIRROR, gone[table], node.name), node.name)
        for table, node in nodes.items()
        if node.name in used
    ]
    return _inserted(text, ast.parse(text), needed, ()) if needed else text


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {each.id for n in nodes for each in ast.walk(n) if isinstance(each, ast.Name)}


def _enum(node: ast.stmt) -> str:
    """The name of a constant that is an enum, as `db.own` writes it; or empty."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="ENUM"))
        ):
            return name
    return ""


def _extent(lines: Sequence[str], node: ast.stmt) -> tuple[int, int]:
    """The class with its decorators, the comment directly above, and the blank lines below."""
    decorators = node.decorator_list if isinstance(node, ast.ClassDef) else []
    start = min([node.lineno, *(each.lineno for each in decorators)]) - 1
    while start and lines[start - 1].startswith("#"):
        start -= 1
    end = node.end_lineno or node.lineno
    while end < len(lines) and not lines[end].strip():
        end += 1
    return start, end


_IS_TEXT = ("comment", "doc", "name", "default", "server_default")
"""Arguments whose string is a text, whatever it says."""


def _named_in_strings(rest: ast.Module, classes: Mapping[str, str]) -> Iterator[str]:
    texts = {
        id(node.value)
        for node in ast.walk(rest)
        if isinstance(node, ast.keyword) and node.arg in _IS_TEXT
    }
    for node in ast.walk(rest):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in texts and any(_means(node.value, *pair) for pair in classes.items()):
            yield f"line {node.lineno} names {node.value!r}"


def _means(value: str, table: str, name: str) -> bool:
    """Whether a string is code that names the class, or a column of its table, as a key does."""
    names = "|".join(map(re.escape, (table.removeprefix("public."), table)))
    if re.match(rf"(?:{names})\.(?:c\.)?\w+(?![\w.])", value):
        return True
    try:
        return name in value and name in _names([ast.parse(value, mode="eval")])
    except (SyntaxError, ValueError):
        return False
