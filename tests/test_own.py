"""A table changes its lane: files and databases agree afterwards, and data stay as they are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import shared_schemas
from adopting import adopt, newcomer
from conftest import NewDatabase, copy, database_name
from fleets import name_targets
from servers import PostgresServer
from service import APP, Service
from steps import add_sql, columns, mirror

from twolane.facts import catalog, ownership
from twolane.migrations import effects
from twolane.models import app_file

NO_CHANGES = "✓ No schema changes.\n"
FINE = "✓ Nothing found.\n"

NOTES = """

class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Contacts.id), index=True)
"""

EVENTS = """

class Events(AppBase):
    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    __table_args__ = ({"postgresql_partition_by": "RANGE (day)"},)
"""
PART = "create table events_{0} partition of events for values from ({0}) to ({1})"


@pytest.fixture(scope="module")
def two_origin(
    ready_service: Service,
    lasting_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A service whose app has `notes`, which refers to a table of the SQL lane."""
    service = copy(ready_service, tmp_path_factory.mktemp("two") / "crm", lasting_database)
    service.write_app(NOTES)
    ruff(service, "check", "--fix", "--quiet")
    service.invoke("db.gen", "-m", "add notes")
    service.invoke("db.push")
    service.invoke("db.rls", "notes")
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.commit()
    return service


@pytest.fixture
def two(two_origin: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    """The same with two databases of the test's own, the second as target `staging`."""
    service = copy(two_origin, tmp_path / "crm", new_database)
    name = database_name(service.env["DATABASE_URL"])
    name_targets(service, staging=new_database(name))
    service.commit()
    return service


def ruff(service: Service, *arguments: str) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "src/crm/db/schema", "migrations"]
    done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def looks(url: str) -> tuple[object, ...]:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalog.read(connection), effects.layout(connection)


def test_an_owned_table_is_the_apps_on_every_database(two: Service) -> None:
    before = looks(two.env["DATABASE_URL"])
    dry = two.invoke("db.own", "contacts", "--dry-run").out
    assert "Dry run, nothing was written" in dry
    assert two.git("status", "--porcelain") == ""

    own = two.invoke("db.own", "contacts")
    assert "✓ contacts is the app's now." in own.out and "Next:  invoke db.push" in own.out
    assert own.out.endswith("Commit:  feat(db): own contacts via Alembic migration\n")
    assert two.invoke("db.gen").out == NO_CHANGES
    ruff(two, "check")
    ruff(two, "format", "--check")
    assert "class Contacts(AppBase)" in two.read(APP)
    assert not any(
        "class Contacts(" in text or "column public.contacts." in text for text in mirror(two)
    )
    assert "policy public.contacts.contacts_select_own" in mirror(two)[1]

    push = two.invoke("db.push", "--json").out
    assert json.loads(push)["statements"] == []
    assert two.invoke("db.sync").out == NO_CHANGES
    assert two.invoke("db.check").out.endswith(FINE)
    assert looks(two.env["DATABASE_URL"]) == before
    assert "Next     nothing to do" in two.invoke("db.status").out
    assert two.invoke("db.own", "contacts").out == "✓ Nothing to do: it is the app's already.\n"

    text = two.read(APP)
    two.write(APP, text.replace("    company:", "    nickname: Mapped[str | None]\n    company:"))
    two.invoke("db.gen", "-m", "add nickname")
    two.invoke("db.push")
    assert "nickname" in columns(two, "contacts")
    two.invoke("db.deploy", "--target", "staging")
    assert looks(two.env["STAGING_DATABASE_URL"])[0] == looks(two.env["DATABASE_URL"])[0]
    assert two.invoke("db.sync", "--target", "staging").out == NO_CHANGES
    assert "nothing to do" in two.invoke("db.status", "--target", "staging").out
    assert two.invoke("db.check").out.endswith(FINE)


def test_a_disowned_table_is_the_sql_lanes_on_every_database(two: Service) -> None:
    before = looks(two.env["DATABASE_URL"])

    two.invoke("db.disown", "notes", "--commit")
    made = two.read("supabase/sql/60_notes.sql")
    assert "create table if not exists public.notes" in made and "revoke" not in made
    assert two.read("supabase/bootstrap.txt").splitlines()[-1] == "60_notes.sql"
    assert "Notes" not in two.read(APP)
    assert "class Notes(IntrospectedBase)" in mirror(two)[0]
    assert "Next     invoke db.deploy" in two.invoke("db.status").out
    two.invoke("db.deploy")
    assert looks(two.env["DATABASE_URL"]) == before
    assert two.invoke("db.sync").out == NO_CHANGES
    assert two.invoke("db.gen").out == NO_CHANGES
    assert two.git("status", "--porcelain") == ""
    assert two.invoke("db.check").out.endswith(FINE)

    two.write("supabase/sql/60_notes.sql", f"{made}\nalter table notes add if not exists tag text;")
    two.invoke("db.apply")
    two.invoke("db.sync")
    assert "tag: Mapped[str | None]" in mirror(two)[0]
    two.invoke("db.push", "--target", "staging")
    two.invoke("db.apply", "--target", "staging")
    assert two.invoke("db.sync", "--target", "staging").out == NO_CHANGES
    assert looks(two.env["STAGING_DATABASE_URL"])[0] == looks(two.env["DATABASE_URL"])[0]
    ruff(two, "check")


