"""One repo, two databases: an ordinary change on the first brings no deadlock to the second."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from conftest import NewDatabase, database_name
from fleets import name_targets
from service import DEV_MARKERS, Service
from steps import SQL, add_sql, mirror

ON = ("--target", "staging")
TOTALS = """
create or replace view public.marker_totals with (security_invoker = true) as
select label, count(*) as total from public.dev_markers group by label;
"""
OPEN = """
drop policy if exists p on public.dev_markers;
create policy p on public.dev_markers for select to authenticated using (label <> '');
"""


class Two:
    """A service with a table pushed, and a second database that stands equal: staging."""

    def __init__(self, service: Service, staging: str) -> None:
        name_targets(service, staging=staging)
        service.commit()
        self.service, self.url = service, staging
        self.invoke, self.sql = service.invoke, service.sql

    def there(self, statement: str) -> list[tuple[object, ...]]:
        """Runs SQL in staging, behind twolane's back."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def finish_here(self, title: str | None = None, *allow: str) -> None:
        """Both lanes on the first database, and the commit."""
        if title:
            self.invoke("db.gen", "-m", title)
            self.invoke("db.push", *(f"--allow={consent}" for consent in allow))
        self.invoke("db.apply")
        self.invoke("db.sync")
        self.service.commit()

    def expect_level(self) -> None:
        """Both databases are what the repo says, and no command changes the mirror."""
        before = mirror(self.service)
        assert "Nothing to deploy" in self.invoke("db.deploy", *ON).out
        assert self.invoke("db.diff", "--source", "default", *ON).out == "✓ No schema changes.\n"
        for target in ((), ON):
            assert "Next     nothing to do" in self.invoke("db.status", *target).out
            self.invoke("db.sync", "--check", *target)
        assert mirror(self.service) == before


@pytest.fixture
def two(pushed: Service, new_database: NewDatabase) -> Two:
    template = database_name(pushed.env["DATABASE_URL"])
    return Two(pushed, new_database(template))


def add_quotes(two: Two) -> None:
    two.service.write_app(DEV_MARKERS + "    note: Mapped[str | None]\n")


def test_a_table_and_a_view_over_it_reach_a_second_database_by_deploy(two: Two) -> None:
    two.service.write_app(
        DEV_MARKERS
        + "\n\nclass Quotes(UUIDKey, TenantOwned, Timestamps, AppBase):\n"
        + '    __tablename__ = "quotes"\n\n    total: Mapped[int]\n'
    )
    two.finish_here("add quotes")
    view = "create or replace view public.quote_totals with (security_invoker = true) as "
    add_sql(two.service, "30_t.sql", view + "select total from public.quotes;", after=True)
    two.finish_here()

    before = mirror(two.service)
    two.invoke("db.sync", *ON)
    assert mirror(two.service) == before, "a sync takes out nothing that is still to come"
    status = two.invoke("db.status", *ON).out
    assert "Next     invoke db.deploy --target staging" in status
    assert "stale" not in status and "Unmade" not in status

    planned = two.invoke("db.deploy", *ON, "--dry-run").out
    assert "CREATE TABLE quotes" in planned and "SQL file 30_t.sql" in planned
    assert two.there("select to_regclass('public.quotes')") == [(None,)]
    two.invoke("db.deploy", *ON)
    two.expect_level()


def test_status_does_not_call_a_mirror_fresh_that_lacks_what_files_made(two: Two) -> None:
    add_sql(two.service, "30_t.sql", TOTALS, after=True)
    two.invoke("db.deploy", *ON)
    said = two.invoke("db.status", *ON).out
    assert "Mirror   behind: SQL files made what it does not show yet" in said
    assert "Next     invoke db.sync --target staging" in said


def test_lanes_one_after_another_lead_there_as_well(two: Two) -> None:
    add_quotes(two)
    two.finish_here("add note")
    two.service.write(f"{SQL}/01_stamp.sql", "")
    add_sql(two.service, "31_t.sql", TOTALS, after=True)
    two.service.write(
        f"{SQL}/01_stamp.sql",
        "create or replace function public.stamp() returns int language sql "
        "set search_path = '' as 'select 1';\nrevoke all on function public.stamp() from public;",
    )
    order = two.service.read("supabase/bootstrap.txt")
    two.service.write(
        "supabase/bootstrap.txt", order.replace("\n@migrations", "\n01_stamp.sql\n@migrations")
    )
    two.finish_here()

    refused = two.invoke("db.push", *ON, code=2).err
    assert "G02" in refused and "invoke db.apply --target staging" in refused
    assert "invoke db.deploy --target staging does both lanes" in refused
    two.invoke("db.apply", *ON)
    two.invoke("db.push", *ON)
    two.invoke("db.apply", *ON)
    two.expect_level()


