"""`db.gen` writes what a large table takes while it is in use: where the table exists."""

from __future__ import annotations

import json

import pytest
from generation import HEAD, NO_CHANGES
from service import APP, Service

from twolane.facts import identities
from twolane.migrations import wording

BEFORE = """

class Authors(UUIDKey, AppBase):
    __tablename__ = "authors"

    name: Mapped[str]


class Notes(UUIDKey, AppBase):
    __tablename__ = "notes"
    __table_args__ = (Index("notes_old_idx", "pages"), Index("notes_kept_idx", "pages"))

    body: Mapped[str | None]
    author_id: Mapped[uuid.UUID | None]
    pages: Mapped[int]
"""
AFTER = """

class Authors(UUIDKey, AppBase):
    __tablename__ = "authors"
    __table_args__ = (UniqueConstraint("name", postgresql_nulls_not_distinct=True),)

    name: Mapped[str] = mapped_column(index=True)


class Notes(UUIDKey, AppBase):
    __tablename__ = "notes"
    __table_args__ = (
        CheckConstraint("pages > 0", name="pages_positive"),
        Index("notes_long_idx", text("lower(body)"), postgresql_where=text("pages > 100")),
        Index("notes_twice_idx", "author_id", "pages", unique=True),
        Index("notes_kept_idx", "pages", "author_id"),
    )

    body: Mapped[str] = mapped_column(server_default="")
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(Authors.id))
    pages: Mapped[int]
    token: Mapped[uuid.UUID] = mapped_column(server_default=func.gen_random_uuid())
    kind: Mapped[str] = mapped_column(server_default="plain")


class Tags(UUIDKey, AppBase):
    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("word"), CheckConstraint("word <> ''", name="said"))

    word: Mapped[str] = mapped_column(index=True)
    note_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Notes.id))
"""


def consents(service: Service) -> list[str]:
    plan = json.loads(service.invoke("db.push", "--dry-run", "--json").out)
    asked = [hazard["key"] for hazard in plan["hazards"] if hazard["needs_consent"]]
    return [word for key in asked for word in ("--allow", key)]


def test_what_takes_long_on_a_table_that_exists_follows_in_an_online_revision(
    service: Service,
) -> None:
    service.write(APP, HEAD + BEFORE)
    service.invoke("db.gen", "-m", "notes")
    service.invoke("db.push")
    assert len(service.revisions()) == 1
    service.sql("insert into authors (name) values ('a'), ('b')")
    service.sql(
        "insert into notes (body, author_id, pages) "
        "select 'x', (select min(id::text)::uuid from authors), n from generate_series(1, 2500) n"
    )

    service.write(APP, HEAD + AFTER)
    said = service.invoke("db.gen", "-m", "grow").out
    plain, online = (path.read_text() for path in service.revisions()[1:])
    assert said.count("✓ Wrote") == 2 and "online = True" in online and "online" not in plain
    # At once, and NOT VALID; a new table is empty, and made in full.
    assert "NOT VALID" in plain and "CONCURRENTLY" not in plain.upper()
    assert 'create_table(\n        "tags"' in plain and "gen_random_uuid" in plain
    assert "tags" not in online
    for words in (
        "CREATE INDEX CONCURRENTLY notes_long_idx ON",
        "CREATE UNIQUE INDEX CONCURRENTLY notes_twice_idx ON",
        "create unique index concurrently authors_name_key on public.authors (name) nulls not",
        "unique using index authors_name_key",
        "drop index concurrently public.notes_old_idx",
        "CREATE INDEX CONCURRENTLY notes_kept_idx_new ON",
        "alter index public.notes_kept_idx_new rename to notes_kept_idx",
        "validate constraint notes_author_id_fkey",
        "validate constraint notes_pages_positive_check",
        'set_not_null("notes", "body")',
        "alter column token set default gen_random_uuid()",
        'backfill("notes", {"token": "gen_random_uuid()"}, where="token is null")',
        'set_not_null("notes", "token")',
    ):
        assert words in online, online
    assert "kind" not in online  # a constant default is no work

    # It runs on a table with rows, asks for what it writes, and settles.
    plan = service.invoke("db.push", "--dry-run").out
    assert "write:notes" in plan and "rewrite:notes" not in plan
    for quiet in ("index:", "constraint:", "reads the whole table"):
        assert quiet not in plan, plan
    refused = service.invoke("db.push", code=2).err
    assert "G06 destructive" in refused
    service.invoke("db.push", *consents(service))
    assert service.invoke("db.gen", "-m", "again").out == NO_CHANGES
    assert service.sql("select count(distinct token) from notes") == [(2500,)]
    assert "app.py, revisions and database agree" in service.invoke("db.status").out
    told = json.loads(service.invoke("db.check", "--json", code=None).out)
    grave = ("replay", "reversible", "baseline", "locks")
    assert [f for f in told["findings"] if f["check"] in grave] == []
    service.invoke("db.downgrade", "--to", "-2", *_all(service, "-2"))
    assert service.sql("select to_regclass('tags'), to_regclass('notes_long_idx')") == [
        (None, None)
    ]


