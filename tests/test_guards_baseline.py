"""G05: what a migration does to what lane B does not own, however it is written."""

import pytest
from service import DEV_MARKERS, Service
from steps import add_sql, pushes, tables

TOUCHES = {
    "drop table contacts cascade": "- table public.contacts",
    "do 'begin execute ''drop table contacts cascade''; end'": "- table public.contacts",
    "alter table contacts rename to people": "- table public.contacts",
    "alter table contacts rename column email to mail": "- column public.contacts.email",
    "drop extension vector cascade": "- column public.embeddings.embedding",
    "alter table contacts add column fax text": "+ column public.contacts.fax",
    "create index by_migration on contacts (created_at)": "+ index public.contacts.by_migration",
    "comment on table contacts is 'ours'": "comment table public.contacts",
    "alter table contacts disable row level security": "- rls public.contacts",
    "create policy p on contacts for select to anon using (true)": "+ policy public.contacts.p",
    "grant select on contacts to anon": "+ grant table public.contacts to anon",
    "create trigger t after insert on auth.users for each row"
    " execute function private.set_updated_at()": "+ trigger auth.users.t",
    "create or replace function private.set_updated_at() returns trigger"
    " language plpgsql as 'begin return null; end'": "~ function private.set_updated_at()",
    "alter publication supabase_realtime add table contacts": "public.contacts",
    "create table more () inherits (jobs)": "+ table public.more",
}


def in_revision(service: Service, statement: str) -> None:
    service.edit_revision(f'op.execute("""{statement}""")')


@pytest.mark.parametrize("statement", TOUCHES)
def test_g05_a_migration_leaves_the_baseline_alone(waiting: Service, statement: str) -> None:
    in_revision(waiting, statement)

    result = waiting.invoke("db.push", code=2)

    assert "✗ db.push refused · G05 baseline" in result.err
    assert TOUCHES[statement] in result.err
    assert f"take it out of {waiting.revisions()[0].name}" in result.err
    assert "supabase/sql/" in result.err
    assert pushes(waiting) == []
    assert "alembic_version" not in tables(waiting, "twolane")
    assert {"contacts", "embeddings"} <= tables(waiting)


def test_g05_what_others_depend_on_is_named_as_lane_as_before_they_are(waiting: Service) -> None:
    """Postgres refuses it first, and what depends on it is not what is wrong."""
    for statement in ("drop table contacts", "alter table public.contacts drop column user_id"):
        in_revision(waiting, statement)
        said = waiting.invoke("db.push", code=1).err
        assert "First:  public.contacts is lane A's, and a migration leaves it alone (G05)" in said
        assert "bootstrap.txt" not in said


def test_g05_a_type_of_lane_as_is_not_dropped_from_under_it(waiting: Service) -> None:
    mood = "create type mood as enum ('good'); alter table contacts add column mood mood;"
    add_sql(waiting, "10_mood.sql", mood)
    waiting.invoke("db.apply")
    waiting.invoke("db.sync")
    in_revision(waiting, "drop type mood cascade")
    result = waiting.invoke("db.push", code=2)
    assert "- column public.contacts.mood" in result.err
    assert "- enum public.mood" in result.err

    in_revision(waiting, "create table dev_markers (mood mood)")
    waiting.invoke("db.push")


def test_g05_a_table_of_the_app_becomes_no_part_of_lane_as(pushed: Service) -> None:
    """Its rows would show in lane A's table, past the policies of either."""
    parents = (
        "create table if not exists labelled (label text not null);"
        "create table if not exists listed"
        " (id uuid not null, label text not null, created_at timestamptz not null)"
        " partition by list (label);"
    )
    add_sql(pushed, "10_parents.sql", parents)
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    pushed.invoke("db.gen", "--empty", "-m", "parts")
    for statement, parent in (
        ("alter table dev_markers inherit labelled", "none → public.labelled"),
        ("alter table listed attach partition dev_markers default", "none → public.listed"),
    ):
        in_revision(pushed, statement)
        refused = pushed.invoke("db.push", code=2).err
        assert "G05 baseline" in refused
        assert f"inherits: {parent}" in refused


def test_g05_lets_a_migration_build_on_the_baseline_and_change_its_own(waiting: Service) -> None:
    in_revision(
        waiting,
        "create table dev_markers (id uuid primary key, contact uuid references contacts);"
        "comment on table dev_markers is 'ours';"
        "create index on dev_markers (contact);"
        "create view marked as select c.id from contacts c join dev_markers m on m.contact = c.id;"
        "create trigger t before update on dev_markers for each row"
        " execute function private.set_updated_at();"
        "alter publication supabase_realtime add table dev_markers;",
    )
    waiting.invoke("db.push")
    assert {"dev_markers"} <= tables(waiting)


def test_g05_lets_a_later_migration_change_what_an_earlier_one_made(pushed: Service) -> None:
    pushed.write_app(DEV_MARKERS.replace("    label:", "    more: Mapped[str | None]\n    label:"))
    pushed.invoke("db.gen", "-m", "more")
    in_revision(
        pushed,
        "alter table dev_markers drop column label, add column more text;"
        "alter table dev_markers rename to markers; create index on markers (more);",
    )
    pushed.invoke("db.push", "--allow", "drop:dev_markers.label")
    assert "markers" in tables(pushed)


@pytest.mark.parametrize(
    ("statements", "lost"),
    [
        (
            "alter table contacts drop column source;"
            "alter table contacts add column source text not null default 'manual'",
            "column public.contacts.source",
        ),
        ("truncate contacts cascade", "table public.contacts"),
    ],
)
def test_g05_sees_what_is_emptied_and_looks_the_same(
    waiting: Service, statements: str, lost: str
) -> None:
    waiting.edit_revision("\n".join(f"op.execute({part!r})" for part in statements.split(";")))
    refused = waiting.invoke("db.push", code=2).err
    assert "✗ db.push refused · G05 baseline" in refused
    assert f"{lost}   its data are lost or written anew" in refused
    found = waiting.invoke("db.check", code=2).out
    assert "G05" in found and f"{lost}   its data are lost" in found