def test_a_view_is_changed_and_its_column_dropped_in_one_deploy(two: Two) -> None:
    add_quotes(two)
    add_sql(two.service, "30_t.sql", TOTALS.replace("label", "note"), after=True)
    two.invoke("db.gen", "-m", "add note")
    two.invoke("db.push")
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.expect_level()
    two.there("insert into dev_markers (label, note) values ('kept', 'lost')")

    drop = "drop view if exists public.marker_totals;\n"
    two.service.write(f"{SQL}/30_t.sql", drop + TOTALS)
    two.finish_here()
    two.service.write_app(DEV_MARKERS)
    two.finish_here("drop note", "drop:dev_markers.note")

    refused = two.invoke("db.deploy", *ON, code=2).err
    assert "G06" in refused and "repeat with --allow drop:dev_markers.note" in refused
    two.invoke("db.deploy", *ON, "--allow", "drop:dev_markers.note")
    assert two.there("select label, total from marker_totals") == [("kept", 1)]
    two.expect_level()


def test_a_rename_carries_policy_and_view_along(two: Two) -> None:
    add_sql(two.service, "30_t.sql", OPEN + TOTALS, after=True)
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.there("insert into dev_markers (label) values ('kept')")

    two.invoke("db.gen", "--empty", "-m", "label becomes title")
    two.service.edit_revision('op.alter_column("dev_markers", "label", new_column_name="title")')
    two.service.write_app(DEV_MARKERS.replace("label:", "title:"))
    refused = two.invoke("db.push", code=2).err
    assert "G05" in refused and "30_t.sql" in refused and "dev_markers.label" in refused
    text = (
        (OPEN + TOTALS).replace("(label", "(title").replace("select label", "select title as label")
    )
    two.service.write(f"{SQL}/30_t.sql", text.replace("by label", "by title"))
    said = two.invoke("db.push").out
    assert "Renamed: column public.dev_markers.label → column public.dev_markers.title" in said
    two.finish_here()
    two.invoke("db.deploy", *ON)
    assert two.there("select title from dev_markers") == [("kept",)]
    two.expect_level()


def test_a_renamed_table_takes_its_policies_along(two: Two) -> None:
    add_sql(two.service, "30_t.sql", OPEN, after=True)
    two.finish_here()
    two.invoke("db.deploy", *ON)

    two.invoke("db.gen", "--empty", "-m", "markers")
    two.service.edit_revision(
        'op.rename_table("dev_markers", "markers")\n'
        'op.execute("alter table markers rename constraint dev_markers_pkey to markers_pkey")'
    )
    two.service.write_app(DEV_MARKERS.replace('"dev_markers"', '"markers"'))
    two.service.write(f"{SQL}/30_t.sql", OPEN.replace("dev_markers", "markers"))
    two.invoke("db.push")
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.expect_level()


def test_what_is_left_of_a_deleted_file_goes_with_consent(two: Two) -> None:
    add_sql(two.service, "30_t.sql", TOTALS, after=True)
    two.finish_here()
    two.invoke("db.deploy", *ON)
    (two.service.folder / SQL / "30_t.sql").unlink()
    order = two.service.read("supabase/bootstrap.txt")
    two.service.write("supabase/bootstrap.txt", order.replace("30_t.sql\n", ""))

    for target in ((), ON):
        assert "Next     invoke db.deploy" in two.invoke("db.status", *target).out
        refused = two.invoke("db.deploy", *target, code=2).err
        consent = re.findall(r"--allow \S+", refused)[-1].split()
        two.invoke("db.deploy", *target, *consent)
    two.invoke("db.sync")
    assert "marker_totals" not in mirror(two.service)[1]
    two.expect_level()


def test_an_older_checkout_undoes_nothing(two: Two) -> None:
    add_sql(two.service, "30_t.sql", OPEN, after=True)
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.service.write(f"{SQL}/30_t.sql", OPEN.replace("<> ''", "= 'x'"))
    two.finish_here()
    two.invoke("db.deploy", *ON)

    two.service.git("checkout", "--quiet", "HEAD~1", "--", "supabase")
    for command in ("db.apply", "db.deploy", "db.bootstrap"):
        refused = two.invoke(command, *ON, code=2).err
        assert "G11" in refused and "30_t.sql" in refused and "git pull" in refused
    assert "'x'" in str(two.there("select qual from pg_policies where policyname = 'p'"))
    two.invoke("db.apply", *ON, "--file", "30_t.sql")
    assert "'x'" not in str(two.there("select qual from pg_policies where policyname = 'p'"))


