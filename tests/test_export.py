"""What `db.export` writes gives a database that `db.status` calls level, run as the CLI runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import BOOTSTRAP, NewDatabase, copy, run_files
from json_shapes import assert_documented
from servers import Server
from service import DEV_MARKERS, Service
from steps import ORDER, SQL, add_sql
from test_online import BACK, CHECK, INDEX, VALID, revise

from twolane import config
from twolane.check import exports
from twolane.check.replayed import Replayed
from twolane.repo import contents
from twolane.telling import silently

FOLDER = "supabase/migrations"
HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key);
"""
# An older Supabase project grants the data API's roles everything on what is new.
OLDER = """
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated;
"""
# What the CLI's way leaves and twolane's own does not.
TRACES = "drop schema supabase_migrations cascade; drop function twolane.look"
RECORD = """
select file, digest, text, after_migrations, null, null from twolane.sql_runs
union all
select revision, digest, title, online, ran || undo, down from twolane.pushes order by 1, 2
"""
POLICY = """
drop policy if exists markers on public.dev_markers;
create policy markers on public.dev_markers for select to authenticated using (false);
"""
NOTE = f"{DEV_MARKERS}    note: Mapped[str | None]\n"
COUNT = """for (n,) in op.get_bind().exec_driver_sql("select count(*) from dev_markers"):
    op.execute(f"comment on table dev_markers is 'had {n} rows'")
cursor = op.get_bind().connection.cursor()
cursor.execute("insert into dev_markers (label) values ('x')")"""
COLUMNS = """
select attname from pg_attribute
where attrelid = 'public.moods'::regclass and attnum > 0 and not attisdropped
"""
# In more lines than a statement of the record takes, and with a setting that stays.
MOOD = (
    """
create table if not exists public.moods (id int);
do $$ begin
  create type public.mood as enum ('ok');
exception when duplicate_object then null;
end $$;
set search_path = pg_catalog;
"""
    + 600 * "-- as one feels\n"
)
BAD = "alter type public.mood add value if not exists 'bad';\n"
USE = "alter table public.moods add column if not exists mood public.mood default 'bad';\n"


def migrations(service: Service) -> list[Path]:
    return sorted((service.folder / FOLDER).glob("*.sql"))


