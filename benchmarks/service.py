"""Services to measure: real renders of the template in the working copy."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import twolane

from . import progress, schema
from .measure import Broken, environment

ROOT = Path(__file__).parents[1]
COPY = ("copier", "copy", "--quiet", "--defaults", "--data", "package_name=service")
NOTHING = "No schema changes."
# The engine that is measured is this working copy's, whatever the environment has.
ENGINE = {"PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Service:
    """A service's folder, and the environment variables of its commands."""

    folder: Path
    env: Mapping[str, str]

    @property
    def app(self) -> Path:
        return self.folder / "src/service/db/schema/app.py"

    @property
    def files(self) -> list[str]:
        """The SQL files that `bootstrap.txt` names, in its order."""
        lines = (self.folder / "supabase/bootstrap.txt").read_text(encoding="utf-8").splitlines()
        return [line for line in map(str.strip, lines) if line.endswith(".sql")]

    @property
    def looks(self) -> int:
        """The number of file states that `db.gen` remembers as compared."""
        return len(list((self.folder / ".postgres/looks").iterdir()))

    def invoke(self, *arguments: str) -> str:
        """Runs a command without measuring it."""
        return execute([*invoke(), *arguments], self.folder, self.env)


def invoke() -> list[str]:
    return [sys.executable, "-m", "invoke"]


def execute(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Runs a command that prepares a measurement; returns its output.

    Raises:
        Broken: it failed.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Broken(
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def state() -> str:
    """The commit of the working copy, with a plus where it has changes that are not committed."""
    commit = execute(["git", "rev-parse", "HEAD"], ROOT).strip()
    return commit + ("+" if execute(["git", "status", "--porcelain"], ROOT).strip() else "")


def compile_engine() -> None:
    """Compiles the engine as pip does when it installs one; Invoke itself writes no bytecode."""
    compileall.compile_dir(Path(twolane.__file__).parent, quiet=1)


def template(folder: Path) -> Path:
    """Copies template and engine, including uncommitted changes, to a separate repo.

    So all renders of one run are equal, even if the working copy changes meanwhile. Their pin is
    this copy; the commands that are measured run the engine of the working copy.
    """
    folder.mkdir()
    for name in ("copier.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", ".postgres")
    for name in ("template", "twolane"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    author = ["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid"]
    execute(["git", "init", "--quiet"], folder)
    execute(["git", "add", "--all"], folder)
    execute(["git", *author, "commit", "--quiet", "--message", "state"], folder)


def render(source: Path, folder: Path, *options: str) -> None:
    """Renders the starter `minimal`."""
    answers = ["--data", "project_name=Service", "--data", "starter=minimal", "--data", "ci=false"]
    command = [sys.executable, "-m", *COPY, *answers, *options]
    execute([*command, str(source), str(folder)], source)


@contextmanager
def rendered(source: Path, folder: Path, env: Mapping[str, str]) -> Iterator[Service]:
    """Renders a service; stops its embedded server when the block ends."""
    render(source, folder)
    service = Service(folder, {**env, **ENGINE})
    try:
        yield service
    finally:
        service.invoke("db.down")
        shutil.rmtree(folder)


def bootstrap(service: Service, size: int) -> None:
    """Brings the service to the state of daily use: all applied, pushed, synced and cached.

    So the SQL files or the revisions make every fact, and the shadow is cached.
    """
    files = schema.sql_files(size)
    order = service.folder / "supabase/bootstrap.txt"
    mark = "\n@migrations"
    before, after = order.read_text(encoding="utf-8").split(mark)
    order.write_text("\n".join([before, *files]) + mark + after)
    for name, text in files.items():
        (service.folder / "supabase/sql" / name).write_text(text)
    with progress.working(f"bootstrapping a service with {size:,} tables"):
        service.invoke("db.bootstrap")
        service.app.write_text(schema.app_models())
        service.invoke("db.gen", "-m", "app tables")
        service.invoke("db.push")
        commit(service.folder)
    for command in ("db.sync", "db.gen"):
        with progress.working(f"a first {command}"):
            if NOTHING not in (said := service.invoke(command)):
                raise Broken(f"{command} on a bootstrapped service: {said}")
