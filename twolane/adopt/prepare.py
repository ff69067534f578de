"""Turns an existing database into lane A: SQL files that recreate it, proven on the shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from twolane.adopt import extensions, platform, rights, trial
from twolane.adopt import files as adopt_files
from twolane.adopt import order as adopt_order
from twolane.adopt import rest as adopt_rest
from twolane.adopt.files import AdoptedFrom
from twolane.adopt.rest import Live, Rest
from twolane.capture import capture
from twolane.ddl.render import Left
from twolane.errors import Failure
from twolane.facts import catalog, identities, views
from twolane.facts.catalog import Snapshot
from twolane.facts.differences import without_owners
from twolane.postgres import connections, dump, reach, session
from twolane.postgres.dump import Entry
from twolane.postgres.transactions import ask
from twolane.repo.order import Order
from twolane.repo.sqlfiles import FileFailure, SqlFile
from twolane.shadow import shadow
from twolane.shadow.shadow import Replay
from twolane.shadow.steps import files_step
from twolane.state.connected import Work
from twolane.state.state import State

_WORTH = (*identities.RELATION_KINDS, "composite type", "domain", "enum", "function")


@dataclass(frozen=True)
class Adoption:
    """An adoption that is proven and not written yet.

    state: the database, compared with the repo after the adoption. later: starter files that make
    something the database lacks. left: where the database differs from what the files make.
    left_out: objects in the platform's schemas that are not the platform's, in words.
    """

    state: State
    later: tuple[SqlFile, ...]
    left: tuple[Left, ...]
    left_out: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[SqlFile, ...]:
        return self.state.repo.order.files


@dataclass(frozen=True)
class _Survey:
    """What we know about the database before its dump is replayed."""

    ground: AdoptedFrom
    live: Live

    @property
    def facts(self) -> Snapshot:
        return self.ground.facts


def prepare(work: Work, starter: Sequence[SqlFile]) -> Adoption:
    """Reads the database and finds the files that make it, on the shadow. Writes nothing.

    starter: SQL files. A file stays, before all others, if the database has what it makes.

    Raises:
        Failure: the database is empty or can't be read; the shadow's server lacks an extension.
    """
    with work.tell.working("reading the schema"):
        work = _with_own_schemas(work)
        survey = _survey(work)
        dumped = _entries(work)
    kept = _kept(work, starter, survey.facts)
    own = adopt_order.own(dumped, survey.facts, _replay(work, kept).facts)
    base, entries = _base(work, kept, own, survey)
    rest = _rest(work, base, survey)
    files = adopt_files.make(entries, survey.ground, rest.blocks)
    order = Order((*kept, *files), (), (), ())
    proven = replace(work, repo=replace(work.repo, order=order, lock={})).state()
    if proven.replayed is None:
        raise proven.replay_error or Failure("The files don't run on the shadow.")
    later = tuple(file for file in starter if file not in kept)
    left = rest.left(proven.replayed, proven.live)
    return Adoption(proven, later, left, tuple(platform.left_out(work.connection)))


def _with_own_schemas(work: Work) -> Work:
    """The work with the setting `own_schemas` as the database has it."""
    empty = shadow.replay(work.config, [], work.tell.working)
    with shadow.connect(work.config, empty.database) as stub:
        own = platform.own_schemas(work.connection, stub, work.config.own_schemas)
    config = replace(work.config, own_schemas=tuple(own))
    return replace(work, repo=replace(work.repo, config=config))


def _survey(work: Work) -> _Survey:
    connection = work.connection
    facts = catalog.read(connection)
    if not any(identities.kind(identity) in _WORTH for identity in facts):
        raise Failure(
            f"Target {work.target.name} is empty: there is nothing to adopt.",
            "invoke db.bootstrap",
        )
    empty = shadow.replay(work.config, [], work.tell.working)
    with shadow.connect(work.config, empty.database) as on_shadow:
        available = extensions.available(on_shadow)
    lacking = extensions.read(connection).lacking(available)
    roles = {role for (role,) in ask(connection, "select rolname from pg_catalog.pg_roles")}
    given = [role for role in rights.GIVEN if role in roles]
    owner = connections.owner(connection)
    return _Survey(AdoptedFrom(facts, lacking, given, owner), Live(owner, roles))


def _entries(work: Work) -> list[Entry]:
    found = reach.parameters(work.config, work.target)
    parameters, told = session.parameters(found, work.connection)
    if told:
        work.tell.note(told)
    return dump.read(work.connection, parameters)


def _kept(work: Work, starter: Sequence[SqlFile], facts: Snapshot) -> list[SqlFile]:
    kept: list[SqlFile] = []
    for file in starter:
        before = _replay(work, kept).facts
        try:
            after = _replay(work, [*kept, file]).facts
        except FileFailure:  # it builds on a schema of the platform, and the database has its own
            continue
        changes = without_owners(before, after)
        if all(facts.get(change.identity) == change.after for change in changes):
            kept.append(file)
    return kept


def _base(
    work: Work, kept: Sequence[SqlFile], entries: Sequence[Entry], survey: _Survey
) -> tuple[Replay, Sequence[Entry]]:
    """The shadow made from the dump's files, and their entries: those that the shadow accepts."""
    try:
        return _replay(work, [*kept, *adopt_files.make(entries, survey.ground)]), entries
    except FileFailure:
        taken = _taken(work, kept, entries)
    return _replay(work, [*kept, *adopt_files.make(taken, survey.ground)]), taken


def _taken(work: Work, kept: Sequence[SqlFile], entries: Sequence[Entry]) -> list[Entry]:
    """The entries that the shadow accepts: others need objects that its platform stub lacks."""
    with (
        work.tell.working("finding what the shadow does not take"),
        shadow.open_clone(work.config, _replay(work, kept).database) as connection,
    ):
        return list(trial.taken(connection, entries))


def _replay(work: Work, files: Sequence[SqlFile]) -> Replay:
    return shadow.replay(work.config, [files_step(files)], work.tell.working)


def _rest(work: Work, base: Replay, survey: _Survey) -> Rest:
    """The SQL for what the dump's files don't make or make differently."""
    connect = partial(shadow.connect, work.config, base.database)
    live = views.settle(survey.facts, base.facts, connect)
    if not without_owners(base.facts, live):
        return Rest()
    with work.tell.working("writing what the dump leaves out"):
        placed = capture.columns(work.connection)
        return adopt_rest.find(work.config, base.database, live, survey.live, placed)