def migrate(service: Service, url: str) -> str:
    """What `supabase db push` does with what the database lacks, a transaction for each file."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(HISTORY)
        done = connection.execute("select version from supabase_migrations.schema_migrations")
        versions = {version for (version,) in done}
        for path in migrations(service):
            version = path.name.partition("_")[0]
            if version not in versions:
                with connection.transaction():
                    connection.execute(path.read_bytes())
                    mark(url, version, connection)
                connection.execute("reset all")
    return url


def mark(url: str, version: str, connection: psycopg.Connection[Any] | None = None) -> None:
    """What `supabase migration repair --status applied` does, and the CLI after each file."""
    if connection is None:
        with psycopg.connect(url) as connection:
            return mark(url, version, connection)
    insert = "insert into supabase_migrations.schema_migrations values (%s)"
    connection.execute(insert, (version,))


def run_sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def forgotten(service: Service) -> list[str]:
    """What `db.check` warns of."""
    repo = contents.read_repo(config.load(service.folder))
    assert exports.are_there(repo.config)
    return [finding.message for finding in exports.export(Replayed(repo, silently))]


def expect_level(service: Service, url: str) -> None:
    said = service.invoke("db.status", DATABASE_URL=url).out
    assert "Next     nothing to do" in said, said


def test_the_migrations_give_a_database_that_is_level_and_one_more_what_changed(
    pushed: Service, new_database: NewDatabase, platform: str, dump_schema: Callable[[str], str]
) -> None:
    fresh, older = new_database(platform), new_database(platform)
    the_first_makes_what_the_repo_says(pushed, fresh, older)
    what_changes_is_told_before_it_is_exported(pushed)
    the_second_has_what_changed_and_no_more(pushed)
    a_change_by_hand_is_still_drift(pushed, fresh)
    anew = migrate(pushed, new_database(platform))
    for url in (fresh, anew):
        expect_level(pushed, url)
    run_sql(anew, TRACES)
    assert dump_schema(anew) == dump_schema(pushed.env["DATABASE_URL"])
    what_was_pushed_already_stops_the_third(pushed, fresh)
    expect_level(pushed, migrate(pushed, fresh))
    with pytest.raises(psycopg.errors.RaiseException, match="twolane has been in this database"):
        migrate(pushed, pushed.env["DATABASE_URL"])


def the_first_makes_what_the_repo_says(pushed: Service, fresh: str, older: str) -> None:
    """Also where a project grants by default."""
    told = pushed.invoke("db.export").out
    assert "supabase/sql/05_guardrails.sql" in told and "add dev markers" in told
    assert len(migrations(pushed)) == 1
    run_sql(older, OLDER)
    for url in (fresh, older):
        expect_level(pushed, migrate(pushed, url))
    assert run_sql(fresh, RECORD) == run_sql(pushed.env["DATABASE_URL"], RECORD)
    reach = "select has_table_privilege('anon', 'public.dev_markers', 'select')"
    assert run_sql(
        older, f"{reach} and not relrowsecurity from pg_class where relname = 'dev_markers'"
    ) == [(False,)]
    assert "Nothing to export" in pushed.invoke("db.export", "--check").out
    assert forgotten(pushed) == []


def what_changes_is_told_before_it_is_exported(pushed: Service) -> None:
    there = migrations(pushed)
    text = pushed.read(f"{SQL}/04_rls_chat_tables.sql")
    pushed.write(f"{SQL}/04_rls_chat_tables.sql", f"{text}comment on table threads is 'talk';\n")
    add_sql(pushed, "30_markers.sql", POLICY, after=True)
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    pushed.write_app(NOTE)
    pushed.invoke("db.gen", "-m", "add note")
    pushed.invoke("db.push")
    (revision,) = [path.name.split("_")[4] for path in pushed.revisions()[-1:]]
    assert forgotten(pushed) == [
        f"A preview branch would lack 04_rls_chat_tables.sql, 30_markers.sql, {revision}."
    ]
    assert "Not exported yet" in pushed.invoke("db.export", "--check", code=3).out
    assert migrations(pushed) == there, "looking writes nothing"


def the_second_has_what_changed_and_no_more(pushed: Service) -> None:
    (first,) = migrations(pushed)
    made = json.loads(pushed.invoke("db.export", "-m", "Notes!", "--json").out)
    assert_documented("db.export", made)
    assert migrations(pushed)[0] == first
    assert [path.name[14:] for path in migrations(pushed)[1:]] == ["_notes.sql"]
    assert [part.split("  ")[-1] for part in made["parts"]] == [
        f"{SQL}/04_rls_chat_tables.sql",
        "add note",
        f"{SQL}/30_markers.sql",
    ]
    assert "create table" not in migrations(pushed)[1].read_text().lower()


def a_change_by_hand_is_still_drift(pushed: Service, fresh: str) -> None:
    run_sql(fresh, "alter table public.threads add column by_hand int")
    migrate(pushed, fresh)
    status = json.loads(pushed.invoke("db.status", "--json", DATABASE_URL=fresh).out)
    assert [c["fact"] for c in status["drift"]] == ["column public.threads.by_hand"]
    run_sql(fresh, "alter table public.threads drop column by_hand")


def what_was_pushed_already_stops_the_third(pushed: Service, fresh: str) -> None:
    """Somebody pushes what is new into the preview branch's database, then exports it."""
    pushed.write_app(f"{NOTE}    body: Mapped[str | None]\n")
    pushed.invoke("db.gen", "-m", "add body")
    pushed.invoke("db.push", DATABASE_URL=fresh)
    expect_level(pushed, fresh)
    pushed.invoke("db.export")
    version = migrations(pushed)[-1].name.partition("_")[0]
    with pytest.raises(psycopg.errors.RaiseException, match=f"--status applied {version}"):
        migrate(pushed, fresh)
    mark(fresh, version)


def test_what_one_transaction_cannot_hold_and_what_no_migration_can_have(
    pushed: Service, new_database: NewDatabase, platform: str
) -> None:
    revise(pushed, "more", "\n".join([INDEX, CHECK.format("not valid"), VALID]), BACK)
    revise(pushed, "count rows", COUNT, online=False)
    add_sql(pushed, "20_mood.sql", MOOD)
    pushed.invoke("db.deploy", "--allow", "write:dev_markers")
    pushed.invoke("db.sync")
    told = pushed.invoke("db.export").out
    assert "count rows: it reads rows in Python" in told
    assert "public.dev_markers: 1 rows after the repo's files, 0 after the migrations" in told
    assert len(migrations(pushed)) == 1
    url = migrate(pushed, new_database(platform))
    assert pushed.invoke("db.status", DATABASE_URL=url).out == pushed.invoke("db.status").out
    assert run_sql(url, RECORD) == run_sql(pushed.env["DATABASE_URL"], RECORD)
    assert run_sql(url, "select indisvalid from pg_index where indexrelid = 'by_label'::regclass")

    # A new value of an enum can be used once the transaction that adds it is over.
    pushed.write(f"{SQL}/20_mood.sql", MOOD + BAD)
    add_sql(pushed, "21_use.sql", USE)
    assert "! The mirror is behind" in pushed.invoke("db.export").out
    assert [path.name[15:] for path in migrations(pushed)[1:]] == ["mood.sql", "use.sql"]
    migrate(pushed, url)
    # A file that goes, goes by a migration, and its hazard is named.
    (pushed.folder / SQL / "21_use.sql").unlink()
    pushed.write(ORDER, pushed.read(ORDER).replace("21_use.sql\n", ""))
    made = json.loads(pushed.invoke("db.export", "--json").out)
    assert_documented("db.export", made)
    assert [hazard["key"] for hazard in made["hazards"]] == ["drop:moods.mood"]
    migrate(pushed, url)
    assert run_sql(url, COLUMNS) == [("id",)]


