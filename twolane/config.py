"""Finds the service and reads its settings: `[tool.twolane]`, the environment, `.env`.

Read with `tomllib`, never from Invoke's own configuration, which any `INVOKE_*` variable overrides.
"""

from __future__ import annotations

import io
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from twolane import pin
from twolane.errors import Failure
from twolane.text import meant

SERVICE_VARIABLE = "TWOLANE_SERVICE"
LOCAL = "local"
DEFAULT = "default"
# What CI services set, by their documentation.
CI_VARIABLES = (
    "CI",  # GitHub, GitLab, Bitbucket, CircleCI, Travis, Cirrus, Drone, Woodpecker, Buddy, Vercel
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "BUILDKITE",
    "CIRCLECI",
    "CODEBUILD_BUILD_ID",  # AWS
    "DRONE",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "GO_PIPELINE_NAME",  # GoCD
    "HARNESS_BUILD_ID",
    "JENKINS_URL",
    "SEMAPHORE",
    "TEAMCITY_VERSION",
    "TF_BUILD",  # Azure Pipelines
    "TRAVIS",
    "bamboo_buildKey",
)


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


@dataclass(frozen=True)
class Config:
    """One service: its folder, its names, its targets, the findings that `db.check` leaves out.

    migrations: Alembic's folder, environment and revisions. own_schemas: schemas of the service's
    that are named as the platform's are, so the platform stub is laid without them. code: the
    folder of the package, where that is not `src`: a draft of it.
    """

    root: Path
    migrations: Path
    package: str
    postgres: int | Path
    targets: Mapping[str, Target]
    environment: Mapping[str, str]
    ignore: tuple[str, ...] = ()
    tenant_column: str = "user_id"
    prove: Prove = Prove()
    partitions: tuple[str, ...] = ()
    branch_databases: bool = False
    own_schemas: tuple[str, ...] = ()
    code: Path | None = None

    @property
    def sql(self) -> Path:
        return self.root / "supabase" / "sql"

    @property
    def order_file(self) -> Path:
        return self.root / "supabase" / "bootstrap.txt"

    @property
    def lock(self) -> Path:
        return self.root / "supabase" / "schema.lock.json"

    @property
    def source(self) -> Path:
        """The folder that the package is imported from."""
        return self.code or self.root / "src"

    @property
    def schema(self) -> Path:
        return self.source / self.package / "db" / "schema"

    @property
    def introspected(self) -> Path:
        return self.schema / "introspected.py"

    @property
    def home(self) -> Path:
        """The folder of everything embedded: server data and caches. Never in git."""
        return self.root / ".postgres"

    @property
    def in_ci(self) -> bool:
        """Whether a CI service runs the command."""
        said = (self.environment.get(name, "").lower() for name in CI_VARIABLES)
        return any(value not in ("", "0", "false") for value in said)

    @property
    def default(self) -> str:
        """The name of the target that commands without `--target` work on."""
        return DEFAULT if self.environment.get("DATABASE_URL") else LOCAL

    def target(self, name: str | None) -> Target:
        """The target of that name; without one, `DATABASE_URL` if set, else the embedded server.

        Raises:
            Failure: no such target, or its variable is not set.
        """
        target = self.known(name or self.default)
        if target.variable and not self.environment.get(target.variable):
            raise Failure(
                f"Target {target.name} takes its URL from {target.variable}, which is not set.",
                f"Set {target.variable} in the environment or in .env.",
            )
        return target

    def known(self, name: str) -> Target:
        """The target of that name, whether or not its variable is set.

        Raises:
            Failure: no such target.
        """
        target = self.targets.get(name)
        if target is None and "://" in name:
            raise Failure(
                "A target is a name, not a URL, which would end up in the shell's history.",
                "Put the URL into a variable, and name that in [tool.twolane.targets].",
            )
        if target is None and is_many(name):
            raise Failure(
                f"This works on one database, and {name!r} may mean several.",
                "Name one; invoke db.targets lists them.",
            )
        if target is None:
            near = meant(name, self.targets)
            raise Failure(
                f"There is no target {name!r}; there are: {', '.join(sorted(self.targets))}.",
                f"{near}{'Else add' if near else 'Add'} "
                f'it to pyproject.toml: [tool.twolane.targets.{name}] env = "…_DATABASE_URL"',
            )
        return target


