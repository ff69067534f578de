"""Commands that show the schema to the eye: a diagram, a web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.tasks import console
from twolane.tasks.command import command

if TYPE_CHECKING:
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
    """Print an ER diagram: Mermaid, which GitHub draws, or an SVG."""
    from twolane.page import drawing, graph, mermaid

    source = _source(target)
    found = graph.graph(source.facts, source.app)
    if around:
        found = graph.around(found, around, depth)
    print(drawing.svg(drawing.draw(found)) if svg else mermaid.render(found))


def _source(target: str | None) -> Source:
    from twolane import config
    from twolane.page import source
    from twolane.repo import contents
    from twolane.state.connected import work_on

    if target is None:
        return source.of_repo(contents.read_repo(config.load()), console.working)
    with work_on(target, console) as work:
        return source.of_target(work.state())
