"""What `template.check` and `template.update` show."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import twolane
from twolane import text
from twolane.tasks.console import done, say, warn
from twolane.template.changelog import Section
from twolane.template.check import Check
from twolane.template.origin import Origin
from twolane.template.report import MERGED, SQL, kind
from twolane.template.update import Outcome

_SIGNS = {"added": "+", "changed": "~", "removed": "-"}
_HEADS = {
    SQL: "SQL files; what is new or changed is pending: invoke db.apply, then invoke db.sync",
    MERGED: "Merged into yours:",
}
_MOST = 40


def show_check(found: Check) -> None:
    say(f"Template {found.record.shown}, version {found.record.commit}")
    for problem, first in found.problems.items():
        warn(problem)
        say(f"  First:  {first}")
    if not found.problems:
        done(_engine(found))
    _show_conflicts(found.conflicts)
    if found.newer:
        warn(f"Version {found.newest} is there.  Next:  invoke template.update")
    else:
        done("No newer version." if found.newest else "The template has no released version yet.")


def _engine(found: Check) -> str:
    version, pinned = twolane.__version__, [each.shown for each in found.pins]
    if not pinned:
        return f"Engine {version}; pyproject.toml pins none."
    if found.engine is None:
        return f"Engine {version}, a working copy; pyproject.toml pins {pinned[0]}."
    return f"Engine {pinned[0]}, as pyproject.toml pins it."


def show_update(
    record: Origin, made: Outcome, notes: Sequence[Section], lacking: Sequence[str], install: str
) -> None:
    """install: the command that installs what is lacking."""
    done(f"From version {record.commit} to {made.commit} of {record.shown}.")
    for whose, head in _HEADS.items():
        files = [f"{_SIGNS[s]} {path}" for path, s in made.changed.items() if kind(path) == whose]
        if files:
            say(head)
            _lines(files)
    if made.untouched:
        say(f"Left alone, being a text of your own: {', '.join(made.untouched)}")
    if made.answers:
        say("New questions, with the answers taken; for others: invoke template.update --data …")
        _lines([f"{name} = {value}" for name, value in made.answers.items()])
    for section in notes:
        say(f"Upgrading to {section.title}, as the template's CHANGELOG.md has it:")
        say(textwrap.indent(section.upgrading or "nothing to do.", "    "))
    _show_conflicts(made.conflicts)
    if made.kept:
        warn(
            "You had changed these, and the new version no longer has them. They stay as they are:"
        )
        _lines(made.kept)
        say("  Take what you need to its new place and delete them, or keep them as your own.")
    if lacking:
        warn("pyproject.toml asks for what is not installed:")
        _lines(lacking)
        say(f"  Install it:  {install}")
    say("Then:  invoke db.check")
    if made.conflicts or made.kept:
        say("Or put the whole update aside:  git reset --quiet && git stash --include-untracked")


def _show_conflicts(files: Sequence[str]) -> None:
    if files:
        warn("Both sides changed the same lines. Choose, between <<<<<<< and >>>>>>>, and git add:")
        _lines(files)


def _lines(lines: Sequence[str]) -> None:
    for line in text.shortened(lines, _MOST):
        say(f"    {text.clean_line(line)}")
