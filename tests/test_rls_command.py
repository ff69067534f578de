"""`db.rls`: the SQL file that opens a table of lane B to its tenant, end to end."""

import json
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase, copy, with_tables
from service import Service
from steps import ORDER, SQL, columns, has_rls

from twolane import sql

MODELS = """

class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
    contact_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(Contacts.id))


class Lines(Timestamps, AppBase):
    __tablename__ = "lines"

    number: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Notes.id))


class Words(UUIDKey, Timestamps, AppBase):
    __tablename__ = "words"

    line: Mapped[int] = mapped_column(ForeignKey(Lines.number), index=True)


class Odd(UUIDKey, Timestamps, AppBase):
    __tablename__ = "Odd order"

    owner: Mapped[uuid.UUID] = mapped_column("Owner", ForeignKey(AuthUsers.id))


class Loose(UUIDKey, Timestamps, AppBase):
    __tablename__ = "loose"

    code: Mapped[str]
"""
USER = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def opened_up(
    ready_service: Service, lasting_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The tables of `MODELS` in the database, to be copied."""
    folder = tmp_path_factory.mktemp("notes") / "crm"
    return with_tables(ready_service, MODELS, folder, lasting_database)


@pytest.fixture
def notes(opened_up: Service, new_database: NewDatabase, tmp_path: Any) -> Service:
    return copy(opened_up, tmp_path / "crm", new_database)


def bring_in(service: Service) -> None:
    """Lane A's two steps, twice, so that a file that may not run twice would fail."""
    service.invoke("db.apply")
    names = [name for name in service.read(ORDER).split() if name.startswith("20_rls")]
    service.invoke("db.apply", *(part for name in names for part in ("--file", name)))
    service.invoke("db.sync")


def cells(service: Service, name: str, who: str = "user A", rows: str = "own") -> dict[str, str]:
    found = json.loads(service.invoke("db.prove", "--json").out)
    assert found["undecided"] == []
    return {
        cell["operation"]: cell["verdict"]
        for cell in found["matrix"]
        if (cell["object"], cell["who"], cell["rows"]) == (name, who, rows)
    }


def test_a_table_is_opened_to_its_tenant_and_proven(notes: Service) -> None:
    result = notes.invoke("db.rls", "notes")

    assert "✓ Wrote supabase/sql/20_rls_notes.sql" in result.out
    assert "invoke db.apply, then invoke db.sync" in result.out
    assert notes.read(ORDER).endswith("@migrations\n20_rls_notes.sql\n")
    text = notes.read(f"{SQL}/20_rls_notes.sql")
    assert text.count("create policy") == text.count("to authenticated\n") == 4
    assert "create index" not in text, "TenantOwned has one"
    bring_in(notes)
    assert notes.invoke("db.gen").out == "✓ No schema changes.\n"
    assert json.loads(notes.invoke("db.status", "--json").out)["next"] == "nothing to do"
    assert cells(notes, "public.notes") == dict.fromkeys(
        ["select", "insert", "update", "delete"], "allowed"
    )
    others = cells(notes, "public.notes", rows="other's")
    assert set(others.values()) <= {"denied", "filtered"}
    assert others["insert"] == "denied", "not even under another's contact"
    assert set(cells(notes, "public.notes", "anon", "other's").values()) == {"denied"}


def test_a_list_with_the_line_ends_of_windows_keeps_them(notes: Service) -> None:
    path = notes.folder / ORDER
    before = path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(before)
    notes.invoke("db.rls", "notes")
    assert path.read_bytes() == before + b"20_rls_notes.sql\r\n"


def test_read_only_lets_users_read_alone(notes: Service) -> None:
    notes.invoke("db.rls", "public.notes", "--read-only")
    bring_in(notes)
    assert cells(notes, "public.notes") == {
        "select": "allowed",
        "insert": "denied",
        "update": "denied",
        "delete": "denied",
    }


def test_a_tenant_is_reached_through_parents(notes: Service) -> None:
    refused = notes.invoke("db.rls", "lines", "--via", "note_id", code=1)
    assert "would ask public.notes, which is closed to users" in refused.err
    assert "First:  invoke db.rls public.notes" in refused.err

    notes.invoke("db.rls", "notes")
    notes.invoke("db.rls", "lines", "--via", "note_id")
    notes.invoke("db.rls", "words", "--via", "line", "--read-only")
    text = notes.read(f"{SQL}/20_rls_lines.sql")
    assert "create index if not exists lines_note_id_idx on public.lines (note_id);" in text
    bring_in(notes)
    everything = ["select", "insert", "update", "delete"]
    assert cells(notes, "public.lines") == dict.fromkeys(everything, "allowed")
    assert cells(notes, "public.words")["select"] == "allowed"
    assert cells(notes, "public.words")["insert"] == "denied"
    assert notes.invoke("db.gen").out == "✓ No schema changes.\n"

    # The serial key's sequence is granted, too: an insert without the key goes through.
    with psycopg.connect(notes.env["DATABASE_URL"]) as connection:
        connection.execute("insert into auth.users (id) values (%s)", [USER])
        connection.execute("set local role authenticated")
        connection.execute("select set_config('request.jwt.claim.sub', %s, true)", [USER])
        connection.execute("insert into notes (user_id, body) values (%s, 'a')", [USER])
        connection.execute("insert into lines (note_id) select id from notes")
        connection.rollback()


def test_odd_names_are_quoted(notes: Service) -> None:
    result = notes.invoke("db.rls", "Odd order")
    (name,) = [line for line in notes.read(ORDER).split() if line.startswith("20_rls")]
    assert name.startswith("20_rls_odd_order_") and name in result.out
    assert 'public."Odd order" ("Owner")' in notes.read(f"{SQL}/{name}")
    bring_in(notes)
    assert cells(notes, 'public."Odd order"')["update"] == "allowed"
    assert has_rls(notes, '"Odd order"')


def test_several_tables_and_a_column_by_name(notes: Service) -> None:
    result = notes.invoke("db.rls", 'notes,"Odd order"')
    assert result.out.count("✓ Wrote") == 2
    wrong = notes.invoke("db.rls", "lines", "--column", "note", code=1)
    assert "public.lines has no column note" in wrong.err
    assert "invoke db.rls public.lines --column note_id" in wrong.err
    notes.invoke("db.rls", "loose", "--column", "id")
    assert "(select auth.uid()) = id" in notes.read(f"{SQL}/20_rls_loose.sql")
    assert "id" in columns(notes, "loose")


@pytest.mark.parametrize(
    ("arguments", "message", "first"),
    [
        (["note"], "make no table note; near it: public.notes", "invoke db.rls public.notes"),
        (["zzz"], "The revisions make no table zzz.", "invoke db.gen"),
        (["contacts"], "public.contacts is lane A's", "Edit its file in supabase/sql"),
        (["lines"], "public.lines has no tenant column user_id", "public.lines --via note_id"),
        (["loose"], "public.loose has no tenant column user_id", "--column NAME"),
        (["lines", "--via", "number"], "refers to no table that has a tenant", "--column NAME"),
    ],
)
def test_what_cannot_be_opened_says_why(
    notes: Service, arguments: list[str], message: str, first: str
) -> None:
    result = notes.invoke("db.rls", *arguments, code=1)
    assert message in result.err
    assert first in result.err.partition("First:")[2]
    assert "20_rls" not in notes.read(ORDER)


def test_a_file_that_exists_is_not_written_over(notes: Service) -> None:
    notes.invoke("db.rls", "notes")
    notes.write(f"{SQL}/20_rls_notes.sql", "-- mine")
    order = notes.read(ORDER)
    result = notes.invoke("db.rls", "notes", code=1)
    assert "supabase/sql/20_rls_notes.sql exists already" in result.err
    assert notes.read(f"{SQL}/20_rls_notes.sql") == "-- mine"
    assert notes.read(ORDER) == order


def test_identifiers_are_quoted_where_postgres_does() -> None:
    assert [sql.ident(name) for name in ("a_1", "user", "time", "left", "A", 'x"y', "1a")] == [
        "a_1", '"user"', '"time"', '"left"', '"A"', '"x""y"', '"1a"',
    ]  # fmt: skip