def test_drift_is_what_was_changed_by_hand_and_pending_work_is_not(two: Two) -> None:
    add_sql(two.service, "30_t.sql", TOTALS, after=True)
    two.finish_here()
    two.there("alter table contacts add column fax text")

    refused = two.invoke("db.deploy", *ON, code=2).err
    assert refused.endswith(
        "    + column public.contacts.fax   text\n  First:  invoke db.sync --target staging\n"
    )
    two.invoke("db.sync", *ON)
    models, lock = mirror(two.service)
    assert "fax" in models and "fax" in lock and "marker_totals" in lock
    two.invoke("db.sync")
    assert "fax" in mirror(two.service)[1], "another database says nothing of it"
    said = two.invoke("db.status").out
    assert "no SQL file makes column public.contacts.fax, which another database got" in said
    ended = two.invoke("db.deploy", *ON).out
    assert "Not as the SQL files make it: 1 fact\n  invoke db.status --target staging\n" in ended
    assert "is what the repo says" not in ended
    two.invoke("db.capture", *ON, "--name", "40_fax")
    two.invoke("db.apply")
    two.invoke("db.deploy", *ON)
    two.finish_here()
    two.expect_level()


def test_a_hotfix_is_captured_on_a_database_that_is_behind(two: Two) -> None:
    add_sql(two.service, "30_t.sql", TOTALS, after=True)
    two.finish_here()
    two.there("alter table contacts add column fax text; drop index contacts_user_id_idx")
    two.invoke("db.capture", *ON, "--name", "40_fax")
    captured = two.service.read(f"{SQL}/40_fax.sql")
    assert "fax" in captured and "marker_totals" not in captured
    assert "drop index if exists public.contacts_user_id_idx" in captured
    two.finish_here()
    two.invoke("db.sync", *ON)
    two.invoke("db.deploy", *ON)
    two.expect_level()


def test_a_function_that_a_revision_breaks_is_named_before(two: Two) -> None:
    function = (
        "create or replace function public.first_label() returns text language sql stable "
        "set search_path = '' as 'select label from public.dev_markers limit 1';\n"
        "revoke all on function public.first_label() from public;"
    )
    add_sql(two.service, "30_f.sql", function, after=True)
    two.finish_here()
    two.invoke("db.gen", "--empty", "-m", "label becomes title")
    two.service.edit_revision('op.alter_column("dev_markers", "label", new_column_name="title")')
    two.service.write_app(DEV_MARKERS.replace("label:", "title:"))
    refused = two.invoke("db.push", code=2).err
    assert "G05" in refused and "function public.first_label()" in refused
    two.service.write(f"{SQL}/30_f.sql", function.replace("select label", "select title"))
    two.invoke("db.push")
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.expect_level()


def test_a_bootstrap_that_a_revision_stopped_goes_on(
    two: Two, new_database: NewDatabase, platform: str
) -> None:
    add_sql(
        two.service,
        "30_f.sql",
        "create or replace function public.one() returns int language sql set search_path = '' "
        "as 'select 1';\nrevoke all on function public.one() from public;",
        after=True,
    )
    two.invoke("db.gen", "--empty", "-m", "stops where rows are")
    two.service.edit_revision(
        'op.execute("""do $$ begin if exists (select from contacts) then raise \'no\'; end if; '
        'end $$""")'
    )
    two.service.commit()
    name_targets(two.service, fresh=new_database(platform))
    fresh = ("--target", "fresh")
    with psycopg.connect(two.service.env["FRESH_DATABASE_URL"], autocommit=True) as connection:
        two.invoke("db.apply", *fresh)
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")
        connection.execute(
            "insert into contacts (user_id, display_name) select id, 'x' from auth.users"
        )
        two.invoke("db.bootstrap", *fresh, code=1)
        connection.execute("delete from contacts")
    two.invoke("db.bootstrap", *fresh)
    assert "Next     nothing to do" in two.invoke("db.status", *fresh).out


