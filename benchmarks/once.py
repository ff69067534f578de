"""The workloads that do not depend on the number of tables."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from . import service
from .checks import says, succeeded
from .measure import Run, Subject
from .service import NOTHING, Service
from .workloads import Aim, Workload


def listing(ours: Service, bare: Path) -> Workload:
    """`invoke --list` in a service, compared with a `tasks.py` that has one empty task."""
    (bare / "tasks.py").write_text(
        "from invoke.tasks import task\n\n\n@task\ndef nothing(c):\n    pass\n"
    )

    def lists(name: str) -> Callable[[Run], str]:
        return lambda run: succeeded(run) or says(run, name)

    command = [*service.invoke(), "--list"]
    subjects = [
        Subject("invoke", command, ours.folder, lists("db.sync"), ours.env),
        Subject("bare Invoke", command, bare, lists("nothing")),
    ]
    return Workload("invoke --list", subjects, {"bare Invoke": Aim(1.2)})


def beginning(uv: str, source: Path, folder: Path) -> Workload:
    """From an empty folder to a bootstrapped service, as in its README; packages are cached."""

    def clear() -> None:
        if (folder / "pyproject.toml").exists():
            Service(folder, {}).invoke("db.down")
        shutil.rmtree(folder, ignore_errors=True)

    def ready(run: Run) -> str:
        return succeeded(run) or says(run, "The database is ready.", NOTHING)

    name = "empty folder → service"
    python = shlex.join([sys.executable, "-m", *service.COPY, "--data", "project_name=Service"])
    script = (
        f"{python} {shlex.quote(str(source))} {shlex.quote(str(folder))} && cd {folder.name}"
        f" && {shlex.quote(uv)} sync --quiet --python {shlex.quote(sys.executable)}"
        " && .venv/bin/invoke db.bootstrap"
    )
    subject = Subject("copier, uv, invoke", ["sh", "-c", script], folder.parent, ready, {}, clear)
    return Workload(name, [subject], most=10, after=clear)


def updating(source: Path, folder: Path) -> Workload:
    """A new version changes one file of a service; the peer is the merge by Copier alone."""
    template = folder / "releases"
    shutil.copytree(source, template)
    service.execute(["git", "tag", "0.1.0"], template)
    readme = template / "template/README.md.jinja"
    readme.write_text(f"{readme.read_text(encoding='utf-8')}\nMore.\n", encoding="utf-8")
    service.commit(template)
    service.execute(["git", "tag", "0.2.0"], template)
    places = {name: folder / name for name in ("updated", "merged")}
    for place in places.values():
        service.render(template, place, "--vcs-ref", "0.1.0")
        service.commit(place)

    def back(place: Path) -> Callable[[], None]:
        def restore() -> None:
            service.execute(["git", "checkout", "--quiet", "."], place)

        return restore

    def merged(place: Path) -> Callable[[Run], str]:
        def check(run: Run) -> str:
            text = (place / "README.md").read_text(encoding="utf-8")
            return succeeded(run) or ("" if text.endswith("\nMore.\n") else "README lacks a line")

        return check

    ours, bare = places["updated"], places["merged"]
    copier = [sys.executable, "-m", "copier", "update", "--quiet", "--defaults"]
    command = [*service.invoke(), "template.update"]
    subjects = [
        Subject("invoke", command, ours, merged(ours), service.ENGINE, back(ours)),
        Subject("copier update", copier, bare, merged(bare), {}, back(bare)),
    ]
    return Workload("template.update", subjects)
