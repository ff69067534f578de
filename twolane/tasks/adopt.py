"""The command that adopts an existing database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from invoke.context import Context

from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import Different, command
from twolane.tasks.console import done, say, warn
from twolane.tasks.options import COMMIT, CONFIRM, JSON, TARGET
from twolane.text import clean_line, shortened

if TYPE_CHECKING:
    from twolane.adopt.histories import History
    from twolane.adopt.prepare import Adoption
    from twolane.adopt.recover import Recovered
    from twolane.state.connected import Work
    from twolane.state.state import State


@command(
    "db.adopt",
    help={
        "target": TARGET,
        "record": "Tell the database's ledger that it has run the files.",
        "confirm": CONFIRM,
        "json": JSON,
        "commit": COMMIT,
    },
)
def adopt(
    c: Context,
    target: str | None = None,
    record: bool = False,
    confirm: str | None = None,
    json: bool = False,
    commit: bool = False,
) -> None:
    """Once: bring an existing database in, proven on the shadow.

    Writes SQL files that make it, the models and the lock.

    Example:
      invoke db.adopt --target staging
    """
    from twolane.adopt import histories, prepare, recover, write
    from twolane.guards import guards
    from twolane.state.connected import work_on

    with work_on(target, console) as work:
        before = write.present(work.config)
        is_lost = record and recover.is_due(work.repo, work.ledger)
        refuse(
            None if is_lost else write.begun(work.repo, work.ledger, before),
            guards.own_service(work.contact, confirm) if record else None,
            guards.protected(work.config, work.contact, confirm) if record else None,
        )
        if is_lost:
            _recover(work, json)
            return
        found = prepare.prepare(work, before.starter)
        write.write(found, before)
        if record:
            write.record(work, found)
        known = histories.find(found.state.live, work.connection, work.config.root)
    if json:
        console.print_json(_as_json(found, known, record))
    else:
        _show(found, known, record)
        message = "chore(db): adopt the existing database"
        paths = write.paths(found.state.repo.config)
        names = sorted(path.name for path in work.config.sql.glob("*.sql"))
        console.suggest(work.config.root, paths, message, commit, names)
    if found.left:
        raise Different


def _recover(work: Work, json: bool) -> None:
    """The record of a database that lost it, from the commit where it stands."""
    from twolane.adopt import recover
    from twolane.facts import differences

    state = work.state()
    found = recover.find(work, state)
    recover.write(work, state, found)
    if json:
        console.print_json(_recovered(state, found))
        return
    past = found.past
    where = f"at commit {clean_line(past.name)}" if past.name else "in this checkout"
    done(f"Recorded: target {state.target.name} stands where the repo stands {where}.")
    say(f"  SQL files: {', '.join(file.name for file in found.files) or 'none'}")
    for revision in past.revisions:
        say(clean_line(f"  {revision.id}  {revision.title}"))
    if found.unseen:
        names = ", ".join(revision.id for revision in found.unseen)
        warn(f"Counted as run, though nothing in the tables tells: {names}.")
    if found.different:
        warn("Not as it was there, so counted as changed by hand:")
        for line in shortened(differences.flat(found.different)):
            say(clean_line(f"    {line}"))
    say("Next:  invoke db.status")


def _recovered(state: State, found: Recovered) -> dict[str, Any]:
    """The keys of an adoption, which wrote no file here; commit: null for the repo as it lies."""
    from twolane.facts import differences

    changes = differences.as_json(found.different)
    return {
        "target": state.target.name,
        "identical": not found.different,
        "facts": len(state.live),
        "files": [file.name for file in found.files],
        "later": [],
        "left": [{**change, "reason": None} for change in changes],
        "left_out": [],
        "own_schemas": list(state.repo.config.own_schemas),
        "histories": [],
        "findings": {},
        "recorded": True,
        "commit": found.past.name.partition(" ")[0] or None,
        "revision": found.past.revisions[-1].id if found.past.revisions else None,
        "unseen": [revision.id for revision in found.unseen],
    }


def _as_json(found: Adoption, known: list[History], recorded: bool) -> dict[str, Any]:
    """`{"target", "identical", "facts", "files", "later", "left", "left_out", "own_schemas",
    "histories", "findings", "recorded", "commit", "revision", "unseen"}`, the last three empty.

    facts: how many there are. later: files moved away. left: differences as in `db.diff --json`,
    each with "reason". left_out: objects in the platform's schemas that are not the platform's.
    own_schemas: those named as the platform's, and the database's own. findings: of `db.check` on
    what was adopted, guard → errors and warnings.
    """
    from twolane.facts import differences

    changes = differences.as_json([left.change for left in found.left])
    return {
        "target": found.state.target.name,
        "identical": not found.left,
        "facts": len(found.state.live),
        "files": [file.name for file in found.files],
        "later": [file.name for file in found.later],
        "left": [
            {**change, "reason": left.reason or None}
            for change, left in zip(changes, found.left, strict=True)
        ],
        "left_out": list(found.left_out),
        "own_schemas": list(found.state.repo.config.own_schemas),
        "histories": [history.as_json() for history in known],
        "findings": {
            code: {"errors": errors, "warnings": warnings}
            for code, (errors, warnings) in _findings(found).items()
        },
        "recorded": recorded,
        "commit": None,
        "revision": None,
        "unseen": [],
    }


def _show(found: Adoption, known: list[History], recorded: bool) -> None:
    say(f"Target {found.state.target.name} as SQL files, with models and lock:")
    for file in found.files:
        say(f"  {file.name}")
    if found.left:
        _show_left(found)
    else:
        facts = f"{len(found.state.live)} facts"
        done(f"Identical: the shadow made from these files has the database's {facts}.")
    if own := found.state.repo.config.own_schemas:
        say(f"Its own, though named as the platform's: {', '.join(own)} (pyproject: own_schemas).")
    if found.left_out:
        warn(
            "Left out, since they are in schemas of the platform (move them to adopt them; what is"
        )
        say("  granted there, an SQL file of yours can say):")
        for line in shortened(found.left_out):
            say(clean_line(f"    {line}"))
    _show_later(found)
    for history in known:
        say(f"Found, and left alone: {clean_line(history.text)}. See the guide: adopting.md")
    _show_findings(found)
    if recorded:
        done("Recorded: the database has run the files.")
    elif _has_other_owners(found):
        say("Next:  invoke db.adopt --record   (objects of several owners: not for db.apply)")
    else:
        say("Next:  invoke db.apply   (it changes nothing; or: invoke db.adopt --record)")


def _has_other_owners(found: Adoption) -> bool:
    """Whether a routine or relation belongs to another role than the database does."""
    kinds = ("function ", "procedure ", "aggregate ", "table ", "view ", "sequence ")
    owners = tuple(f"owner {kind}" for kind in kinds)
    return any(identity.startswith(owners) for identity in found.state.live)


def _show_left(found: Adoption) -> None:
    from twolane.facts import differences

    number = differences.count([left.change for left in found.left])
    warn(f"Not identical: the files do not make {number} as the database has them:")
    for left in found.left:
        (line,) = differences.flat([left.change])
        say(clean_line(f"    {line}{f'   ({left.reason})' if left.reason else ''}"))
    say("  Lane B goes on all the same; invoke db.sync will go on naming them.")


def _show_later(found: Adoption) -> None:
    from twolane.adopt.write import later
    from twolane.repo.starter import STARTER

    if not found.later:
        return
    folder = later(found.state.repo.config).relative_to(found.state.repo.config.root).as_posix()
    say(f"Put aside in {folder}/, since the database does not have what they make:")
    for file in found.later:
        say(f"  {file.name}   {STARTER[file.name]}")
    say(
        "  To take one in: move it back, list it in bootstrap.txt; invoke db.apply, invoke db.sync."
    )


def _show_findings(found: Adoption) -> None:
    counts = _findings(found)
    if not counts:
        return
    listed = "; ".join(f"{code} errors {e}, warnings {w}" for code, (e, w) in counts.items())
    warn(f"invoke db.check will find things in what was adopted: {listed}.")
    if entries := ", ".join(f'"{code}:*"' for code, (errors, _) in counts.items() if errors):
        say("  Mend them; or say in pyproject.toml that they are meant, by object or all at once:")
        say(f"  [tool.twolane.check] ignore = [{entries}]")


def _findings(found: Adoption) -> dict[str, tuple[int, int]]:
    """Guard → number of errors and of warnings that `db.check` has with the current settings."""
    from twolane.guards import conventions, exposed, findings

    config, facts = found.state.repo.config, found.state.live
    every = [
        *conventions.find(facts, config.tenant_column),
        *exposed.find(facts, frozenset(), config.tenant_column),
    ]
    left, _ = findings.without_ignored(every, config.ignore)
    counts = Counter((finding.code, finding.level) for finding in left)
    codes = sorted({code for code, _ in counts})
    return {c: (counts[c, findings.ERROR], counts[c, findings.WARNING]) for c in codes}
