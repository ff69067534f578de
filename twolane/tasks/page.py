"""Commands that show the schema to the eye: a diagram, a web page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done
from twolane.tasks.options import TARGET

if TYPE_CHECKING:
    from twolane.config import Config
    from twolane.page.data import Shown
    from twolane.page.source import Source

_TARGET = "A target by name; without it, what the repo's files make."


@command(
    "db.diagram",
    help={
        "around": "This table and its neighbours alone.",
        "depth": "How many keys away a neighbour may be.",
        "svg": "Print an SVG instead of Mermaid.",
        "target": _TARGET,
    },
)
def diagram(
    c: Context,
    around: str | None = None,
    depth: int = 1,
    svg: bool = False,
    target: str | None = None,
) -> None:
    """Look: an ER diagram, as Mermaid or SVG.

    GitHub draws Mermaid in a Markdown file.

    Example:
      invoke db.diagram --around contacts
    """
    from twolane.page import drawing, graph, mermaid

    source = _source(target)
    found = graph.graph(source.facts, source.app)
    if around:
        found = graph.around(found, around, depth)
    if svg:
        print(drawing.svg(drawing.draw(found)))
        return
    text = mermaid.render(found)
    print(text)
    if len(text) > mermaid.MOST:
        console.note(
            f"GitHub draws no more than {mermaid.MOST:,} letters, these are {len(text):,}: "
            "choose a part with --around TABLE, or a picture with --svg"
        )


def _source(target: str | None) -> Source:
    from twolane import config
    from twolane.page import source
    from twolane.repo import contents
    from twolane.state.connected import work_on

    if target is None:
        return source.of_repo(contents.read_repo(config.load()), console.working)
    with work_on(target, console) as work:
        return source.of_target(work.state())


@command(
    "db.page",
    help={
        "target": TARGET,
        "repo": "Of the repo's files alone: no database is asked.",
        "against": "A second target, shown side by side.",
        "output": "The file to write; by default schema.html beside the local database's files.",
        "open": "Open it in the browser.",
    },
)
def page(
    c: Context,
    target: str | None = None,
    repo: bool = False,
    against: str | None = None,
    output: str | None = None,
    open: bool = False,
) -> None:
    """Look: the schema as a web page, in one file.

    It needs no network and no server.

    Example:
      invoke db.page --open
    """
    import webbrowser

    from twolane import __version__, config, files
    from twolane.page import data
    from twolane.page import page as pages

    settings = config.load()
    shown = _shown(settings, target, repo, against)
    path = Path(output).resolve() if output else settings.home / "schema.html"
    text = pages.render(data.collect(shown, __version__, path.parent, console.working))
    settings.home.mkdir(mode=0o700, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write({path: text})
    done(f"Wrote {path} ({len(text.encode()) / 1_000_000:.1f} MB).")
    if open and not webbrowser.open(path.as_uri()):
        console.note("No browser could be started: open the file yourself.")


def _shown(settings: Config, target: str | None, repo: bool, against: str | None) -> Shown:
    from twolane.errors import Failure, Unreachable
    from twolane.page import data, source
    from twolane.repo import contents

    if repo and target:
        raise Failure(
            "--repo shows the repo's files alone, and --target a database.",
            f"invoke db.page --target {target}, or invoke db.page --repo --against {target}",
        )
    if not repo:
        try:
            return _of_target(target, against)
        except Unreachable as error:
            if target or against:
                raise
            console.note(f"{error.message}: the page shows the repo's files alone")
    found = contents.read_repo(settings)
    other = _source(against) if against else None
    return data.Shown(found, source.of_repo(found, console.working), other)


def _of_target(target: str | None, against: str | None) -> Shown:
    from twolane.guards import guards
    from twolane.lanes import status
    from twolane.page import data, history, source
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        state = work.state()
        blocked = guards.order(work.repo) or guards.history(work.repo, work.ledger)
        version = work.connection.info.server_version
        report = status.read(state, version, blocked, console.working)
        return data.Shown(
            work.repo,
            source.of_target(state),
            _source(against) if against else None,
            status.as_json(report),
            history.read(work.connection, work.config),
        )
