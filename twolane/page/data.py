"""All that a page shows, as one JSON value: see `collect`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twolane.facts import relations
from twolane.page import drawing, graph, tables
from twolane.page.compare import compare
from twolane.page.source import Source
from twolane.repo import kept, locations
from twolane.repo.contents import Repo
from twolane.repo.revisions import Revision
from twolane.telling import Working
from twolane.why import links, trail, written
from twolane.why.commits import Commits


@dataclass(frozen=True)
class Shown:
    """What a page is about.

    source: what is drawn. other: what it is compared with. status: as `db.status --json` has it,
    None without a target. history: of the target's record.
    """

    repo: Repo
    source: Source
    other: Source | None = None
    status: Mapping[str, Any] | None = None
    history: Sequence[Mapping[str, Any]] = ()


def collect(shown: Shown, version: str, folder: Path, working: Working) -> dict[str, Any]:
    """The page's value. Reports of `db.check` and `db.prove` are those that were kept.

    folder: where the page will lie; links to the repo's files start there.

    Raises:
        Failure: the repo's files don't run.
    """
    source, repo = shown.source, shown.repo
    places = Places(repo, _trail(repo, working))
    site = links.of(repo.config.root)
    everything = relations.relations(source.facts)
    found = tables.tables(everything, source.facts, source.app, places)
    return {
        "service": repo.config.package,
        "name": source.name,
        "version": version,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "root": _way(folder, repo.config.root),
        "status": shown.status,
        "tables": found,
        "others": tables.others(source.facts, places),
        "diagram": _diagram(graph.of(everything, source.app), [table["name"] for table in found]),
        "compare": compare(source, shown.other) if shown.other else None,
        "check": kept.newest(repo.config, kept.CHECK),
        "proof": _proof(kept.newest(repo.config, kept.PROVE)),
        "history": list(shown.history),
        "places": places.listed,
        "line": site.line if site else "#L",
        "urls": {file: url for file in places.files() if site and (url := site.file(file))},
    }


def _way(folder: Path, root: Path) -> str:
    """The way from one folder to another, as a link; no page tells where a repo lies."""
    try:
        return quote(Path(os.path.relpath(root, folder)).as_posix())
    except ValueError:  # another drive
        return "."


def _trail(repo: Repo, working: Working) -> trail.Trail | None:
    """What made each fact, where that is known or found out soon enough."""
    if not trail.is_affordable(repo, working):
        return trail.known(repo, working)
    return trail.exact(repo, working, trail.read(repo, working))


@dataclass
class Places:
    """Numbers the places of facts: `[file, line, revision, title, commit, day, author]`.

    Where the trail is not known, the words of the files tell.
    """

    repo: Repo
    found: trail.Trail | None
    listed: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._commits = Commits(self.repo.config.root)
        self._titles = {revision.id: revision.title for revision in self.repo.revisions}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._events: dict[str, list[trail.Event]] = {}
        for event in self.found.events if self.found else ():
            self._events.setdefault(event.change.identity, []).append(event)
        self._written = {} if self.found else _written(self.repo)

    def __call__(self, identity: str) -> list[int]:
        if self.found is None:
            places = written.of(identity, self._written)
            return [self._number(locations.Place(f, n), None, r) for f, n, r in places]
        return list(
            dict.fromkeys(
                self._number(event.place, event.last or None, event.revision)
                for event in self._events.get(identity, ())
            )
        )

    def files(self) -> list[str]:
        """The files that were named."""
        return sorted({file for file, *_ in self.listed})

    def _number(self, place: locations.Place, last: int | None, revision: str | None) -> int:
        key = (place.file, place.line, revision)
        if key not in self._numbers:
            commit = self._commits.first(place.file) if revision else self._commits.of(place, last)
            brought = [commit.id, commit.day, commit.author] if commit else []
            self._numbers[key] = len(self.listed)
            self.listed.append([*key, self._titles.get(revision or ""), *brought])
        return self._numbers[key]


def _written(repo: Repo) -> Mapping[str, Sequence[written.Written]]:
    """What the files' words make; what a file makes is kept until it changes."""
    known = kept.newest(repo.config, "written")
    before: Mapping[str, dict[str, list[int]]] = known["report"] if known else {}
    steps = {f"{locations.path_of(step)} {step.digest}": step for step in trail.replayed(repo)}
    made = {
        key: before[key] if key in before else written.made_by(step) for key, step in steps.items()
    }
    if made != before:
        kept.keep(repo.config, "written", made)
    return written.together(
        (locations.path_of(step), step.id if isinstance(step, Revision) else None, made[key])
        for key, step in steps.items()
    )


def _diagram(shown: graph.Graph, names: Sequence[str]) -> dict[str, Any]:
    """`boxes`: table, x, y, width, height, its columns in the box; `links`: child, parent, the
    first column of each, whether it is required. Tables are numbers."""
    drawn = drawing.draw(shown)
    number = {name: n for n, name in enumerate(names)}
    boxes = [
        [
            *(number[name], round(box.x), round(box.y), round(box.width), round(box.height)),
            [
                [column.name, column.type, 1 if column.is_key else 2 if column.refers else 0]
                for column in drawn.rows[name]
            ],
        ]
        for name, box in drawn.boxes.items()
    ]
    links = [
        [
            *(number[link.child], number[link.parent], link.columns[0], link.parent_columns[0]),
            int(link.is_required),
        ]
        for link in drawn.graph.links
    ]
    return {"boxes": boxes, "links": links, "size": list(map(round, drawn.size))}


def _proof(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The kept proof, its matrix by object; texts that repeat are numbers in `texts`."""
    if found is None:
        return None
    texts: dict[str, int] = {}
    objects: dict[str, list[list[Any]]] = {}
    for cell in found["report"]["matrix"]:
        words = [cell[key] for key in ("detail", "statement")]
        row = [cell["who"], cell["rows"], cell["operation"], cell["verdict"]]
        numbers = [texts.setdefault(word, len(texts)) for word in words]
        objects.setdefault(cell["object"], []).append([*row, *numbers])
    return {
        "at": found["at"],
        "commit": (found["commit"] or "")[:7],
        "report": {key: value for key, value in found["report"].items() if key != "matrix"},
        "objects": objects,
        "texts": list(texts),
    }


def as_text(value: Any) -> str:
    """The value as JSON that may stand in a `script` element: no text in it can end that."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
