"""The revisions that a downgrade takes back, chosen from those that the database has. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from twolane.errors import Failure
from twolane.guards.refusal import Refusal
from twolane.repo import lineage
from twolane.repo.contents import Repo
from twolane.repo.ledger import Ledger
from twolane.repo.lineage import BASE, Had
from twolane.repo.revisions import up_to
from twolane.text import counted

_BACK = re.compile(r"-(\d+)")


@dataclass(frozen=True)
class Route:
    """back: the revisions to take back, the newest first. to: the one that stays, None for none.

    stays: those that the database has afterwards, the newest first.
    """

    back: tuple[Had, ...]
    to: str | None
    stays: tuple[Had, ...]

    @property
    def foreign(self) -> tuple[Had, ...]:
        """Those that are taken back by the database's record."""
        return tuple(had for had in self.back if not had.is_here)

    @property
    def below_foreign(self) -> str | None:
        """The revision at which the database is once those are taken back."""
        below = (*(had for had in self.back if had.is_here), *self.stays)
        return below[0].id if below else None

    @property
    def stages(self) -> list[Route]:
        """The routes that run one after the other: an online revision has one of its own."""
        found: list[Route] = []
        groups = [list(group) for _, group in groupby(self.back, _stage)]
        for number, group in enumerate(groups):
            left = [had for later in groups[number + 1 :] for had in later]
            stays = (*left, *self.stays)
            found.append(Route(tuple(group), stays[0].id if stays else None, stays))
        return found

    @property
    def is_online(self) -> bool:
        """Whether it takes back one online revision."""
        return len(self.back) == 1 and self.back[0].online

    @property
    def is_by_files(self) -> bool:
        """Whether a `downgrade()` of the repo's is run."""
        return any(had.is_here for had in self.back)

    @property
    def end(self) -> str:
        """Where the database is afterwards, in words."""
        return f"revision {self.to}" if self.to else "the start, before the first revision"


def _stage(had: Had) -> str:
    return had.id if had.online else ""


def choose(repo: Repo, ledger: Ledger, to: str | None) -> Route:
    """The way from where the database is to `to`: a revision's id or its beginning, -1, or base.

    Raises:
        Failure: the database does not have that revision, or it is on one of several branches.
    """
    had = lineage.of(repo, ledger)
    place = _place(repo, had, to)
    route = Route(had[:place], had[place].id if place < len(had) else None, had[place:])
    aside = [each.id for each in route.back if each.is_here and not _is_above(repo, each, route.to)]
    if aside:
        raise Failure(
            f"Revision {', '.join(aside)} does not build on {route.to}: it would stay.",
            "Name the revision that both branches build on.",
        )
    return route


def _place(repo: Repo, had: Sequence[Had], to: str | None) -> int:
    """How many revisions are taken back."""
    ids = [each.id for each in had]
    listed = "".join(f"\n    {each.id}  {each.title}".rstrip() for each in had) or " none"
    steps = _BACK.fullmatch(to or "")
    if not had and (to is None or steps):
        raise Failure("The database has no revision to take back.", "invoke db.status")
    if to is None:
        raise Failure(
            f"To which revision? The database has:{listed}",
            "invoke db.downgrade --to -1   (the newest), --to REVISION, or --to base   (all)",
        )
    if to == BASE:
        if had and had[-1].down:
            raise Failure(f"What {ids[-1]} builds on is not known here.", "invoke db.status")
        return len(had)
    if steps:
        if int(steps[1]) > len(had):
            raise Failure(
                f"The database has {counted(len(had), 'revision')}, not {steps[1]}.",
                "invoke db.downgrade --to base",
            )
        return int(steps[1])
    found = [place for place, id_ in enumerate(ids) if id_ == to]
    found = found or [place for place, id_ in enumerate(ids) if id_.startswith(to)]
    if len(found) == 1:
        return found[0]
    if any(revision.id.startswith(to) for revision in repo.revisions) and not found:
        raise Failure(f"The database is not at {to} yet.", f"invoke db.push --to {to}")
    raise Failure(f"The database has no revision {to}; it has:{listed}", "invoke db.status")


def _is_above(repo: Repo, had: Had, to: str | None) -> bool:
    return to is None or any(r.id == to for r in up_to(repo.revisions, had.id))


def no_way_back(route: Route, branches: Sequence[str]) -> Refusal | None:
    """G11: what the repo does not have is taken back by the record, if that says how.

    branches: those of git that have the file of a revision whose way back nobody recorded.
    """
    lost = unrecorded(route)
    if not lost:
        return None
    way = f"invoke db.downgrade --to {route.to or BASE}"
    return Refusal(
        "G11",
        "history",
        "The database's record has no way back from these revisions, and the repo does not have "
        "them:",
        f"git switch {branches[0]} && {way} && git switch -"
        if branches
        else "check out the branch that has it: git log --all -- migrations/versions",
        details=[*map(_named, lost), *(f"branch {name} has its file" for name in branches)],
    )


def _named(had: Had) -> str:
    commit = f"   pushed at commit {had.commit[:12]}" if had.commit else ""
    return f"{had.id}  {had.title}{commit}"


def unrecorded(route: Route) -> tuple[Had, ...]:
    """Those that neither a file nor the record takes back."""
    return tuple(had for had in route.foreign if not had.has_undo)
