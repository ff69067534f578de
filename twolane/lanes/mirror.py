"""The mirror: `introspected.py` and the lock, what a database has once all the repo is in it.

A sync merges what was changed by hand in a database into it; what the database still lacks of the
repo stays in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twolane import files
from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog, differences, identities
from twolane.facts.catalog import Change
from twolane.facts.lock import dump_lock
from twolane.models import again, render
from twolane.postgres import transactions
from twolane.repo import ledger, ledger_tables, record
from twolane.state import completion
from twolane.state.state import State
from twolane.telling import Tell

if TYPE_CHECKING:
    from psycopg import Connection


_ENGINE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mirror:
    """What a sync would write, by file; the files that differ from it; the facts that differ."""

    state: State
    texts: dict[Path, str]
    stale: Sequence[Path]
    changes: Sequence[Change]

    @property
    def stale_names(self) -> list[str]:
        return [path.relative_to(self.state.repo.config.root).as_posix() for path in self.stale]


def expect_something(state: State) -> None:
    """Raises a `Failure` for an empty database: its mirror would be empty, too."""
    tables = [i for i in state.live if identities.kind(i) in identities.RELATION_KINDS]
    if not tables and state.repo.lock and (state.pending_before or state.waiting):
        raise Failure(
            f"Target {state.target.name} is empty: there is nothing to mirror yet.",
            "invoke db.bootstrap",
        )


def read(state: State) -> Mirror:
    """The mirror as it should be, compared with the files; the lock comes last."""
    config = state.repo.config
    lock = {config.lock: dump_lock(state.intended)}
    if not _stale(lock) and _is_rendered(config):
        return Mirror(state, lock, [], [])
    texts = {config.introspected: _models(state), **lock}
    stale = _stale(texts)
    if not stale:
        _mark(config).write_text(_digest(config), encoding="utf-8")
    return Mirror(state, texts, stale, catalog.diff(state.repo.lock, state.intended))


def _models(state: State) -> str:
    """The models of what is intended; of those in the file, what is far from a change is kept."""
    config, facts = state.repo.config, state.intended
    if _is_rendered(config):
        text = config.introspected.read_text(encoding="utf-8")
        if models := again.render_again(text, state.repo.lock, facts):
            return models
    return render.render_models(facts)


def _stale(texts: dict[Path, str]) -> list[Path]:
    return [
        path
        for path, text in texts.items()
        if not path.exists() or path.read_bytes() != text.encode()
    ]


def _is_rendered(config: Config) -> bool:
    """Whether an earlier run found that this code renders these models from this lock."""
    mark = _mark(config)
    return mark.exists() and mark.read_text(encoding="utf-8") == _digest(config)


def _mark(config: Config) -> Path:
    return config.home / "rendered"


def _digest(config: Config) -> str:
    code = [p for room in ("models", "facts") for p in (_ENGINE / room).glob("*.py")]
    digest = sha256()
    for path in (config.lock, config.introspected, _ENGINE / "sql.py", *sorted(code)):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


def write(mirror: Mirror) -> None:
    """Writes what is stale; the lock last, so that a sync cut short is seen as unfinished.

    Raises:
        Failure: the package has no folder for the models.
    """
    for path in mirror.stale:
        if not path.parent.is_dir():
            raise Failure(
                f"There is no folder {path.parent} to write {path.name} into.",
                "Check `package` in [tool.twolane] of pyproject.toml.",
            )
    if mirror.stale:
        with files.alone(mirror.state.repo.config):
            files.write({path: mirror.texts[path] for path in mirror.stale})
            _mark(mirror.state.repo.config).write_text(
                _digest(mirror.state.repo.config), encoding="utf-8"
            )


def remember(connection: Connection[Any], state: State, tell: Tell) -> None:
    """Records in the database what the mirror has seen of changes by hand there.

    A database that twolane never changed gets no record by being looked at; nor does one that the
    role may not write to.
    """
    from psycopg import errors

    facts = {record.SEEN: state.printed} if state.as_left != state.printed else {}
    swapped = state.renamed.swapped
    if state.ledger.is_empty or (
        completion.is_complete(state.ledger) and not facts and not swapped
    ):
        return
    lacking = completion.find(connection, state, tell.working)
    try:
        with transactions.transaction(connection):
            transactions.exclusive(connection, tell.note)
            if ledger.read(connection) != state.ledger:
                return  # another command has written the record since
            ledger_tables.prepare(connection)
            lacking.write(connection, state.ledger)
            for kind, found in facts.items():
                record.write(connection, state.ledger, kind, found)
            if swapped:
                record.write_numbers(connection, state.ledger, state.as_left)
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        return


def as_json(mirror: Mirror, written: bool) -> dict[str, Any]:
    """`{"changes", "no_sql_file_makes", "files", "written", "app_drift", "problem"}`.

    changes, no_sql_file_makes, app_drift: as in `db.diff --json`; files: those that are stale.
    problem: why the repo's files don't run on the shadow, or null. Where there are such:
    renamed, by hand, `{"before", "after"}`; swapped, facts that have each other's names.
    """
    state = mirror.state
    renamed = [{"before": old, "after": new} for old, new in state.renamed_uncaptured.items()]
    swapped = list(state.renamed.swapped)
    return {
        "changes": differences.as_json(mirror.changes),
        "no_sql_file_makes": differences.as_json(state.uncaptured),
        "files": mirror.stale_names,
        "written": written and bool(mirror.stale),
        "app_drift": differences.as_json(state.app_drift),
        "problem": state.replay_error.message if state.replay_error else None,
        **({"renamed": renamed} if renamed else {}),
        **({"swapped": swapped} if swapped else {}),
    }
