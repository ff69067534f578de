"""What `[tool.twolane]` in pyproject.toml may hold, and how each setting of it is read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from twolane.errors import Failure
from twolane.text import meant

LOCAL = "local"
DEFAULT = "default"
SEVERAL = ","
_WILDCARDS = "*?["  # the wildcards of the module `fnmatch`


@dataclass(frozen=True)
class Target:
    """A database by name. `variable` holds its URL; None is the embedded server."""

    name: str
    variable: str | None
    protected: bool = False


@dataclass(frozen=True)
class Prove:
    """Settings that `db.prove` can't find out by itself: `[tool.twolane.prove]`.

    shared: objects that everybody may read. tenants: table → the column that names a row's tenant.
    rows: table → column → an SQL expression for new rows.
    """

    shared: Sequence[str] = ()
    tenants: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def is_many(name: str | None) -> TypeGuard[str]:
    """Whether `--target` has several names or a pattern; `targets.select` resolves them."""
    return bool(name) and "://" not in str(name) and bool({*str(name)} & {SEVERAL, *_WILDCARDS})


@dataclass(frozen=True)
class Unread:
    """A key that nothing reads, misspelt perhaps. table: as pyproject.toml has it."""

    table: str
    key: str
    known: Sequence[str]

    @property
    def message(self) -> str:
        return f"[{self.table}] has `{self.key}`, which nothing reads."


Settings = dict[str, Any]
# It reads one setting: its value, the tables around it ("prove." or ""), its key.
Reader = Callable[[Any, str, str], Any]


def read(table: object, root: Path) -> Settings:
    """The fields of `Config` that the table `[tool.twolane]` of the service in `root` gives.

    Raises:
        Failure: a setting is missing, or is not what it must be.
    """
    try:
        given = _table(table, "", "tool.twolane")
        found = _read({"package": None, "postgres": 18, "targets": {}} | given, SETTINGS)
    except TypeError as error:
        raise Failure(
            f"pyproject.toml, [tool.twolane]: {error.args[0]}",
            f"{''.join(error.args[1:])}Compare it with the guide's example: settings.md",
        ) from error
    if isinstance(found["postgres"], Path):
        found["postgres"] = root / found["postgres"]
    return {**found.pop("check", {}), **found, "unread": tuple(_unread(given))}


def _unread(table: Settings) -> Iterator[Unread]:
    """The keys of the tables that take any key, as far as nothing reads them."""
    tables = {
        "tool.twolane": (table, SETTINGS),
        "tool.twolane.check": (table.get("check", {}), OF_CHECK),
    }
    for name, (keys, known) in tables.items():
        for key in sorted(keys.keys() - known.keys()):
            yield Unread(name, key, tuple(known))


def _read(table: Mapping[str, Any], readers: Mapping[str, Reader], where: str = "") -> Settings:
    """The table's settings that have a reader, by key."""
    return {key: reader(table[key], where, key) for key, reader in readers.items() if key in table}


def _read_all(table: Mapping[str, Any], readers: Mapping[str, Reader], where: str) -> Settings:
    """The table's settings; a key that has no reader is an error."""
    if unknown := table.keys() - readers.keys():
        key = min(unknown)
        told = f"`{where}{key}` is no setting: {', '.join(readers)} are"
        raise TypeError(told, meant(key, readers))
    return _read(table, readers, where)


def _text(value: object, where: str, key: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{key}` must be a string")
    return value


def _texts(value: object, where: str, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError(f"`{where}{key}` must be a list of strings")
    return tuple(value)


def _patterns(value: object, where: str, key: str) -> tuple[str, ...]:
    """One pattern or a list of them."""
    return _texts([value] if isinstance(value, str) else value, where, key)


def _flag(value: object, where: str, key: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"`{where}{key}` must be true or false, without quotes")
    return value


def _table(value: object, where: str, key: str) -> Settings:
    if not isinstance(value, dict):
        raise TypeError(f"`{where}{key}` must be a table")
    return value


def _tables(value: object, where: str, key: str) -> Mapping[str, Mapping[str, str]]:
    tables = _table(value, where, key)
    return {name: _expressions(tables[name], f"{where}{key}.", name) for name in tables}


def _expressions(value: object, where: str, key: str) -> Mapping[str, str]:
    """A table of strings; a key with a dot in it must be quoted, or TOML splits it in two."""
    return {name: _text(text, "", name) for name, text in _table(value, where, key).items()}


def _postgres(value: object, where: str, key: str) -> int | Path:
    if isinstance(value, int) and value in (16, 17, 18):
        return value
    if isinstance(value, str):
        return Path(value).expanduser()
    raise TypeError(
        "`postgres` must be 16, 17 or 18 (embedded), or the path of a Postgres `bin` folder"
    )


def _targets(value: object, where: str, key: str) -> Mapping[str, Target]:
    targets = {LOCAL: Target(LOCAL, None), DEFAULT: Target(DEFAULT, "DATABASE_URL")}
    for name, table in _table(value, where, key).items():
        if name == LOCAL:
            raise TypeError("the target `local` is always the embedded server")
        if is_many(name) or name != name.strip() or not name:
            raise TypeError(f"`targets.{name}`: a name has no commas, wildcards or outer spaces")
        told = {"env": None} | _table(table, "targets.", name)
        found = _read_all(told, OF_TARGET, f"targets.{name}.")
        targets[name] = Target(name, found["env"], found.get("protected", False))
    return targets


def _check(value: object, where: str, key: str) -> Settings:
    return _read(_table(value, where, key), OF_CHECK, "check.")


def _prove(value: object, where: str, key: str) -> Prove:
    return Prove(**_read_all(_table(value, where, key), OF_PROVE, "prove."))


# Each setting and its reader, by table. No other is read: of those in the first two tables,
# `db.doctor` says so; one in the other two is an error.
SETTINGS: Mapping[str, Reader] = {
    "package": _text,
    "postgres": _postgres,
    "targets": _targets,
    "check": _check,
    "tenant_column": _text,
    "prove": _prove,
    "partitions": _patterns,
    "branch_databases": _flag,
    "own_schemas": _texts,
}
OF_CHECK: Mapping[str, Reader] = {"ignore": _texts}
OF_TARGET: Mapping[str, Reader] = {"env": _text, "protected": _flag}
OF_PROVE: Mapping[str, Reader] = {"shared": _texts, "tenants": _expressions, "rows": _tables}