def load(start: Path | None = None) -> Config:
    """The service around `start` (by default the working folder, or what TWOLANE_SERVICE names).

    Raises:
        Failure: no service there, its files can't be read, or another engine is installed than the
            one that it pins.
    """
    root = find_root(start)
    project = document(root)
    if stale := pin.stale(project):
        raise Failure(pin.complaint(*stale), pin.remedy(root, stale[0]))
    try:
        table = _table(project["tool"]["twolane"], "", "tool.twolane")
        found = _read({"package": None, "postgres": 18, "targets": {}} | table, SETTINGS)
    except TypeError as error:
        raise Failure(
            f"pyproject.toml, [tool.twolane]: {error.args[0]}",
            f"{''.join(error.args[1:])}Compare it with the guide's example: settings.md",
        ) from error
    if isinstance(found["postgres"], Path):
        found["postgres"] = root / found["postgres"]
    return Config(
        root=root,
        migrations=root / "migrations",
        environment=_environment(root),
        **found.pop("check", {}),
        **found,
    )


@dataclass(frozen=True)
class Unread:
    """A key that nothing reads, misspelt perhaps. table: as pyproject.toml has it."""

    table: str
    key: str
    known: Sequence[str]

    @property
    def message(self) -> str:
        return f"[{self.table}] has `{self.key}`, which nothing reads."


def unread(root: Path) -> list[Unread]:
    """The keys of the tables that take any key, as far as nothing reads them."""
    settings = document(root)["tool"]["twolane"]
    tables = {
        "tool.twolane": (settings, SETTINGS),
        "tool.twolane.check": (settings.get("check", {}), OF_CHECK),
    }
    return [
        Unread(name, key, tuple(known))
        for name, (table, known) in tables.items()
        for key in sorted(table.keys() - known.keys())
    ]


def find_root(start: Path | None = None) -> Path:
    """The service's folder alone, whichever engine it pins.

    Raises:
        Failure: no service there, or its pyproject.toml can't be read.
    """
    named = None if start else os.environ.get(SERVICE_VARIABLE)
    if named and "twolane" not in _tool_tables(Path(named)):
        raise Failure(
            f"{SERVICE_VARIABLE} points to {named}, which holds no service.",
            "Scaffold one first: invoke demo (in the template's repo), or copier copy.",
        )
    origin = Path(named) if named else (start or Path.cwd())
    for folder in (origin.resolve(), *origin.resolve().parents):
        if "twolane" in _tool_tables(folder):
            return folder
    for folder in (origin.resolve(), *origin.resolve().parents):
        if (folder / "supabase" / "bootstrap.txt").exists():
            raise Failure(
                f"{folder} has the files of a twolane service, and no [tool.twolane] in its "
                "pyproject.toml.",
                'Add it, with a line `package = "…"`: the package in src/ that has db/schema.',
            )
    raise Failure(
        f"{origin} is in no twolane service: no pyproject.toml with [tool.twolane] here or above.",
        "Change into the service's folder.",
    )


def _tool_tables(folder: Path) -> Mapping[str, Any]:
    tool = document(folder).get("tool", {})
    return tool if isinstance(tool, dict) else {}


def document(folder: Path) -> Mapping[str, Any]:
    """The folder's pyproject.toml; nothing where there is none."""
    path = folder / "pyproject.toml"
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        first = "Correct it, then run the same command again."
        if re.search("^<<<<<<< ", text, re.MULTILINE):
            first = "Choose, between <<<<<<< and >>>>>>>, then run the same command again."
        raise Failure(f"{path} can't be read: {error}", first) from error


Settings = dict[str, Any]
# It reads one setting: its value, the tables around it ("prove." or ""), its key.
Reader = Callable[[Any, str, str], Any]


def _read(table: Mapping[str, Any], readers: Mapping[str, Reader], where: str = "") -> Settings:
    """The table's settings that have a reader, by key."""
    return {key: read(table[key], where, key) for key, read in readers.items() if key in table}


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


def _environment(root: Path) -> Mapping[str, str]:
    """The environment's variables, and those of `.env` that it does not set."""
    path = root / ".env"
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{path.name} can't be read: {error}",
            "Make it a readable UTF-8 file of lines NAME=value.",
        ) from error
    if not text:
        return dict(os.environ)
    from dotenv import dotenv_values

    values = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in values.items() if value is not None} | dict(os.environ)


SEVERAL = ","
_WILDCARDS = "*?["  # the wildcards of the module `fnmatch`


def is_many(name: str | None) -> TypeGuard[str]:
    """Whether `--target` has several names or a pattern; `targets.select` resolves them."""
    return bool(name) and "://" not in str(name) and bool({*str(name)} & {SEVERAL, *_WILDCARDS})
