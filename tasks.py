"""For maintainers of the template. `invoke db.…` works on the service that `invoke demo` made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).parent
DEMO = ROOT / "demo"
STARTERS = ("omnicrm", "minimal")

os.environ.setdefault("TWOLANE_SERVICE", str(DEMO))

import releasing  # noqa: E402
from twolane.tasks import db  # noqa: E402  (it finds its service by the variable above)
from twolane.tasks.listing import by_lanes  # noqa: E402

GUIDE = [sys.executable, "-m", "zensical", "build", "--strict"]
LAYERS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# For the demo's commits: a fresh machine's git knows nobody.
AUTHOR = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in {"NAME": "Demo", "EMAIL": "demo@example.invalid"}.items()
}

DEV_MARKERS = """
import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from .base import AppBase, UUIDKey


class DevMarkers(UUIDKey, AppBase):
    __tablename__ = "dev_markers"

    label: Mapped[str]
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
"""


@task(auto_shortflags=False, help={"again": "Throw the present demo away and start over."})
def demo(c: Context, again: bool = False) -> None:
    """Scaffold a service into demo/ and take it through both lanes, refusal included."""
    if DEMO.exists() and not again:
        raise Exit(f"{DEMO.name}/ exists: play with it, or start over with: invoke demo --again", 1)
    if DEMO.exists():
        _run(DEMO, "invoke", "db.down", show=False)
        shutil.rmtree(DEMO)
    print("A service from the template, on an embedded Postgres.\n")
    _run(ROOT, "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD", ".", "demo")
    _run(DEMO, "git", "init", "--quiet")
    _run(DEMO, "git", "add", ".")
    _run(DEMO, "git", "commit", "--quiet", "-m", "feat: a service from twolane")
    print("\nThe nine SQL files into the database, the database into the models.\n")
    _run(DEMO, "invoke", "db.bootstrap")
    _run(DEMO, "git", "status")
    print("\nLane B: a table of the app's own.\n")
    _append(DEMO / "src/demo/db/schema/app.py", DEV_MARKERS)
    _run(DEMO, "invoke", "db.gen", "-m", "add dev markers")
    print("\nMeanwhile somebody changes the live database by hand: the push is refused.\n")
    _run(DEMO, "invoke", "db.psql", "-c", "alter table contacts add column nickname text")
    _run(DEMO, "invoke", "db.push", expect=2)
    print("\nLane A first: the change comes into the mirror. Then the push goes through.\n")
    _run(DEMO, "invoke", "db.sync", "--commit")
    _run(DEMO, "invoke", "db.push", "--commit")
    _run(DEMO, "invoke", "db.status")
    _run(DEMO, "git", "log", "--oneline")
    print("\nThe service is in demo/. From here, too:  invoke db.status")


def _run(folder: Path, *command: str, expect: int = 0, show: bool = True) -> None:
    """Runs a command as a user would type it, with its real output, on the embedded database."""
    if show:
        words = (f'"{word}"' if " " in word else word for word in command)
        print(f"{'' if folder == ROOT else 'demo'}$ {' '.join(words)}", flush=True)
    kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "TWOLANE_SERVICE")}
    program = ["git"] if command[0] == "git" else [sys.executable, "-m", command[0]]
    done = subprocess.run(
        [*program, *command[1:]],
        cwd=folder,
        env=kept | AUTHOR,
        capture_output=not show,
        check=False,
    )
    if done.returncode != expect:
        raise Exit(f"This should have ended with exit code {expect}, not {done.returncode}.", 1)


def _append(path: Path, text: str) -> None:
    print(f"demo$ cat >> {path.relative_to(DEMO).as_posix()}{text}", end="", flush=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@task(help={"k": "Only the tests whose names match."})
def test(c: Context, k: str = "") -> None:
    """Run the tests."""
    only = ["-k", k] if k else []
    # Each worker has a server and services of its own; tests that follow each other share them.
    workers = ["-n", str(min(4, os.cpu_count() or 1))]
    command = [sys.executable, "-m", "pytest", "-q", *workers, "--dist", "worksteal", *only]
    _check(command)


@task
def guide(c: Context) -> None:
    """Build the guide as a site into site/; a dead link is an error."""
    _check(GUIDE)


@task
def lint(c: Context) -> None:
    """Format, lint, types, layers and the guide's links: this repo, and a rendered service."""
    with tempfile.TemporaryDirectory() as folder:
        service = _render(Path(folder) / "service", STARTERS[0])
        places = {"this repo": ROOT, "a rendered service": service}
        checks = [
            (name, [sys.executable, "-m", "ruff", *words], place)
            for name, place in places.items()
            for words in (["format", "--check", "."], ["check", "."])
        ]
        checks += [
            ("this repo", [sys.executable, "-m", "mypy", "tasks.py", "twolane", "tests"], ROOT),
            ("a rendered service", [sys.executable, "-m", "mypy"], service),
            ("the engine's layers", [sys.executable, "-c", LAYERS], ROOT),
            ("the guide", GUIDE, ROOT),
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            codes = list(pool.map(lambda check: _checked(*check), checks))
    if any(codes):
        raise Exit(code=max(codes))


@task
def render(c: Context) -> None:
    """Make the shipped models and lock of each starter anew, from its SQL files."""
    for starter in STARTERS:
        for shipped, made in _made(starter).items():
            shipped.write_bytes(made)
        print(f"template/starters/{starter}")


@task(
    auto_shortflags=False,
    positional=["version"],
    help={"version": "The new version, as PEP 440 has it.", "dry_run": "Check, and make no tag."},
)
def release(c: Context, version: str, dry_run: bool = False) -> None:
    """Check the tree, the changelog and the starters, then tag the commit; pushes nothing."""
    wrong = releasing.problems(ROOT, version) or releasing.wheel_problems(ROOT, version)
    if not wrong:
        made = [pair for starter in STARTERS for pair in _made(starter).items()]
        stale = [path for path, text in made if path.read_bytes() != text]
        wrong = [f"{path.relative_to(ROOT)} is stale: invoke render" for path in stale]
    if wrong:
        raise Exit("\n".join(f"✗ {problem}" for problem in wrong), 1)
    if dry_run:
        print(f"✓ Nothing stands against {version}. No tag was made.")
        return
    releasing.tag(ROOT, version)
    print(f"✓ Tagged {version}.  Next, when .ci/run has passed:  git push origin main {version}")


@task(
    auto_shortflags=False,
    help={
        "sizes": "Numbers of tables, separated by commas.",
        "repeats": "Runs of each command that is not slow; an odd number.",
        "limit": "Seconds after which a peer is stopped.",
        "only": "Only the workloads whose names match this pattern.",
        "out": "The file for the result.",
    },
)
def bench(
    c: Context,
    sizes: str = "100,1000",
    repeats: int = 3,
    limit: float = 300.0,
    only: str = "",
    out: str = "build/bench/result.json",
) -> None:
    """Measure the commands beside other tools, on databases of several sizes."""
    from benchmarks import measure, run

    if repeats % 2 == 0:
        raise Exit("--repeats takes an odd number: the result is the median.", 1)
    try:
        fine = run.run([int(size) for size in sizes.split(",")], repeats, limit, only, ROOT / out)
    except measure.Broken as problem:
        raise Exit(str(problem), 1) from None
    if not fine:
        raise Exit("A peer broke: see above.", 1)


def _made(starter: str) -> dict[Path, bytes]:
    """Path in the template → content of a starter's lock and models, made from its SQL files."""
    shipped = ROOT / "template/starters" / starter
    with tempfile.TemporaryDirectory() as folder:
        service = _render(Path(folder) / "service", starter)
        (service / "supabase/schema.lock.json").unlink()
        _run(service, "invoke", "db.bootstrap", show=False)
        _run(service, "invoke", "db.down", show=False)
        files = ("supabase/schema.lock.json", "src/service/db/schema/introspected.py")
        return {shipped / Path(name).name: (service / name).read_bytes() for name in files}


def _render(folder: Path, starter: str) -> Path:
    """Renders a service from the working copy, including uncommitted changes."""
    data = ["--data", "project_name=Service", "--data", "package_name=service"]
    data += ["--data", f"starter={starter}"]
    command = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"]
    _check([*command, *data, str(ROOT), str(folder)])
    return folder


def _checked(name: str, command: list[str], folder: Path) -> int:
    """Runs a check in parallel with others, prints its output at once; returns its exit code."""
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    print(f"{name}: {' '.join(command[2:])}\n{done.stdout.decode()}", flush=True)
    return done.returncode


def _check(command: list[str], folder: Path = ROOT) -> None:
    if code := subprocess.run(command, cwd=folder, check=False).returncode:
        raise Exit(code=code)


namespace = Collection(demo, test, lint, guide, bench, render, release, by_lanes(db))
