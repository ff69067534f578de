"""What a database's own record tells of its past: files run, revisions pushed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from twolane import git
from twolane.config import Config
from twolane.postgres.transactions import ask

if TYPE_CHECKING:
    from psycopg import Connection

MOST = 500
"""So many of each, the newest."""


def read(connection: Connection[Any], config: Config) -> list[dict[str, Any]]:
    """`{"what", "kind", "at", "by", "commit", "milliseconds"}`, the newest first.

    A file's commit is the oldest that has this text, as far as the repo here has one.
    """
    found = ask(
        connection,
        "select pg_catalog.to_regclass('twolane.sql_runs'), "
        "pg_catalog.to_regclass('twolane.pushes')",
    ).fetchone()
    if found is None or found[0] is None or found[1] is None:
        return []
    runs = ask(
        connection,
        "select file, applied_at, applied_by, duration_ms, "
        "pg_catalog.to_jsonb(r) ->> 'text', digest "
        "from twolane.sql_runs r order by id desc limit %s",
        (MOST,),
    ).fetchall()
    pushes = ask(
        connection,
        "select revision, pg_catalog.to_jsonb(p) ->> 'title', pushed_at, pushed_by, duration_ms, "
        "git_commit from twolane.pushes p order by id desc limit %s",
        (MOST,),
    ).fetchall()
    commits = _commits(config)
    told = [
        _entry(
            file if digest else f"{file}: a later step took its objects away",
            *("file", at, by, commits.get(_blob(text)) if text else None, took),
        )
        for file, at, by, took, text, digest in runs
    ]
    told += [
        _entry(f"{revision}  {title or ''}".strip(), "revision", at, by, (commit or "")[:7], took)
        for revision, title, at, by, took, commit in pushes
    ]
    return sorted(told, key=lambda entry: str(entry["at"]), reverse=True)


def _entry(what: str, kind: str, at: Any, by: str, commit: str | None, took: int) -> dict[str, Any]:
    return {
        "what": what,
        "kind": kind,
        "at": at.isoformat(timespec="seconds"),
        "by": by,
        "commit": commit or None,
        "milliseconds": took,
    }


def _commits(config: Config) -> Mapping[str, str]:
    """Blob → the first commit that has it, among the SQL files."""
    folder = str(config.sql)
    told = git.line(config.root, "log", "--format=%h", "--raw", "--no-abbrev", "--", folder) or ""
    found: dict[str, str] = {}
    commit = ""
    for line in told.splitlines():
        if line.startswith(":"):
            found[line.split()[3]] = commit
        elif line:
            commit = line[:7]
    return found


def _blob(text: str) -> str:
    """The name that git gives to a file with this text (gitformat, objects)."""
    content = text.encode()
    return sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()
