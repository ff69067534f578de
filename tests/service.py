"""A rendered service, used as its owner would: by its commands, in its folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import inprocess
import psycopg
import warm

from twolane.config import CI_VARIABLES

ROOT = Path(__file__).parents[1]
STEP = re.compile(r"· .* …\n")
APP = Path("src/crm/db/schema/app.py")

DEV_MARKERS = """

class DevMarkers(UUIDKey, AppBase):
    __tablename__ = "dev_markers"

    label: Mapped[str]
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
"""

HEAD = """
import datetime
import enum
import uuid

from pgvector.sqlalchemy import Vector
from sqlalchemy import Enum, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from .base import AppBase, AuthUsers, TenantOwned, Timestamps, UUIDKey
from .introspected import Contacts
"""


@dataclass
class Result:
    """What a command printed, both streams, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def said(self) -> str:
        """Standard error without the steps that are named because they take long, on any machine
        that is busy."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not STEP.fullmatch(line))


@dataclass
class Service:
    """A service's folder; `env` is added to a clean environment for every command."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def invoke(self, *arguments: str, code: int | None = 0, **env: str) -> Result:
        """`invoke ARGUMENTS…`, inside this process where that makes no difference.

        Asserts the exit code, unless it is None.
        """
        own = self.env | env
        if inprocess.needs_process(arguments, own):
            return self.run(*arguments, code=code, cold=False, **env)
        done = inprocess.run(self.folder, clean_environment() | own, arguments)
        return _checked(arguments, Result(*done), code)

    def run(self, *arguments: str, code: int | None = 0, cold: bool = False, **env: str) -> Result:
        """The same in a process of its own, which imports everything itself if `cold`."""
        with self.start(*arguments, cold=cold, stderr=subprocess.PIPE, **env) as process:
            try:
                out, err = process.communicate(timeout=inprocess.LIMIT)
            except BaseException:
                process.kill()
                raise
        return _checked(arguments, Result(process.returncode, out, err), code)

    def start(
        self,
        *arguments: str,
        cold: bool = False,
        stderr: int = subprocess.STDOUT,
        **env: str,
    ) -> subprocess.Popen[str]:
        """The same, running; both streams in one, unless `stderr` says where the other goes."""
        words = ["-m", "invoke", *arguments]
        options: dict[str, Any] = {
            "cwd": self.folder,
            "env": clean_environment() | self.env | env,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": stderr,
            "text": True,
        }
        return warm.cold_popen(words, **options) if cold else warm.popen(words, **options)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "state")

    def write(self, path: str | Path, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def read(self, path: str | Path) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def write_app(self, body: str) -> None:
        """`app.py` with the imports that the examples need, and `body`."""
        self.write(APP, f'"""The app\'s tables."""\n{HEAD}{body}')

    def revisions(self) -> list[Path]:
        """The revision files, oldest first: their names tell no more than the minute.

        Of two that were written at once, the online one follows.
        """
        files = (self.folder / "migrations/versions").glob("*.py")
        return sorted(
            files, key=lambda path: (path.stat().st_mtime_ns, "\nonline = " in path.read_text())
        )

    def edit_revision(self, upgrade: str) -> None:
        """Replaces the body of the newest revision's upgrade()."""
        path = self.revisions()[-1]
        text = path.read_text()
        body = "".join(f"    {line}\n" for line in upgrade.splitlines())
        path.write_text(
            re.sub(
                r"(def upgrade\(\) -> None:\n).*?(?=\n\ndef )",
                lambda m: m[1] + body,
                text,
                flags=re.S,
            )
        )

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs SQL in the service's database, behind twolane's back."""
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


def _checked(arguments: Sequence[str], result: Result, code: int | None) -> Result:
    assert code is None or result.code == code, f"{arguments}: exit {result.code}\n{result.text}"
    assert "Traceback" not in result.text, result.text
    return result


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer twolane."""
    dropped = ("DATABASE_URL", "SHADOW_DATABASE_URL", "TWOLANE_SERVICE", *CI_VARIABLES)
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"NO_COLOR": "1"}


def render(folder: Path, **answers: str) -> Service:
    """A fresh render of the template as it stands in this checkout, as a git repo."""
    source = folder.with_name(f"{folder.name}-template")
    source.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", source)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", source / "template", ignore=ignored)
    answers = {"project_name": "CRM", **answers}
    data = [part for name, value in answers.items() for part in ("--data", f"{name}={value}")]
    copy = ["-m", "copier", "copy", "--quiet", "--defaults", *data, str(source), str(folder)]
    warm.run(copy).check_returncode()
    shutil.rmtree(source)
    return owned(folder)


def owned(folder: Path) -> Service:
    """The folder as its owner's git repo."""
    service = Service(folder)
    service.git("init", "--quiet", "--initial-branch=main")
    for sample in (folder / ".git/hooks").glob("*.sample"):
        sample.unlink()
    service.git("config", "user.name", "Owner")
    service.git("config", "user.email", "owner@example.invalid")
    service.commit()
    return service
