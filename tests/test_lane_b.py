"""Lane B: the app's models into a revision, revisions into the database."""

import json

from conftest import NewDatabase, database_name
from service import DEV_MARKERS, Service
from steps import add_sql, columns, mirror, pushes, start, tables

NOTES = """

class Mood(enum.Enum):
    good = "good"
    bad = "bad"


class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="note_mood"))
    embedding: Mapped[list[float] | None] = mapped_column(Vector(3))
    contact_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(Contacts.id, ondelete="CASCADE"), index=True
    )
    editor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(AuthUsers.id))

    __table_args__ = (Index("notes_contact_timeline_idx", contact_id, "created_at"),)
"""
NO_CHANGES = "✓ No schema changes.\n"


def test_a_table_goes_all_the_way_and_back(service: Service) -> None:
    service.write_app(NOTES)
    result = service.invoke("db.gen", "-m", "add notes")
    path = service.revisions()[-1]
    assert f"✓ Wrote migrations/versions/{path.name}:" in result.out
    assert "Read it, then:  invoke db.push" in result.out
    assert result.out.endswith("Commit:  feat(db): add notes via Alembic migration\n")

    result = service.invoke("db.push")
    assert "CREATE TABLE notes" in result.out
    assert "+ column public.notes.embedding   extensions.vector(3)" in result.out
    assert result.out.endswith("Commit:  feat(db): add notes via Alembic migration\n")
    assert references(service, "notes") == {"contacts", "auth.users"}
    assert {"notes_contact_timeline_idx", "notes_contact_id_idx"} <= indexes(service, "notes")
    assert has_rls(service, "notes")
    assert labels(service, "note_mood") == ["good", "bad"]

    assert service.invoke("db.gen").out == NO_CHANGES
    assert "Nothing to push" in service.invoke("db.push").out
    assert service.invoke("db.sync").out == NO_CHANGES
    assert len(service.revisions()) == 1

    changed = NOTES.replace('    bad = "bad"', '    soso = "soso"\n    bad = "bad"')
    changed = changed.replace("    body:", "    pinned: Mapped[bool | None]\n    body:")
    service.write_app(changed)
    service.invoke("db.gen", "-m", "pin notes")
    service.invoke("db.push")
    assert labels(service, "note_mood") == ["good", "soso", "bad"]
    assert "pinned" in columns(service, "notes")
    assert service.invoke("db.gen").out == NO_CHANGES

    service.write_app("")
    result = service.invoke("db.gen", "-m", "drop notes")
    assert "- table public.notes\n" in result.out
    assert "- enum public.note_mood\n" in result.out
    service.invoke("db.push")
    assert "notes" not in tables(service)
    assert labels(service, "note_mood") == []
    assert service.invoke("db.gen").out == NO_CHANGES
    assert service.invoke("db.sync").out == NO_CHANGES
    assert service.git("status", "--porcelain", "supabase", "src/*/introspected.py") == ""


def test_a_rename_is_said_to_be_a_drop_and_an_add(pushed: Service) -> None:
    pushed.write_app(DEV_MARKERS.replace("label:", "title:"))

    told = (
        "! column public.dev_markers.label is dropped and column public.dev_markers.title added: "
        "the data of the first are lost."
    )
    result = pushed.invoke("db.gen", "-m", "rename label")
    assert told in result.out
    assert "op.alter_column" in result.out
    assert told in pushed.invoke("db.push", "--dry-run").out

    pushed.edit_revision('op.alter_column("dev_markers", "label", new_column_name="title")')
    pushed.sql("insert into dev_markers (label) values ('kept')")
    pushed.invoke("db.push")
    assert pushed.sql("select title from dev_markers") == [("kept",)]
    assert pushed.invoke("db.gen").out == NO_CHANGES


def test_gen_without_a_title_writes_nothing_and_asks_for_one(service: Service) -> None:
    assert service.invoke("db.gen").out == NO_CHANGES
    service.write_app(DEV_MARKERS)

    result = service.invoke("db.gen", code=1)

    assert 'invoke db.gen -m "add …"' in result.err
    assert service.revisions() == []


def test_gen_needs_no_database_but_the_shadow(service: Service) -> None:
    service.write_app(DEV_MARKERS)
    gone = service.env["DATABASE_URL"].replace("/test_", "/gone_")

    result = service.invoke("db.gen", "-m", "add dev markers", DATABASE_URL=gone)

    assert "going on with the shadow alone" in result.err
    assert len(service.revisions()) == 1