def test_a_partitioned_table_is_disowned_with_its_partitions(two: Service) -> None:
    two.write_app(NOTES + EVENTS)
    two.invoke("db.gen", "-m", "add events")
    path = two.revisions()[-1]
    made = "".join(f"    op.execute({PART.format(n, n + 1)!r})\n" for n in range(1, 4))
    path.write_text(
        path.read_text().replace("\n\n\ndef downgrade", f"\n{made}\n\ndef downgrade", 1)
    )
    two.invoke("db.push")
    two.invoke("db.sync")
    before = looks(two.env["DATABASE_URL"])

    two.invoke("db.disown", "events_1,events,events_3,events_2")
    text = two.read("supabase/sql/60_events_1_events_events_3.sql")
    lines = [line for line in text.splitlines() if line.startswith("create")]
    assert [line.split()[5] for line in lines] == [
        f"public.events{end}" for end in ("", "_1", "_2", "_3")
    ]
    two.invoke("db.deploy")
    assert looks(two.env["DATABASE_URL"]) == before


def test_a_table_that_comes_and_goes_leaves_app_py_as_it_was(two: Service) -> None:
    text = two.read(APP)
    two.invoke("db.own", "contacts,public.interactions")
    assert "list[" in two.read(APP) and "contact_id, ondelete" not in two.read(APP)
    two.invoke("db.push")
    refused = two.invoke("db.disown", "contacts", code=1).err
    assert "other code of app.py needs it: line " in refused and "names 'Contacts'" in refused
    two.invoke("db.disown", "contacts,interactions")
    assert two.read(APP) == text
    changed = two.git("status", "--porcelain").splitlines()
    assert [line for line in changed if "versions" not in line] == []  # no SQL file is needed
    two.invoke("db.push")
    two.invoke("db.deploy", "--target", "staging")
    assert "nothing to do" in two.invoke("db.status", "--target", "staging").out

    two.invoke("db.disown", "notes")
    two.invoke("db.deploy")
    two.invoke("db.own", "notes")
    assert "ForeignKey(Contacts.id, name=" in two.read(APP)
    assert "contact: Mapped[Contacts] = relationship(foreign_keys=[contact_id])" in two.read(APP)
    two.invoke("db.push")
    assert two.invoke("db.gen").out == NO_CHANGES
    assert two.invoke("db.check").out.endswith(FINE)


def test_what_no_app_can_own_is_refused_with_the_reason(two: Service) -> None:
    add_sql(two, "70_views.sql", "create or replace view names as select id from contacts;")
    add_sql(two, "71_late.sql", "create table if not exists late (id int primary key);", after=True)
    for wrong in (
        two.invoke("db.own", "contacts", code=2),
        two.invoke("db.disown", "notes", code=2),
    ):
        assert "G02 one-lane" in wrong.err and "First:  invoke db.apply" in wrong.err
    two.invoke("db.apply")
    two.invoke("db.sync")
    two.commit()
    for name, reason in {
        "contcats": "Is contacts meant?",
        "names": "names is a view: what it is stands in its SQL",
        "auth.users": "auth.users is Supabase's",
        "late": "move the line of 71_late.sql in bootstrap.txt above @migrations",
    }.items():
        assert reason in two.invoke("db.own", name, code=1).err
    assert "Is notes meant?" in two.invoke("db.disown", "note", code=1).err
    assert "invoke db.own contacts" in two.invoke("db.own", "contacts", "--all", code=1).err

    text = two.read(APP)
    two.write(APP, text.replace("body: Mapped[str]", "body: Mapped[str]\n    tag: Mapped[str]"))
    assert 'invoke db.gen -m "…"' in two.invoke("db.own", "contacts", code=2).err
    two.write(APP, text)
    two.sql("alter table contacts add hotfix int")
    assert "G03 stale-mirror" in two.invoke("db.own", "contacts", code=2).err
    two.invoke("db.sync")
    assert "First:  invoke db.capture" in two.invoke("db.own", "contacts", code=1).err
    assert [path.name for path in two.revisions() if "own" in path.name] == []


