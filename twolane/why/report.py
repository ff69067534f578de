"""Why an object is there: what makes it, what changed it, what depends on it, and where it stands.

From the replay of the repo's files, and from a target if there is one to look at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twolane.errors import Failure
from twolane.facts import differences
from twolane.facts.catalog import Change, Snapshot, definition
from twolane.facts.identities import kind, plain
from twolane.repo.contents import Repo
from twolane.repo.locations import Place
from twolane.shadow import shadow
from twolane.shadow.stages import Replays
from twolane.state.state import State
from twolane.telling import Working
from twolane.text import shortened
from twolane.why import depends, names, trail
from twolane.why import links as sites
from twolane.why.commits import Commit, Commits
from twolane.why.links import Links
from twolane.why.trail import Event, Trail

CAPTURE = "invoke db.capture"
DEPLOY = "invoke db.deploy"
GEN = 'invoke db.gen -m "…"'
SAME, DRIFT, PENDING, BY_HAND, OLDER = "same", "drift", "pending", "by hand", "older"


@dataclass(frozen=True)
class Step:
    """What one statement, or one revision, does to the object.

    does: "makes", "changes" or "drops" the object itself, or "adds to it". title: a revision's.
    commit: None if it is not committed.
    """

    place: Place
    last: int | None
    revision: str | None
    title: str | None
    does: str
    changes: Sequence[Change]
    commit: Commit | None


@dataclass(frozen=True)
class Standing:
    """How the object stands on a target.

    how: "same" as the repo makes it; "drift": changed by hand since twolane's last command, or not
    the app's doing; "by hand": the mirror knows it, no file makes it; "older": files in an earlier
    text made it; "pending": a file or revision is still to come. changes: from the repo's to the
    target's.
    """

    target: str
    how: str
    changes: Sequence[Change]
    first: str


@dataclass(frozen=True)
class Why:
    """The answer for one object. lane: "sql" or "app"; None for what the repo does not make (any
    more). definition: as the repo makes it, else as the target has it."""

    identity: str
    lane: str | None
    definition: dict[str, Any] | None
    steps: Sequence[Step]
    dependents: Sequence[str]
    mentions: Sequence[str]
    standing: Standing | None


def read(repo: Repo, wanted: str, state: State | None, working: Working) -> Why:
    """Answers for the object that the words mean.

    Raises:
        Failure: they mean none, or several; or a file doesn't run.
    """
    live = state.live if state else {}
    found = trail.read(repo, working)
    identity = _one(wanted, found.known | live.keys())
    own = [i for i in found.known if names.belongs(i, identity)]
    found = trail.exact(repo, working, found, own)
    facts = found.facts if identity in found.facts else live
    text = facts.get(identity)
    with shadow.connect(repo.config, Replays(repo, working).whole().database) as connection:
        direct = depends.read(connection)
    dependents = depends.on(identity, direct)
    return Why(
        identity,
        lane(repo, identity, found.facts, working),
        definition(text) if text is not None else None,
        steps(repo, found, identity),
        dependents,
        depends.naming(identity, found.facts, dependents),
        _standing(state, identity) if state else None,
    )


_PLATFORM = "auth|cron|extensions|graphql|graphql_public|net|realtime|storage|vault"


def _one(wanted: str, known: frozenset[str]) -> str:
    if not wanted.strip():
        raise Failure("Name an object.", "invoke db.why public.contacts")
    found = names.find(wanted, known)
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n    ".join(shortened(sorted(found)))
        first = f"invoke db.why '{min(found)}'"
        raise Failure(f"{wanted} may be:\n    {listed}", f"Name one: {first}")
    if re.fullmatch(rf"(table )?({_PLATFORM})(\.[^.]+)+", wanted.strip()):
        raise Failure(
            f"{wanted} is the platform's own: Supabase makes it, no file of the repo does.",
            "Policies and triggers that the repo puts on it have names of their own: "
            "invoke db.snapshot",
        )
    near = names.near(wanted, known)
    named = f" The nearest: {', '.join(near)}." if near else ""
    raise Failure(
        f"Nothing made by the repo's files or on the target is called {wanted}.{named}",
        f"invoke db.why '{near[0]}'" if near else "List what there is: invoke db.snapshot",
    )


def lane(repo: Repo, identity: str, facts: Snapshot, working: Working) -> str | None:
    """Whose the object is, by the replay."""
    if identity not in facts:
        return None
    return "app" if identity in Replays(repo, working).app(repo.revisions) else "sql"


def steps(repo: Repo, found: Trail, identity: str) -> list[Step]:
    """The changes of the object, by statement or revision, in the order of the replay."""
    commits = Commits(repo.config.root)
    titles = {revision.id: revision.title for revision in repo.revisions}
    known = [i for i in found.known if names.belongs(i, identity)]
    grouped: dict[tuple[Place, str | None], list[Event]] = {}
    for event in found.of(known):
        grouped.setdefault((event.place, event.revision), []).append(event)
    return [
        Step(
            place,
            events[0].last or None,
            revision,
            titles.get(revision or ""),
            _does([event.change for event in events], identity),
            [event.change for event in events],
            commits.first(place.file) if revision else commits.of(place, events[0].last or None),
        )
        for (place, revision), events in grouped.items()
    ]


def _does(changes: Sequence[Change], identity: str) -> str:
    itself = next((change for change in changes if change.identity == identity), None)
    if itself is None:
        return "adds to it" if any(change.sign == "+" for change in changes) else "changes"
    return {"+": "makes", "-": "drops", "~": "changes"}[itself.sign]


def _standing(state: State, identity: str) -> Standing:
    """How the target has it, by the three-way comparison of `State`."""

    def about(changes: Sequence[Change]) -> list[Change]:
        return [change for change in changes if names.belongs(change.identity, identity)]

    name = state.target.name
    drift = about([*state.drift, *state.app_drift])
    if drift:
        is_app = not about(state.drift)
        first = f"undo it, or make it in app.py: {GEN}" if is_app else CAPTURE
        return Standing(name, DRIFT, drift, first)
    by_hand = about(state.uncaptured)
    left = about(state.left_over)
    if left:
        return Standing(name, OLDER, [Change(c.identity, c.after, c.before) for c in left], DEPLOY)
    if by_hand:
        return Standing(name, BY_HAND, by_hand, CAPTURE)
    known = [i for i in {**state.live, **(state.replayed or {})} if names.belongs(i, identity)]
    made, live = state.replayed or {}, state.live
    changes = [
        Change(i, made.get(i), live.get(i))
        for i in sorted(known)
        if made.get(i) != live.get(i) and kind(i) != "owner"
    ]
    return Standing(name, PENDING if changes else SAME, changes, DEPLOY if changes else "")


def as_json(why: Why, root: Path) -> dict[str, Any]:
    """The answer for scripts: changes in the form of `db.diff --json`, links at the repo's site.

    `{"object", "name", "lane", "definition", "steps": [{"file", "line", "last", "revision",
    "title", "does", "changes", "commit", "url"}], "dependents", "mentions", "standing"}`
    """
    links = sites.of(root)
    return {
        "object": why.identity,
        "name": plain(names.shown(why.identity)) if "(" not in why.identity else None,
        "lane": why.lane,
        "definition": why.definition,
        "steps": [_step_json(step, links) for step in why.steps],
        "dependents": why.dependents,
        "mentions": why.mentions,
        "standing": {
            "target": why.standing.target,
            "how": why.standing.how,
            "changes": differences.as_json(why.standing.changes),
            "first": why.standing.first,
        }
        if why.standing
        else None,
    }


def _step_json(step: Step, links: Links | None) -> dict[str, Any]:
    return {
        "file": step.place.file,
        "line": step.place.line,
        "last": step.last,
        "revision": step.revision,
        "title": step.title,
        "does": step.does,
        "changes": differences.as_json(step.changes),
        "commit": asdict(step.commit) if step.commit else None,
        "url": links.to(step.place.file, step.place.line) if links else None,
    }
