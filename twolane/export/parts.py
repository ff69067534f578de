"""What a migration has to run: the SQL of both lanes, and what twolane's record says of it. Pure.

A database that ran the migrations has the record that it would have after `db.deploy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twolane.deploy.deployment import Deployment
from twolane.repo import versions
from twolane.repo.identity import TABLE as SERVICE
from twolane.repo.identity import Service
from twolane.repo.ledger import NOT_RUN, Ledger
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile
from twolane.repo.supabase_migrations import at_revision, of_file
from twolane.sql import literal, readable_statements
from twolane.state.plan import Plan

# The CLI reads a statement of at most 256 KB.
_LINES = 500


@dataclass(frozen=True)
class Part:
    """An SQL file, or what a revision sends.

    title: names it; words: shortly. texts: its SQL. records: the statements that enter it into the
    record. file: the file that it is.
    """

    title: str
    words: str
    texts: Sequence[str]
    records: Sequence[str] = ()
    file: SqlFile | None = None


Unit = Sequence[Part]
"""What has to be one transaction."""


def of(found: Deployment) -> list[Unit]:
    """What brings a database from where it stands to what the repo says, in its order."""
    units: list[Unit] = [[_file(file)] for file in found.early]
    units += [_stage(stage) for stage in found.plan.in_stages if stage.revisions]
    units += [[_file(file)] for file in found.late]
    return [*units, [_left_over(found)]] if found.course.rest else units


def _file(file: SqlFile) -> Part:
    name = f"supabase/sql/{file.name}"
    words = file.name.removesuffix(".sql").lstrip("0123456789_")
    return Part(name, words, [file.text], list(_file_record(file)), file)


def _file_record(file: SqlFile) -> Iterator[str]:
    lines = file.text.splitlines(keepends=True) or [""]
    first, *more = ["".join(lines[n : n + _LINES]) for n in range(0, len(lines), _LINES)]
    late = "true" if file.after_migrations else "false"
    yield (
        "insert into twolane.sql_runs (file, digest, duration_ms, after_migrations, text)\n"
        f"{of_file(file.name, file.digest)}0, {late}, {quoted(first)});"
    )
    for text in more:
        yield (
            f"update twolane.sql_runs set text = text || {quoted(text)}\n"
            "where id = (select pg_catalog.max(id) from twolane.sql_runs);"
        )


def _stage(stage: Plan) -> Unit:
    """Revisions that are one transaction, with the files that have to run in it."""
    parts = [_revision(stage, revision) for revision in stage.revisions]
    if stage.drops:
        title = "what SQL files make on the tables that change, and will make again"
        parts.insert(0, Part(title, "", stage.drops))
    return [*parts, *map(_file, stage.again)]


def _revision(stage: Plan, revision: Revision) -> Part:
    ran, undo = stage.ran.get(revision.id, ()), stage.undo.get(revision.id)
    alone = {step.sql for step in stage.steps if step.is_alone}
    texts = [_plain(text) if text in alone else text for text in ran]
    version = literal(revision.id)
    down = _array(revision.down)
    records = [
        "insert into twolane.pushes\n    (revision, digest, duration_ms, title, down, online, ran, "
        f"undo)\nvalues (\n    {version}, {literal(revision.digest)}, 0, {quoted(revision.title)},"
        f"\n    {down}, {'true' if revision.online else 'false'},\n    {_texts(ran)},\n    "
        f"{_texts(undo)}\n);",
        f"delete from {versions.TABLE} where version_num = any ({down});",
        at_revision(revision.id),
    ]
    return Part(f"revision {revision.id}  {revision.title}", revision.title, texts, records)


def _plain(text: str) -> str:
    """A statement that Postgres refuses in a transaction, as it takes it there."""
    from pglast.parser import scan

    for token in reversed(scan(text)):
        if token.name == "CONCURRENTLY":
            text = text[: token.start].rstrip() + text[token.end + 1 :]
    return text


def _left_over(found: Deployment) -> Part:
    gone = found.state.ledger.applied.keys() - {f.name for f in found.state.repo.order.files}
    return Part(
        "what an older form of the repo left over",
        "left over",
        [statement.sql for statement in found.course.rest],
        [
            f"insert into twolane.sql_runs (file, digest, duration_ms)\n{of_file(name, NOT_RUN)}0);"
            for name in sorted(gone)
        ],
    )


def asks(part: Part) -> bool:
    """Whether it reads rows in Python: what it sent then depends on those that it found."""
    return part.file is None and any(
        type(found.node).__name__ == "SelectStmt" and found.node.fromClause
        for text in part.texts
        for found in readable_statements(text)
    )


def service(of: Service) -> str:
    """The statements that say whose database it is."""
    return f"""{SERVICE.strip()}
insert into twolane.service (package, folder, roots)
values ({literal(of.package)}, {literal(of.folder)}, {_array(of.roots)})
on conflict (only_one) do nothing;
"""


def start(version: str, ledger: Ledger) -> str:
    """The statement that stops a migration where the database stands elsewhere.

    version: the migration's own. ledger: what the migrations before it leave.
    """
    way = (
        "If it has what this migration brings (invoke db.status tells), mark it: "
        f"supabase migration repair --status applied {version}"
    )
    if ledger.is_empty:
        ask = (
            "pg_catalog.to_regclass('twolane.sql_runs') is not null then\n"
            "    if exists (select from twolane.sql_runs) or exists (select from twolane.pushes)"
        )
        said, end = "twolane has been in this database before.", "    end if;\n  end if;"
        return _stop(f"  if {ask} then\n      raise", f"{said} {way}", end)
    at = literal(ledger.revision) if ledger.revision else "null"
    ask = f"(select pg_catalog.max(version_num) from {versions.TABLE}) is distinct from\n    {at}"
    said = "This database has a revision already, and this migration brings the first."
    if ledger.revision:
        said = f"This database is not at revision {ledger.revision}, from which this goes on."
    return _stop(f"  if {ask} then\n    raise", f"{said} {way}", "  end if;")


def _stop(head: str, message: str, end: str) -> str:
    return f"do $twolane$\nbegin\n{head} exception {literal(message)};\n{end}\nend $twolane$;\n"


def quoted(text: str) -> str:
    """The text as a constant in which nothing has to be escaped."""
    tag, number = "$twolane$", 0
    while tag in text:
        number += 1
        tag = f"$twolane_{number}$"
    return f"{tag}{text}{tag}"


def _texts(texts: Sequence[str] | None) -> str:
    if texts is None:
        return "null"
    return f"array[{', '.join(map(quoted, texts))}]::pg_catalog.text[]"


def _array(texts: Sequence[str]) -> str:
    return f"array[{', '.join(map(literal, texts))}]::pg_catalog.text[]"
