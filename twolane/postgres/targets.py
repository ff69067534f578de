"""Resolves `--target` to databases: one name, several names with commas, patterns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from twolane.config import DEFAULT, LOCAL, SEVERAL, Config, Target, is_many
from twolane.errors import Failure
from twolane.postgres import branches, reach
from twolane.text import meant


@dataclass(frozen=True)
class Selection:
    """The targets of `--target`.

    chosen: names, in the order of the option. named: the chosen names that the user wrote in full.
    left_out: name → why the command skips it.
    """

    chosen: tuple[str, ...]
    named: frozenset[str]
    left_out: Mapping[str, str]


def select(config: Config, text: str, reading: bool = False) -> Selection:
    """The targets that the text selects; each database once, under the first of its names.

    A pattern matches targets of `pyproject.toml`, never `local` or `default`; it matches protected
    targets only if the command is `reading`.

    Raises:
        Failure: a name or a pattern matches no target, or patterns match only protected targets.
    """
    found = _expand(config, text)
    chosen: list[str] = []
    left_out: dict[str, str] = {}
    places: dict[tuple[Any, ...] | None, str] = {}
    for name, is_named in found.items():
        place = _place(config, config.targets[name])
        if not (is_named or reading) and is_protected(config, config.targets[name]):
            left_out[name] = "protected; name it in full"
        elif place and place in places:
            left_out[name] = f"the same database as {places[place]}"
        else:
            places[place] = name
            chosen.append(name)
    if not chosen:
        raise Failure(
            f"{text!r} fits protected targets alone, and no pattern means those: "
            f"{', '.join(left_out)}.",
            "Name what is meant in full; a change asks for --confirm NAME as well.",
        )
    return Selection(tuple(chosen), frozenset(n for n in chosen if found[n]), left_out)


def is_protected(config: Config, target: Target) -> bool:
    """Whether the target, or another target for the same database, is protected.

    Ignores a URL that can't be read; using that URL later raises the error.
    """
    try:
        return reach.protected_twin(config, target).protected
    except Failure:
        return target.protected


def as_json(config: Config, names: Sequence[str]) -> list[dict[str, Any]]:
    """`[{"name", "variable", "set", "protected"}]`: variable is null for the embedded database,
    which has a "branch" where each git branch has its own."""
    return [
        {
            "name": name,
            "variable": target.variable,
            "set": target.variable is None or bool(config.environment.get(target.variable)),
            "protected": is_protected(config, target),
            **branches.as_json(config, target),
        }
        for name in names
        if (target := config.targets[name])
    ]


def row(found: Mapping[str, Any]) -> Sequence[str]:
    """An entry of `as_json` as a row of a table."""
    marks = [*([] if found["set"] else ["not set"]), *(["protected"] if found["protected"] else [])]
    marks += [f"branch {found['branch']}"] if "branch" in found else []
    return found["name"], found["variable"] or "(embedded)", ", ".join(marks)


def _expand(config: Config, text: str) -> dict[str, bool]:
    """Target → whether the user wrote its name in full."""
    found: dict[str, bool] = {}
    for part in map(str.strip, text.split(SEVERAL)):
        if not part:
            raise Failure(f"--target {text!r} lacks a name beside a comma.", "Write it out.")
        if not is_many(part):
            found[config.known(part).name] = True
            continue
        listed = [name for name in config.targets if name not in (LOCAL, DEFAULT)]
        fitting = [name for name in listed if fnmatchcase(name, part)]
        if not fitting:
            raise Failure(
                f"No target fits {part!r}; there are: {', '.join(listed) or 'none'}.",
                f"{meant(part.strip('*'), listed)}A pattern means targets that pyproject.toml "
                "lists: [tool.twolane.targets]",
            )
        found |= {name: found.get(name, False) for name in fitting}
    return found


def _place(config: Config, target: Target) -> tuple[Any, ...] | None:
    try:
        return reach.place(config, target)
    except Failure:
        return None
