"""Finds the service, and reads what is set for it: `[tool.twolane]`, the environment, `.env`.

Read with `tomllib`, never from Invoke's own configuration, which any `INVOKE_*` variable overrides.
"""

from __future__ import annotations

import io
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twolane import pin, settings
from twolane.errors import Failure
from twolane.settings import DEFAULT as DEFAULT
from twolane.settings import LOCAL as LOCAL
from twolane.settings import SEVERAL as SEVERAL
from twolane.settings import Prove as Prove
from twolane.settings import Target as Target
from twolane.settings import Unread as Unread
from twolane.settings import is_many as is_many
from twolane.text import meant

CHOOSE = "Choose, between <<<<<<< and >>>>>>>, then run the same command again."
SERVICE_VARIABLE = "TWOLANE_SERVICE"
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
class Config:
    """One service: its folder, its names, its targets, the findings that `db.check` leaves out.

    migrations: Alembic's folder, environment and revisions. own_schemas: schemas of the service's
    that are named as the platform's are, so the platform stub is laid without them. unread: the
    keys that nothing reads. code: the package's folder, where that is not `src`: a draft of it.
    """

    root: Path
    migrations: Path
    package: str
    postgres: int | Path
    targets: Mapping[str, Target]
    environment: Mapping[str, str]
    ignore: tuple[str, ...] = ()
    tenant_column: str = "user_id"
    prove: Prove = field(default_factory=Prove)
    partitions: tuple[str, ...] = ()
    branch_databases: bool = False
    own_schemas: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
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
    return Config(
        root=root,
        migrations=root / "migrations",
        environment=_environment(root),
        **settings.read(project["tool"]["twolane"], root),
    )


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


def is_conflicted(text: str) -> bool:
    """Whether a merge left its marks in it."""
    return bool(re.search("^<<<<<<< ", text, re.MULTILINE))


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
        first = CHOOSE if is_conflicted(text) else "Correct it, then run the same command again."
        if text.startswith("\ufeff"):
            first = "Save it as UTF-8 without a BOM, which TOML does not allow."
        raise Failure(f"{path} can't be read: {error}", first) from error


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
    if is_conflicted(text):
        raise Failure(f"{path.name} has both sides of a merge in it.", CHOOSE)
    from dotenv import dotenv_values

    values = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in values.items() if value is not None} | dict(os.environ)
