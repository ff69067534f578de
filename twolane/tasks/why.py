"""The command that says where an object comes from."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, say, warn
from twolane.tasks.options import JSON, TARGET
from twolane.text import counted, shortened

if TYPE_CHECKING:
    from twolane.state.state import State
    from twolane.why.report import Standing, Step, Why

_LANES = {"sql": "A, SQL", "app": "B, app"}
_SHOWN = 6


@command(
    "db.why",
    help={
        "object": "public.contacts.email, contacts, a policy, an index: the name or the fact.",
        "target": TARGET,
        "json": JSON,
    },
)
def why(c: Context, object: str, target: str | None = None, json: bool = False) -> None:
    """Look: what makes an object, and what changed it since.

    File and line or revision, commit and day; and what depends on it.

    Example:
      invoke db.why contacts.email
    """
    from twolane import config
    from twolane.repo import contents
    from twolane.why import report

    settings = config.load()
    state = _state(target)
    repo = state.repo if state else contents.read_repo(settings)
    found = report.read(repo, object, state, console.working)
    if json:
        console.print_json(report.as_json(found, settings.root))
    else:
        show(found)


def _state(target: str | None) -> State | None:
    """The target's state; None, with a note, if it can't be reached and was not named."""
    from twolane.errors import Unreachable
    from twolane.state.connected import work_on

    try:
        with work_on(target, console) as work:
            return work.state()
    except Unreachable as error:
        if target:
            raise
        console.note(f"{error.message}: said by the repo's files alone")
        return None


def show(found: Why) -> None:
    """Prints the answer, in lines that the terminal has room for."""
    from twolane.facts import differences
    from twolane.facts.catalog import Change, as_text

    now = as_text(found.definition) if found.definition is not None else None
    words = differences.flat([Change(found.identity, None, now)])[0][2:] if now else found.identity
    for line in _broken(words, 0):
        say(line, "bold")
    if found.lane:
        say(f"Lane     {_LANES[found.lane]}")
    for step in found.steps:
        _show_step(step, found.identity)
    if not found.steps:
        say(f"Made by  {'Postgres, before any file' if found.lane else 'nothing in the repo'}")
    elif found.lane is None:
        say("Now      the repo's files don't make it any more")
    _show_list("Used by", found.dependents)
    _show_list("Named in", found.mentions)
    if found.standing:
        _show_standing(found.standing)


def _show_step(step: Step, identity: str) -> None:
    head = {"makes": "Made by", "drops": "Dropped"}.get(step.does, "Changed")
    place = f"{step.place.file}{f':{step.place.line}' if step.place.line else ''}"
    what = f"revision {step.revision}  {step.title}" if step.revision else place
    say(f"{head:<9}{what}")
    if step.revision:
        say(f"         {place}")
    commit = step.commit
    told = f"{commit.day}  {commit.id}  {commit.author}: {commit.title}" if commit else None
    for line in _broken(told or "not committed yet"):
        say(line, "dim", before=" " * 9)
    for change in _changes(step, identity):
        for line in _broken(change):
            say(f"         {line}")


def _broken(text: str, indent: int = 9) -> list[str]:
    """The text in lines that a terminal has room for, behind an indent; elsewhere one line."""
    room = max(40, console.room(a_line_each=True) - indent)
    return (
        [text]
        if len(text) <= room
        else textwrap.wrap(text, room, subsequent_indent="    ", break_on_hyphens=False)
    )


def _changes(step: Step, identity: str) -> list[str]:
    """The parts that a step makes, counted where there are many; what it changes, in full."""
    from twolane.facts import differences
    from twolane.facts.identities import kind

    parts = [change for change in step.changes if change.identity != identity]
    if step.does == "makes" and len(parts) > _SHOWN:
        counts = Counter(kind(change.identity) for change in parts)
        return [", ".join(f"+ {counted(n, word)}" for word, n in counts.items())]
    itself = [c for c in step.changes if c.identity == identity and c.sign == "~"]
    return shortened([differences.part(change) for change in [*itself, *parts]], _SHOWN)


def _show_list(head: str, found: Sequence[str]) -> None:
    for number, name in enumerate(shortened(found)):
        for row, line in enumerate(_broken(name)):
            say(f"{'' if number or row else head:<9}{line}")


def _show_standing(standing: Standing) -> None:
    from twolane.facts import differences
    from twolane.why import report

    if standing.how == report.SAME:
        done(f"On target {standing.target} it is as the repo makes it.")
        return
    words = {
        report.DRIFT: "changed by hand (drift, a hotfix), and no file makes it so",
        report.BY_HAND: "made by hand; the mirror knows it, no file makes it so",
        report.OLDER: "as an older file made it, and the repo makes it no more",
        report.PENDING: "not there yet as the repo makes it",
    }[standing.how]
    warn(f"Target   {standing.target}: {words}:")
    for change in shortened(differences.flat(standing.changes), _SHOWN):
        for line in _broken(change):
            say(f"         {line}")
    say(f"Next     {standing.first}")