def test_a_file_that_makes_again_what_the_app_dropped_is_named(two: Service) -> None:
    add_sql(two, "70_fax.sql", "alter table contacts add if not exists fax text;")
    two.invoke("db.apply")
    two.invoke("db.sync")
    two.invoke("db.own", "contacts")
    two.invoke("db.push")
    text = two.read(APP)
    two.write(APP, text.replace("    fax: Mapped[str | None] = mapped_column(sa.Text)\n", ""))
    two.invoke("db.gen", "-m", "drop fax")
    two.invoke("db.push", "--allow", "drop:contacts.fax")
    told = two.invoke("db.check", code=2).out
    assert "+ column public.contacts.fax" in told
    assert "the app owns contacts, and a revision has changed this: take the statement out" in told

    two.write("supabase/sql/70_fax.sql", "select 1;")
    assert two.invoke("db.check").out.endswith(FINE)
    two.invoke("db.apply")
    assert "fax" not in columns(two, "contacts")
    assert two.invoke("db.sync").out == NO_CHANGES
    two.invoke("db.deploy", "--target", "staging")  # it never had the column
    assert looks(two.env["STAGING_DATABASE_URL"])[0] == looks(two.env["DATABASE_URL"])[0]


def test_classes_that_are_in_app_py_already_stay(two: Service) -> None:
    theirs = """

class Contact(AppBase):
    __tablename__ = "contacts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
"""
    text = two.read(APP).replace("from .introspected import Contacts\n", "")
    text = text.replace("\n\nclass Notes", f"{theirs}\n\nclass Notes")
    two.write(APP, text.replace("(Contacts.id)", "(Contact.id)"))
    refused = two.invoke("db.gen", "-m", "x", code=2).err
    assert "G04 scope" in refused and "invoke db.own contacts" in refused
    told = two.invoke("db.own", "contacts").out
    assert "app.py has a class for contacts already: it stays as it is" in told
    assert theirs in two.read(APP)
    two.invoke("db.push")
    assert "A revision needs a title." in two.invoke("db.gen", code=1).err  # they differ


def test_after_an_adoption_all_tables_can_be_the_apps(
    minimal_service: Service,
    server: "PostgresServer",
    new_database: NewDatabase,
    platform: str,
    tmp_path: Path,
) -> None:
    url = new_database(platform)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(shared_schemas.script("northwind", 18))
        connection.execute("create table public.alembic_version (version_num text primary key)")
    service = newcomer(minimal_service, tmp_path / "crm", url, server.get_uri())
    adopt(service, "--record")
    before = looks(url)
    told = service.invoke("db.own", "--all").out
    assert "alembic_version stays in the SQL lane: it is another tool's record." in told
    assert "class Orders(AppBase)" in service.read(APP)
    service.invoke("db.push")
    assert service.invoke("db.gen").out == NO_CHANGES
    assert service.invoke("db.sync").out == NO_CHANGES
    assert looks(url) == before
    ruff(service, "check")


TYPES = """
do $$ begin
    create type public.mood as enum ('good', 'bad');
    create type public."Mood" as enum ('A', 'B');
    create type public.mood_x as enum ('x', 'y');
    create type public.priority as enum ('low', 'high');
exception when duplicate_object then null; end $$;
create schema if not exists other;
create sequence if not exists other.a_id_seq;
create table if not exists public.a (
    id integer primary key default nextval('other.a_id_seq'),
    state public.mood not null default 'good',
    kind public."Mood",
    x public.mood_x[],
    rank public.priority
);
create table if not exists public.archive (
    id uuid primary key,
    state public.mood,
    kinds public."Mood"[] not null default array['A'::public."Mood"]
);
"""
USED_LATE = """
create or replace function public.highest() returns text language sql
    set search_path = '' as $$ select 'high'::public.priority::text $$;
"""