def test_dry_run_shows_the_plan_and_changes_nothing(waiting: Service) -> None:

    result = waiting.invoke("db.push", "--dry-run")
    assert "CREATE TABLE dev_markers" in result.out
    assert "+ column public.dev_markers.label   type: " in result.out
    assert "Dry run: nothing was applied." in result.out

    plan = json.loads(waiting.invoke("db.push", "--dry-run", "--json").out)
    assert set(plan) == {"revisions", "statements", "changes", "applied"}
    assert [r["title"] for r in plan["revisions"]] == ["add dev markers"]
    assert [s.partition("(")[0] for s in plan["statements"]] == ["CREATE TABLE dev_markers "]
    assert plan["applied"] is False
    column = {"type": "text", "not_null": True}
    assert {
        "fact": "column public.dev_markers.label",
        "change": "added",
        "before": None,
        "after": column,
    } in plan["changes"]

    assert "dev_markers" not in tables(waiting)
    assert pushes(waiting) == []
    assert json.loads(waiting.invoke("db.push", "--json").out) == {**plan, "applied": True}
    assert "dev_markers" in tables(waiting)


def test_a_push_is_recorded_with_its_revision_and_git_commit(waiting: Service) -> None:
    waiting.commit()

    waiting.invoke("db.push")

    revision = waiting.sql("select version_num from twolane.alembic_version")[0][0]
    assert revision in waiting.revisions()[-1].name
    assert pushes(waiting) == [(revision, waiting.git("rev-parse", "HEAD"), True)]