def _all(service: Service, to: str) -> list[str]:
    told = json.loads(
        service.invoke("db.downgrade", "--to", to, "--dry-run", "--json", code=None).out
    )
    return [w for h in told["hazards"] if h["needs_consent"] for w in ("--allow", h["key"])]


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_offline_is_one_plain_revision(service: Service, options: tuple[str, ...]) -> None:
    service.write(APP, HEAD + BEFORE)
    service.invoke("db.gen", "-m", "notes")
    service.write(APP, HEAD + AFTER)
    template = next(service.folder.rglob("script.py.mako"))
    own = template.read_text().replace("import op", "import context, op")
    template.write_text(own.replace("\n\n\ndef upgrade", "\n\ndef upgrade"))
    service.invoke("db.gen", "-m", "grow", *options)
    assert len(service.revisions()) == (2 if options else 3)
    text = service.revisions()[-1].read_text()
    assert ("online = True" in text) != bool(options)
    assert ("operations import backfill, set_not_null" in text) != bool(options)
    if options:
        assert "CREATE INDEX notes_long_idx" in text and "NOT VALID" not in text


@pytest.mark.parametrize(
    ("name", "aside"),
    [
        ("kind", "public.kind__old"),
        ('"a""b"', 'public."a""b__old"'),
        ("k" * 63, f"public.{'k' * 58}__old"),
        (f'"{"é" * 31}k"', f'public."{"é" * 29}__old"'),
    ],
)
def test_what_makes_room_gets_a_name_that_postgres_takes_as_it_is(name: str, aside: str) -> None:
    assert wording.set_aside(f"public.{name}") == aside
    new = wording.suffixed(name, "_new")
    assert len(identities.unquote(new).encode()) <= 63 and new.rstrip('"').endswith("_new")


FIRMS = """

class Firms(UUIDKey, AppBase):
    __tablename__ = "firms"

    region: Mapped[str]
    {}


class People(UUIDKey, AppBase):
    __tablename__ = "people"

    firm_id: Mapped[uuid.UUID | None]
    region: Mapped[str | None]
    {}
"""
PLAIN = (
    "note: Mapped[str | None]",
    'size: Mapped[int | None]\n    gone: Mapped[str | None] = mapped_column(comment="x")',
)
TIED = (
    '__table_args__ = (UniqueConstraint("region", "id", name="firms_rk"),)',
    """size: Mapped[int | None] = mapped_column(Computed("length(region)", persisted=True))
    __table_args__ = (
        sa.ForeignKeyConstraint(("region", "firm_id"), (Firms.region, Firms.id), name="firm"),
        CheckConstraint("region between 'a' and 'z' and firm_id is not null", name="ranged"),
        Index("people_size_idx", "size"),
    )""",
)


def test_what_goes_at_once_is_not_looked_for_by_the_online_revision_and_all_of_it_comes_back(
    service: Service,
) -> None:
    """Keys have names of their own choice; a column takes another's place under its name."""
    service.write(APP, HEAD + FIRMS.format(*PLAIN))
    service.invoke("db.gen", "-m", "firms")
    service.invoke("db.push")
    before = service.invoke("db.snapshot").out
    service.write(APP, HEAD + FIRMS.format(*TIED))
    service.invoke("db.gen", "-m", "tie")
    assert len(service.revisions()) == 3
    asked = consents(service)
    lost = {"drop:people.gone", "drop:people.size", "drop:firms.note"}
    assert {*asked} - {"--allow"} == {*lost, "rewrite:people"}
    service.invoke("db.push", *asked)
    assert service.invoke("db.gen", "-m", "again").out == NO_CHANGES
    service.invoke("db.downgrade", "--to", "-2", *_all(service, "-2"))
    assert service.invoke("db.snapshot").out == before


def test_a_table_moves_into_an_exposed_schema_and_back_and_is_closed_meanwhile(
    service: Service,
) -> None:
    moved = FIRMS.split("\n\n\nclass People")[0].format("__table_args__ = {}")
    service.write(APP, HEAD + moved.replace("{}", '{"schema": "private"}'))
    service.invoke("db.gen", "-m", "firms")
    service.write(APP, HEAD + moved)
    service.invoke("db.gen", "-m", "move them", "--rename", "private.firms:firms")
    told = json.loads(service.invoke("db.check", "--json", code=None).out)
    assert [f for f in told["findings"] if f["check"] in ("replay", "reversible", "app")] == []