def test_an_enum_that_something_else_uses_stays_where_it_is(two: Service) -> None:
    add_sql(two, "70_types.sql", TYPES)
    add_sql(two, "71_late.sql", USED_LATE, after=True)
    two.invoke("db.apply")
    two.invoke("db.sync")
    two.commit()
    two.invoke("db.own", "a", "--commit")
    assert '"public.a",\n    "enum public.mood_x",\n' in two.revisions()[-1].read_text()
    app, introspected = two.read(APP), mirror(two)[0]
    assert 'MOOD_X = postgresql.ENUM("x", "y", name="mood_x")' in app
    assert "DatabaseType" not in introspected and "MOOD_X" not in introspected
    assert "PRIORITY" in introspected and "state: Mapped[str] = mapped_column(MOOD" in app
    assert app.count("postgresql.ENUM(") == 1
    assert "nextval('other.a_id_seq'::regclass)" in app  # no sequence of its own
    two.invoke("db.push")
    assert two.invoke("db.gen").out == NO_CHANGES
    more = class_with_x("B")
    two.write(APP, app.replace('"x", "y"', '"x", "y", "z"') + more)
    two.invoke("db.gen", "-m", "add z and b")
    assert "add value 'z' after 'y'" in two.revisions()[-1].read_text()
    two.invoke("db.push")

    two.invoke("db.disown", "a")
    assert "enum" not in two.revisions()[-1].read_text()
    two.invoke("db.deploy")
    assert 'ENUM("x", "y", "z", name="mood_x")' in two.read(APP)
    two.invoke("db.disown", "b")
    two.invoke("db.deploy")
    assert "MOOD_X" not in two.read(APP) and "DatabaseType" not in mirror(two)[0]
    text = two.read(APP).replace("from .base", "from .introspected import MOOD_X\nfrom .base", 1)
    two.write(APP, text + class_with_x("C"))
    two.invoke("db.gen", "-m", "add c")
    two.invoke("db.push")
    assert two.invoke("db.gen").out == NO_CHANGES
    assert two.invoke("db.sync").out == NO_CHANGES


def class_with_x(name: str) -> str:
    head = f"class {name}(UUIDKey, AppBase):\n    __tablename__ = {name.lower()!r}\n"
    return f"\n\n{head}\n    x: Mapped[str] = mapped_column(MOOD_X)\n"


USES: dict[str, dict[str, Any]] = {
    "column public.b.c": {"type": 'public."Mood"'},
    "column public.b.d": {"type": 'public."Mood"[]'},
    "constraint public.b.e": {"definition": "CHECK ((c <> 'A'::public.\"Mood\"))"},
    "domain public.f": {"type": 'public."Mood"'},
    "composite type public.g": {"attributes": [{"type": 'public."Mood"'}]},
    'function public.h(public."Mood")': {"definition": "…"},
}
NO_USES: dict[str, dict[str, Any]] = {
    "column public.b.c": {"type": 'public."Mood""s"'},
    "column public.b.d": {"type": "public.mood"},
    "column public.b.e": {"type": 'other.public."Mood"', "default": 'public."Moods"'},
    "column public.a.f": {"type": "text", "default": "'A'::public.\"Mood\""},
    'owner enum public."Mood"': {"owner": "a"},
    'comment enum public."Mood"': {"text": 'public."Mood"'},
}


def test_a_name_is_a_use_wherever_postgres_prints_it_and_no_part_of_another_name() -> None:
    enum = 'enum public."Mood"'

    def along(others: dict[str, dict[str, Any]]) -> list[str]:
        own = {"column public.a.state": '{"type":"public.\\"Mood\\"[]"}', enum: '{"labels":["A"]}'}
        facts = {**own, **{i: catalog.as_text(parts) for i, parts in others.items()}}
        return ownership.enums(facts, {"public.a"})

    assert [use for use, parts in USES.items() if along({use: parts})] == []
    assert along(NO_USES) == [enum]


NAMESAKES = """
class Crm(AppBase):
    __tablename__ = "crm"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Calls(AppBase):
    '''Crm is called.'''

    __tablename__ = "calls"
    __table_args__ = ({"schema": "crm", "comment": "x"},)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="Crm")
    of: Mapped[uuid.UUID] = mapped_column(ForeignKey("crm.calls.id"), doc="Crm calls it")
"""


@pytest.mark.parametrize(
    ("line", "is_named"),
    [
        ("", False),
        ('    a: Mapped[str] = mapped_column(info={"title": "The Crm of Crm"})', False),
        ('    a: Mapped["Crm | None"] = relationship()', True),
        ('    a: Mapped[Any] = relationship("Crm")', True),
        ('    a: Mapped[Any] = relationship(primaryjoin="Calls.of == foreign(Crm.id)")', True),
        ('    a: Mapped[uuid.UUID] = mapped_column(ForeignKey("crm.id"))', True),
    ],
)
def test_a_string_keeps_a_class_if_it_is_code_that_names_it(line: str, is_named: bool) -> None:
    try:
        text = app_file.without_tables(f"{NAMESAKES}{line}\n", {"public.crm": "Crm"})
    except app_file.Unfit as unfit:
        assert is_named and "other code of app.py needs it: line " in str(unfit)
    else:
        assert not is_named and "class Crm" not in text