def test_a_plan_that_a_person_approved_is_the_one_that_runs(two: Two) -> None:
    add_sql(two.service, "30_t.sql", TOTALS, after=True)
    two.finish_here()
    planned = two.invoke("db.deploy", *ON, "--dry-run").out
    (digest,) = re.findall(r"Plan (\w+)", planned)
    add_sql(two.service, "31_t.sql", OPEN, after=True)
    refused = two.invoke("db.deploy", *ON, "--plan", digest, code=2).err
    assert "G01" in refused and "invoke db.deploy --target staging --dry-run" in refused
    (digest,) = re.findall(r"Plan (\w+)", two.invoke("db.deploy", *ON, "--dry-run").out)
    two.invoke("db.deploy", *ON, "--plan", digest)
    assert two.there("select count(*) from marker_totals") == [(0,)]


def test_a_column_made_by_hand_and_then_declared_just_so_becomes_a_revision(two: Two) -> None:
    two.sql("alter table dev_markers add column note text")
    two.sql("insert into dev_markers (label, note) values ('a', 'kept')")
    two.service.write_app(DEV_MARKERS + "    note: Mapped[int | None]\n")
    refused = two.invoke("db.gen", "-m", "add note", code=2).err
    assert "G10" in refused and "app.py just so" in refused

    add_quotes(two)
    two.finish_here("add note")
    assert two.sql("select note from dev_markers") == [("kept",)]
    assert "No schema changes" in two.invoke("db.gen", "-m", "more").out
    two.invoke("db.deploy", *ON)
    two.expect_level()


def test_what_both_sides_changed_is_named_and_the_repo_wins(two: Two) -> None:
    add_sql(two.service, "30_t.sql", OPEN, after=True)
    two.finish_here()
    two.invoke("db.deploy", *ON)
    two.there("alter policy p on dev_markers using (label = 'by hand')")
    two.service.write(f"{SQL}/30_t.sql", OPEN.replace("<> ''", "= 'repo'"))
    two.finish_here()

    refused = two.invoke("db.deploy", *ON, code=2).err
    assert "G03" in refused and "policy public.dev_markers.p   the repo changes it too" in refused
    two.invoke("db.sync", *ON)
    assert "by hand" in mirror(two.service)[1]
    two.invoke("db.deploy", *ON)
    assert "repo" in str(two.there("select qual from pg_policies where policyname = 'p'"))
    two.invoke("db.sync", *ON)
    two.service.git("diff", "--exit-code", "--quiet")
    two.expect_level()


def test_rows_for_local_work_reach_the_embedded_database_alone(two: Two) -> None:
    seed = "insert into dev_markers (label) values ('seeded');\n"
    two.service.write("supabase/seed.sql", f"-- rows\n{seed}")
    two.service.env.pop("DATABASE_URL")
    assert "✓ Ran seed.sql." in two.invoke("db.bootstrap").out
    said = two.invoke("db.psql", "-c", "table dev_markers", code=None)
    two.service.write("supabase/seed.sql", "insert into nowhere values (1);\n")
    failed = two.invoke("db.bootstrap", code=1).err
    assert "seed.sql:1: ERROR" in failed and '"nowhere" does not exist' in failed, said
    made = two.service.folder / "made"
    for command in (f"\\! touch {made}", f"select 1 \\g |touch {made}"):
        two.service.write("supabase/seed.sql", f"select 1;\n{command}\n")
        failed = two.invoke("db.bootstrap", code=1).err
        assert "seed.sql:2:" in failed and "psql's own commands don't run" in failed
        assert not made.exists()
    two.invoke("db.bootstrap", *ON)
    assert two.there("select from dev_markers") == []
    two.invoke("db.down")


def test_what_an_earlier_step_renamed_or_dropped_is_no_longer_the_plan_s(pushed: Service) -> None:
    """An online revision makes a plan of several stages; an SQL file may run before all of them."""
    pushed.write_app(DEV_MARKERS.replace("label", "tag") + "    note: Mapped[str | None]\n")
    pushed.invoke("db.gen", "-m", "rename label", "--rename", "dev_markers.label:tag")
    pushed.write_app(DEV_MARKERS.replace("label", "tag") + "    note: Mapped[str]\n")
    pushed.invoke("db.gen", "-m", "notes for all")
    plan = json.loads(pushed.invoke("db.deploy", "--dry-run", "--json").out)
    assert {hazard["key"] for hazard in plan["hazards"]} == {
        "lock:dev_markers",
        "not-null:dev_markers.note",
    }

    order = pushed.read("supabase/bootstrap.txt")
    pushed.write(
        "supabase/bootstrap.txt", order.replace("\n@migrations\n", "\n09.sql\n@migrations\n")
    )
    pushed.write("supabase/sql/09.sql", "alter table if exists dev_markers drop column created_at;")
    said = pushed.invoke("db.deploy", "--dry-run", code=None).text
    assert "drop:dev_markers.created_at" in said
