"""Lane B: what a push promises of the database."""

import json

from conftest import NewDatabase, database_name
from service import DEV_MARKERS, Service
from steps import add_sql, has_rls, mirror, pushes, tables

from twolane.repo import revisions

NO_CHANGES = "✓ No schema changes.\n"


def test_dry_run_shows_the_plan_and_changes_nothing(waiting: Service) -> None:
    result = waiting.invoke("db.push", "--dry-run")
    assert "CREATE TABLE dev_markers" in result.out
    assert "+ column label   text, not null\n" in result.out
    assert "Dry run: nothing was applied." in result.out

    plan = json.loads(waiting.invoke("db.push", "--dry-run", "--json").out)
    assert set(plan) == {"revisions", "statements", "changes", "hazards", "renamed", "applied"}
    assert [r["title"] for r in plan["revisions"]] == ["add dev markers"]
    assert [s.partition("(")[0] for s in plan["statements"]] == ["CREATE TABLE dev_markers "]
    assert plan["applied"] is False
    column = {"type": "text", "not_null": True}
    assert {
        "fact": "column public.dev_markers.label",
        "object": "public.dev_markers",
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

    both = [waiting.start("db.push") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(pushes(waiting)) == 1
    assert sum("✓ Pushed" in output for output in outputs) == 1
    other = next(output for output in outputs if "✓ Pushed" not in output)
    assert "Another push was faster" in other or "Nothing to push" in other


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
    status = waiting.invoke("db.status").out
    assert "revisions and database agree" in status
    assert status.endswith("invoke db.capture\n")  # of the trigger, which a file enables


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

    assert "The database's end differs from the shadow's; nothing applied" in result.err
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
    service.invoke("db.push", "--allow", "drop:dev_markers")
    assert "dev_markers" not in tables(service)


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


def test_a_push_with_nothing_left_to_commit_is_no_error(waiting: Service) -> None:
    waiting.invoke("db.push", "--commit")


def test_the_word_grant_in_a_text_opens_nothing(service: Service) -> None:
    """And what the database granted by default goes along with a view that goes. A grant is one
    below a comment and in a block, too."""
    given = "alter default privileges in schema public grant all on tables to"
    add_sql(service, "60_older.sql", f"{given} anon, service_role;")
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.invoke("db.gen", "--empty", "-m", "a view")
    service.edit_revision(
        'op.execute("create view ages as select 1 as age")\n'
        "op.execute(\"comment on view ages is 'we grant access to them'\")"
    )
    service.invoke("db.push")
    assert service.sql("select has_table_privilege('anon', 'ages', 'select')") == [(False,)]
    service.invoke("db.gen", "--empty", "-m", "no view")
    for words in ("grant select on ages to anon", "do 'begin grant select on ages to anon; end'"):
        service.edit_revision(f'op.execute("-- readers\\n{words}")')
        assert "+ grant view public.ages to anon" in service.invoke("db.push", code=2).err
    service.edit_revision('op.execute("drop view ages")')
    service.invoke("db.push")
    assert service.sql("select to_regclass('ages')") == [(None,)]


def test_a_downgrade_that_ends_its_transaction_is_refused(pushed: Service) -> None:
    text = pushed.revisions()[-1].read_text()
    head, back, rest = text.partition("def downgrade() -> None:\n")
    pushed.revisions()[-1].write_text(f'{head}{back}    op.execute("commit")\n{rest}')
    (revision,) = revisions.read(pushed.folder / "migrations")
    pushed.sql("update twolane.pushes set digest = %s", revision.digest)
    refused = pushed.invoke("db.downgrade", "--to", "base", "--allow=drop:dev_markers", code=1)
    assert "ends the transaction" in refused.err
    assert "dev_markers" in tables(pushed)
    assert len(pushes(pushed)) == 1
