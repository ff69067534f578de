"""Consents given at a push, kept as a comment in the revision that they were given for.

`db.check` needs no database, and the file is what travels. A comment does not change a revision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from twolane import files
from twolane.config import Config
from twolane.repo.revisions import Revision

# The kinds of hazard that G14 would ask about again.
KINDS = ("narrow", "rewrite")
_LEAD = "# Meant, as was said at a push: "
_LINE = re.compile(rf"^{re.escape(_LEAD)}(.*)\n", re.MULTILINE)
_PLACE = re.compile(r"^revision\b", re.MULTILINE)


def given(path: Path) -> tuple[str, ...]:
    """The consents in a revision's file, as `--allow` takes them."""
    found = _LINE.search(path.read_text(encoding="utf-8"))
    return tuple(found[1].removeprefix("--allow ").split(" --allow ")) if found else ()


def tables(path: Path) -> frozenset[str]:
    """The tables whose rows may be written anew or cut, as `schema.name` without quotes."""
    found = (consent.partition(":") for consent in given(path))
    return frozenset(_table(kind, name) for kind, _, name in found if kind in KINDS)


def keep(config: Config, revisions: Sequence[Revision], consents: Sequence[str]) -> None:
    """Notes consents of these kinds in the revisions that name their table; in all, if none does.

    consents: as `--allow` takes them.
    """
    for consent in consents:
        kind, _, name = consent.partition(":")
        if kind in KINDS:
            table = _table(kind, name).rpartition(".")[2]
            about = [r for r in revisions if _names(r.path, table)] or list(revisions)
            with files.alone(config):
                for revision in about:
                    _note(revision.path, consent)


def _table(kind: str, name: str) -> str:
    """The table of `rewrite:notes` or `narrow:notes.body`; `public` is left out there."""
    table = name.rpartition(".")[0] if kind == "narrow" else name
    return table if "." in table else f"public.{table}"


def _names(path: Path, table: str) -> bool:
    return bool(re.search(rf"\b{re.escape(table)}\b", path.read_text(encoding="utf-8")))


def _note(path: Path, consent: str) -> None:
    kept = given(path)
    if consent in kept:
        return
    line = _LEAD + " ".join(f"--allow {each}" for each in (*kept, consent)) + "\n"
    text = _LINE.sub("", path.read_text(encoding="utf-8"))
    noted = _PLACE.sub(lambda found: line + found[0], text, count=1)
    files.write({path: files.with_line_ends(noted, like=path.read_bytes())})
