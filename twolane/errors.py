"""Errors that are no fault of the code: each has one message, with the next step in it."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from twolane import blocks

if TYPE_CHECKING:
    import psycopg


class Failure(Exception):
    """An error that the user can mend: one message, and what to do first. Exit code 1."""

    def __init__(self, message: str, first: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.first = first


class Unreachable(Failure):
    """The database can't be connected to."""


_STUB = "On a plain Postgres, load the stub once: invoke db.psql --platform"
# SQLSTATEs for a missing schema, table, function, role; and the names that Supabase provides.
_MISSING = ("3F000", "42P01", "42883", "42704")
_OF_SUPABASE = re.compile(
    r'["\s](auth|extensions|realtime|storage)[".]|role "(anon|authenticated|service_role)"'
)
_OF_THE_PLATFORM = re.compile(
    r'\b"?(auth|cron|graphql|graphql_public|net|realtime|storage|vault)"?\s*\.', re.I
)
PLATFORM = (
    "It is the platform's, on Supabase as here: `postgres` owns nothing in it. A project may refer "
    "to its tables, and make triggers and policies on them; put what is yours into another schema."
)
AS_ON_SUPABASE = (
    "Here `postgres` has the rights that it has on Supabase: what needs a superuser fails on both."
)
_CORRECT = "Correct it, then run the same command again."
_BY_ATTRIBUTE = (
    "In app.py, write a key to a table of the other lane as an attribute: ForeignKey(Contacts.id)."
)
_NEXT_STEPS = {
    "08001": "Compare sslmode and sslrootcert in the URL with what the server offers.",
    "25001": "It can't be part of a transaction: run it by hand with `invoke db.psql -c`.",
    "25006": "The server is read-only (a replica, or a full disk): use the primary's URL.",
    "28P01": "Check user and password in the URL (special characters must be percent-encoded).",
    "28000": "Check user and password in the URL, and that this role may connect.",
    "2BP01": "Change what depends on it first, in the file that makes it: "
    "supabase/sql/, below @migrations where it stands on a table of app.py.",
    "3D000": "Check the database's name at the end of the URL; on Supabase it is `postgres`.",
    "3F000": "Make the schema in an SQL file, above @migrations where app.py names it: "
    "create schema if not exists …;",
    "42501": "Connect as the role that owns the objects; on Supabase that is `postgres`.",
    "53100": "Free disk space on the server, then run the same command again.",
    "53300": "Too many connections: close some, or use the pooler's URL.",
    "55P03": "Somebody holds the lock: wait for them, then run the same command again.",
    "57P01": "The server cut the connection: run the same command again.",
    "57P02": "The server broke off: run the same command again when it is back.",
    "57P03": "The server is starting or stopping: run the same command again in a moment.",
    "57014": "It ran into statement_timeout: run the same command again when the server is calmer.",
}


def explain(problem: Exception) -> Failure:
    """Any exception as one message; an unexpected one asks for the traceback."""
    if isinstance(problem, Failure):
        return problem
    import psycopg

    problem = getattr(problem, "orig", problem)  # SQLAlchemy wraps the driver's
    if isinstance(problem, psycopg.Error):
        return from_postgres(problem, "The database refused")
    if isinstance(problem, OSError):
        return Failure(
            str(problem), "Check the path, its permissions and the free space on the disk."
        )
    if isinstance(problem, ModuleNotFoundError):
        return Failure(str(problem), "Install the service's dependencies: pip install -e '.[dev]'")
    if isinstance(problem, EOFError) and "marshal" in str(problem):
        return Failure(
            "A compiled module was cut short, by a full disk perhaps.",
            "Delete the folders __pycache__, then run the same command again.",
        )
    return Failure(f"{type(problem).__name__}: {problem}", "See the traceback: invoke --debug …")


def from_postgres(error: psycopg.Error, doing: str) -> Failure:
    """A database error in the user's words.

    `doing` names the work that failed ("Connecting to target local"). psycopg's messages name host
    and database, never the password; SQLSTATE codes are those of the manual, appendix A.
    """
    state = error.sqlstate or _guess(str(error))
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    if error.diag.message_detail:
        message += f"\n{error.diag.message_detail}"
    if error.sqlstate:  # SQL may raise lines that look like twolane's own
        message = message.replace("\n", "\n  ")
    hint = "" if state == "2BP01" else error.diag.message_hint or ""  # its advice is CASCADE
    first = hint.replace("\n", "\n  ") or _NEXT_STEPS.get(state, "")
    if state in _MISSING and _OF_SUPABASE.search(message):
        first = _STUB
    if not error.sqlstate and not first:
        first = "Check that the server runs and that host and port in the URL are right."
    return Failure(f"{doing}: {message}", first)


def denied(statement: str, role: str, first: str) -> str:
    """What to do where a role has no right to a statement; `first` is what is said otherwise.

    role: who ran it; twolane's own stand-in for `postgres` has that in its name.
    """
    if _OF_THE_PLATFORM.search(blocks.uncommented(statement)):
        return PLATFORM
    return AS_ON_SUPABASE if "postgres" in role else first


def _guess(message: str) -> str:
    """The SQLSTATE of a failed connection attempt, for which psycopg reports none."""
    for text, state in (
        ("password authentication failed", "28P01"),
        ("no password supplied", "28P01"),
        ('role "', "28000"),
        ("does not exist", "3D000"),
        ("no pg_hba.conf entry", "28000"),
        ("SSL", "08001"),
        ("certificate", "08001"),
        ("too many clients", "53300"),
        ("the connection is lost", "57P01"),
    ):
        if text in message:
            return state
    return ""


def from_user_code(error: BaseException, root: Path) -> Failure:
    """An exception out of the service's own code: `file:line: what happened`, and that line."""
    if isinstance(error, SyntaxError):
        return Failure(
            f"{_relative(error.filename or '?', root)}:{error.lineno}: {error.msg}\n"
            f"    {(error.text or '').rstrip()}\n    {' ' * ((error.offset or 1) - 1)}^",
            _CORRECT,
        )
    what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if type(error).__name__ == "NoReferencedTableError":
        return Failure(what, _BY_ATTRIBUTE)
    frame = _own_frame(error, root)
    if frame is None:
        return Failure(what, _CORRECT)
    return Failure(f"{_place(frame, root)}: {what}\n    {frame.line or ''}", _CORRECT)


def place_in_user_code(error: BaseException, root: Path) -> str | None:
    """`file:line` of the service's own code that the error came through last, if it did."""
    frame = _own_frame(error, root)
    return _place(frame, root) if frame else None


def _own_frame(error: BaseException, root: Path) -> traceback.FrameSummary | None:
    """The last call of the service's code; Alembic's environment counts only if there is no other.

    Code in `tasks.py`, or installed below the service's folder, is not where an error is mended.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
        and Path(frame.filename) != root / "tasks.py"
        and "site-packages" not in frame.filename
    ]
    own = [frame for frame in frames if Path(frame.filename).name != "env.py"] or frames
    return own[-1] if own else None


def _place(frame: traceback.FrameSummary, root: Path) -> str:
    return f"{_relative(frame.filename, root)}:{frame.lineno}"


def _relative(filename: str, root: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(root)) if path.is_relative_to(root) else filename