def test_only_its_own_files_and_those_of_one_history_are_gone_on_with(
    service: Service, new_database: NewDatabase, tmp_path: Path
) -> None:
    (service.folder / FOLDER).mkdir()
    service.write(f"{FOLDER}/20240101000000_init.sql", "create table public.t (id int);\n")
    refused = service.invoke("db.export", code=1).err
    assert f"not from db.export:\n    {FOLDER}/20240101000000_init.sql" in refused
    assert f"mv {FOLDER}/*.sql {FOLDER}_before/" in refused
    (service.folder / FOLDER / "20240101000000_init.sql").unlink()
    config = service.read("supabase/config.toml").replace(
        "enabled = true\n\n# True", "enabled = false\n\n# True"
    )
    service.write("supabase/config.toml", config)
    service.write(
        "supabase/seed.sql", "insert into public.contacts (id) select null where false;\n"
    )
    service.invoke("db.export")
    (path,) = migrations(service)
    path.write_text(path.read_text() + "select 1;\n")
    assert f"First:  rm {FOLDER}/{path.name} " in service.invoke("db.export", code=1).err
    path.unlink()
    told = service.invoke("db.export", "--commit").out
    assert "[db.migrations] enabled = false" in told and "[db.seed] enabled = false" in told
    assert service.git("show", "--format=%s", "--no-patch").startswith("chore(db): export")
    (path,) = migrations(service)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "Nothing to export" in service.invoke("db.export").out
    path.write_text(path.read_text() + "drop table public.contacts;\n")
    assert f"git checkout -- {FOLDER}/{path.name}" in service.invoke("db.export", code=1).err
    service.git("checkout", "--", f"{FOLDER}/{path.name}")

    other = copy(service, tmp_path / "other" / "crm", new_database)
    for each, column in ((service, "note"), (other, "body")):
        each.write_app(DEV_MARKERS + f"    {column}: Mapped[str | None]\n")
        each.invoke("db.gen", "-m", f"add {column}")
        each.invoke("db.export")
    theirs = migrations(other)[-1]
    name = f"2999{theirs.name[4:]}"
    (service.folder / FOLDER / name).write_text(theirs.read_text())
    refused = service.invoke("db.export", code=1).err
    assert f"{FOLDER}/{name} no longer runs after those before it" in refused
    assert f"git rm {FOLDER}/{name}, and then: invoke db.export" in refused
    (service.folder / FOLDER / name).unlink()
    service.revisions()[-1].unlink()
    refused = service.invoke("db.export", code=2).err
    assert "G11" in refused and f"git rm {FOLDER}/{migrations(service)[-1].name}" in refused


def test_the_real_cli_runs_it(cli: Path, service: Service, sixteen: Server, tmp_path: Path) -> None:
    service.write("supabase/seed.sql", "create table public.seeded ();\n")
    config = service.read("supabase/config.toml").replace("enabled = false", "enabled = true")
    service.write("supabase/config.toml", config)
    service.invoke("db.export")
    url, other = sixteen.new_database(), sixteen.new_database()

    def supabase(*words: str) -> str:
        options = ["--workdir", str(service.folder), "--agent", "no"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DO_NOT_TRACK": "1"}
        done = subprocess.run(
            [str(cli), *words, *options], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    supabase("db", "push", f"--remote={url}", "--yes", "--include-seed")
    run_sql(url, "drop table public.seeded")
    expect_level(service, url)
    run_files(other, *BOOTSTRAP)
    run_sql(url, "drop schema twolane cascade")
    assert "create " not in supabase("db", "diff", "--from", other, "--to", url).lower()