def test_of_two_pushes_at_once_one_finds_nothing_to_do(waiting: Service) -> None:
    waiting.edit_revision('op.execute("create table dev_markers (); select pg_sleep(1)")')
    waiting.invoke("db.push", "--dry-run")  # so that both find a finished shadow

    both = [start(waiting, "db.push") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(pushes(waiting)) == 1
    assert sum("✓ Pushed" in output for output in outputs) == 1
    other = next(output for output in outputs if "✓ Pushed" not in output)
    assert "Another push was faster" in other or "Nothing to push" in other


def test_a_foreign_key_to_what_only_the_live_database_has_is_explained(service: Service) -> None:
    by_hand = "create table if not exists by_hand (id uuid primary key);"
    service.sql(by_hand)
    service.invoke("db.sync")
    key = "    by_hand_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(ByHand.id))"
    body = DEV_MARKERS.replace("    label: Mapped[str]", key)
    service.write_app(f"from .introspected import ByHand\n{body}")

    result = service.invoke("db.gen", "-m", "add dev markers", code=1)
    assert "a foreign key to public.by_hand, a table that only the live database has" in result.err
    assert "supabase/sql/" in result.err and "invoke db.apply" in result.err
    assert service.revisions() == []

    add_sql(service, "10_by_hand.sql", by_hand)
    service.invoke("db.apply")
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    assert references(service, "dev_markers") == {"by_hand"}


def test_a_table_made_by_hand_is_not_overwritten(waiting: Service) -> None:
    waiting.sql("create table dev_markers (id int)")
    waiting.sql("insert into dev_markers values (42)")

    for _ in range(2):
        result = waiting.invoke("db.push", code=2)
        assert "G10 app-drift" in result.err
        assert "+ table public.dev_markers" in result.err
        assert waiting.sql("select id from dev_markers") == [(42,)]
        waiting.invoke("db.sync")  # does not make it lane A's either
    assert "dev_markers" not in "".join(mirror(waiting))

    waiting.sql("drop table dev_markers")
    waiting.invoke("db.push")


def test_a_migration_that_fails_halfway_leaves_the_database_as_before(waiting: Service) -> None:
    waiting.sql("insert into auth.users (id) values (gen_random_uuid())")
    waiting.edit_revision(
        'op.execute("create table dev_markers (id int)")\n'
        'op.execute("insert into dev_markers select 1 / (1 - count(*)) from auth.users")'
    )

    result = waiting.invoke("db.push", code=1)  # the shadow has no users: there it runs

    assert "The migration failed: division by zero" in result.err
    assert f"{waiting.revisions()[-1].name}:" in result.err
    assert "insert into dev_markers" in result.err
    assert "dev_markers" not in tables(waiting)
    assert pushes(waiting) == []


def test_a_pushed_table_has_rls_where_the_event_trigger_is_off(waiting: Service) -> None:
    waiting.sql("alter event trigger enable_rls_on_new_tables disable")
    waiting.invoke("db.sync")

    result = waiting.invoke("db.push")

    assert "enabled RLS on public.dev_markers" in result.err
    assert has_rls(waiting, "dev_markers")
    assert waiting.invoke("db.status").out.endswith("nothing to do\n")


def test_a_push_that_comes_out_otherwise_than_on_the_shadow_is_undone(waiting: Service) -> None:
    """Here a function of lane A's adds a column to every new table, in this database alone."""
    waiting.sql(
        "create function private.stamp() returns event_trigger language plpgsql as $$ begin"
        " if tg_tag = 'CREATE TABLE' and to_regclass('public.dev_markers') is not null then"
        "   alter table public.dev_markers add column if not exists stamp text; end if; end $$;"
        "create event trigger stamp on ddl_command_end when tag in ('CREATE TABLE')"
        " execute function private.stamp()"
    )
    waiting.invoke("db.sync")

    result = waiting.invoke("db.push", code=1)

    assert "otherwise than the shadow; nothing applied" in result.err
    assert "public.dev_markers.stamp" in result.err
    assert "dev_markers" not in tables(waiting)
    assert pushes(waiting) == []


def test_default_grants_of_the_database_are_no_obstacle(service: Service) -> None:
    """An older Supabase project grants everything on what is new to the data API's roles."""
    service.sql("alter default privileges in schema public grant all on tables to authenticated")
    service.sql("alter default privileges in schema public grant all on sequences to anon")
    service.invoke("db.sync")
    body = DEV_MARKERS.replace("UUIDKey, ", "").replace(
        "    label: ", "    id: Mapped[int] = mapped_column(primary_key=True)\n    label: "
    )
    service.write_app(body)
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    service.invoke("db.sync")
    assert service.invoke("db.gen").out == NO_CHANGES

    service.write_app("")
    service.invoke("db.gen", "-m", "drop dev markers")
    service.invoke("db.push")
    assert "dev_markers" not in tables(service)


def test_sql_files_after_the_mark_follow_their_revision(waiting: Service) -> None:
    policy = (
        "drop policy if exists dev_markers_select on dev_markers;\n"
        "create policy dev_markers_select on dev_markers for select to authenticated using (true);"
    )
    add_sql(waiting, "10_policy.sql", policy, after=True)
    assert "invoke db.push" in waiting.invoke("db.apply", code=2).err
    assert "invoke db.push" in waiting.invoke("db.gen", code=2).err

    result = waiting.invoke("db.push")
    assert "Next:  invoke db.apply   (10_policy.sql)" in result.out
    waiting.invoke("db.apply")
    result = waiting.invoke("db.sync")
    assert "+ policy public.dev_markers.dev_markers_select" in result.out
    assert "!" not in result.out

    assert waiting.invoke("db.sync", "--check").out == NO_CHANGES
    assert waiting.invoke("db.gen").out == NO_CHANGES
    assert waiting.invoke("db.status").out.endswith("nothing to do\n")


def test_a_database_that_lags_behind_catches_up(
    pushed: Service, ready_service: Service, new_database: NewDatabase
) -> None:
    older = new_database(database_name(ready_service.env["DATABASE_URL"]))
    staging = Service(pushed.folder, pushed.env | {"DATABASE_URL": older})
    add_sql(pushed, "10_fax.sql", "alter table contacts add column if not exists fax text;")
    pushed.invoke("db.apply")
    add_sql(pushed, "11_rls.sql", "alter table dev_markers force row level security;", after=True)
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    pushed.write_app(DEV_MARKERS.replace("label: Mapped[str]", "label: Mapped[str | None]"))
    pushed.invoke("db.gen", "-m", "loosen label")
    pushed.invoke("db.push")
    mirrored = mirror(pushed)

    assert "G02 one-lane" in staging.invoke("db.push", code=2).err
    assert "Applied to target default: 10_fax.sql." in staging.invoke("db.apply").out
    staging.invoke("db.push")
    staging.invoke("db.apply")
    assert staging.invoke("db.status").out.endswith("nothing to do\n")
    assert staging.invoke("db.sync").out == NO_CHANGES
    assert mirror(staging) == mirrored
    same = ("--source", pushed.env["DATABASE_URL"], "--target", staging.env["DATABASE_URL"])
    assert pushed.invoke("db.diff", *same).out == NO_CHANGES


def test_gen_and_push_commit_their_own_files(service: Service) -> None:
    service.write("unrelated.txt", "mine")
    service.git("add", "unrelated.txt")
    service.write_app(DEV_MARKERS)

    service.invoke("db.gen", "-m", "add dev markers", "--commit")

    revision = service.revisions()[-1].name
    assert service.git("show", "--format=%s", "--name-only").splitlines() == [
        "feat(db): add dev markers via Alembic migration",
        "",
        f"migrations/versions/{revision}",
        "src/crm/db/schema/app.py",
    ]
    assert service.git("status", "--porcelain") == "A  unrelated.txt"


def references(service: Service, table: str) -> set[str]:
    rows = service.sql(
        "select confrelid::regclass::text from pg_constraint"
        " where contype = 'f' and conrelid = %s::regclass",
        table,
    )
    return {name for (name,) in rows}


def indexes(service: Service, table: str) -> set[str]:
    rows = service.sql("select indexname from pg_indexes where tablename = %s", table)
    return {name for (name,) in rows}


def has_rls(service: Service, table: str) -> bool:
    query = "select relrowsecurity from pg_class where oid = %s::regclass"
    return bool(service.sql(query, table)[0][0])


def labels(service: Service, enum: str) -> list[str]:
    rows = service.sql(
        "select enumlabel from pg_enum join pg_type t on t.oid = enumtypid"
        " where typname = %s order by enumsortorder",
        enum,
    )
    return [label for (label,) in rows]
