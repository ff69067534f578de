"""`db.doctor` on files: SQL that runs once only, extensions, vectors, models of both lanes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from doctors import doctor, levels, subjects
from service import Service

from twolane.doctor import files as doctor_files
from twolane.doctor import repeatable
from twolane.doctor.files import Models
from twolane.facts import catalog
from twolane.repo.sqlfiles import SqlFile


def once(text: str) -> list[str]:
    file = SqlFile("10_x.sql", text, "")
    return [f"{o.line} {o.made.title}: {o.made.fix}" for o in repeatable.find(file)]


@pytest.mark.parametrize(
    ("text", "title", "fix"),
    [
        ("create policy p on notes using (true)", "policy p on public.notes", "drop policy if"),
        ('create policy "P x" on s."N" using (true)', 'policy "P x" on s."N"', '"P x" on s."N"'),
        (
            "create trigger t before insert on notes execute function f()",
            "trigger t on public.notes",
            "drop trigger if exists t on public.notes",
        ),
        (
            "create rule r as on insert to notes do nothing",
            "rule r on public.notes",
            "drop rule if exists r on public.notes",
        ),
        (
            "create event trigger e on ddl_command_end execute function f()",
            "event trigger e",
            "drop event trigger if exists e",
        ),
        ("create type mood as enum ('well')", "type public.mood", "exception when duplicate"),
        ("create type pair as (a int, b int)", "type public.pair", "exception when duplicate"),
        ("create type r as range (subtype = int)", "type public.r", "exception when duplicate"),
        ("create domain d as text", "type public.d", "exception when duplicate"),
        ("create publication p", "publication p", "exception when duplicate"),
        ("create role r", "role r", "exception when duplicate"),
        ("create table notes (id int)", "table public.notes", "table if not exists public.notes"),
        ("create table n as select 1", "table public.n", "table if not exists public.n"),
        ("create index i on notes (id)", "index i on public.notes", "index if not exists i"),
        ("create index on notes (id)", "", "give it a name"),
        ("create schema s", "schema s", "schema if not exists s"),
        ("create sequence s", "sequence public.s", "sequence if not exists public.s"),
        ("create extension vector", "extension vector", "extension if not exists vector"),
        ("create view v as select 1", "view public.v", "or replace view public.v"),
        (
            "create materialized view v as select 1",
            "materialized view public.v",
            "materialized view if not exists public.v",
        ),
        (
            "create function f() returns int language sql as 'select 1'",
            "function public.f",
            "or replace function public.f",
        ),
        (
            "alter table notes add column body text",
            "column body on public.notes",
            "add column if not exists body",
        ),
        (
            "alter table notes add constraint c check (id > 0)",
            "constraint c on public.notes",
            "alter table public.notes drop constraint if exists c;",
        ),
        ("alter type mood add value 'ill'", "value public.mood.ill", "add value if not exists"),
    ],
)
def test_a_statement_that_runs_once_only_is_found(text: str, title: str, fix: str) -> None:
    (said,) = once(f"-- first\nselect 1;\n\n/* above\nit */ {text};\n")
    assert said.startswith(f"5 {title}") and fix in said


@pytest.mark.parametrize(
    "text",
    [
        "drop policy if exists p on notes; create policy p on public.notes using (true)",
        "drop trigger if exists t on public.notes; "
        "create trigger t before insert on notes execute function f()",
        "create or replace trigger t before insert on notes execute function f()",
        "drop rule if exists r on notes; create rule r as on insert to notes do nothing",
        "create or replace rule r as on insert to notes do nothing",
        "drop event trigger if exists e; "
        "create event trigger e on ddl_command_end execute function f()",
        "drop type if exists mood; create type mood as enum ('well')",
        "drop domain if exists d; create domain d as text",
        "do $$ begin create type mood as enum ('well'); "
        "exception when duplicate_object then null; end $$",
        "create table if not exists notes (id int)",
        "drop table if exists notes; create table notes (id int); create index i on notes (id); "
        "create policy p on notes using (true)",
        "drop schema if exists s cascade; create schema s; create table s.notes (id int)",
        "create temporary table t (id int) on commit drop",
        "create index if not exists i on notes (id)",
        "drop index if exists i; create index i on notes (id)",
        "create or replace view v as select 1",
        "drop view if exists v; create view v as select 1",
        "drop materialized view if exists v; create materialized view v as select 1",
        "drop function if exists f(int); create function f() returns int language sql as '1'",
        "create or replace procedure p() language sql as ''",
        "alter table notes add column if not exists body text",
        "alter table notes drop constraint if exists c, add constraint d check (true), "
        "drop constraint if exists d; alter table notes add constraint c check (id > 0)",
        "alter type mood add value if not exists 'ill'",
        "alter type mood rename value 'ill' to 'sick'",
        "drop role if exists r; create role r",
        "drop extension if exists hstore; create extension hstore",
    ],
)
def test_a_statement_that_is_guarded_is_none(text: str) -> None:
    assert [said for said in once(text) if "constraint d" not in said] == []


@pytest.mark.parametrize(
    "text",
    [
        "drop policy p on notes; create policy p on notes using (true)",
        "create policy p on notes using (true); drop policy if exists p on notes",
        "drop policy if exists p on others; create policy p on notes using (true)",
        "drop policy if exists q on notes; create policy p on notes using (true)",
        "drop policy if exists p on s.notes; create policy p on notes using (true)",
    ],
)
def test_only_a_drop_of_that_policy_before_it_guards_it(text: str) -> None:
    assert len(once(text)) == 1


def test_the_place_of_such_a_statement_is_told(stranded: Service) -> None:
    text = "-- no guard\n\ncreate policy p on contacts using (true);\n"
    stranded.write("supabase/sql/50_policy.sql", text)
    order = stranded.read("supabase/bootstrap.txt")
    stranded.write("supabase/bootstrap.txt", order + "50_policy.sql\n")
    report = doctor(stranded)
    (finding,) = (f for f in report["findings"] if f["check"] == "repeatable")
    assert (finding["file"], finding["line"]) == ("supabase/sql/50_policy.sql", 3)
    assert finding["first"] == "above it: drop policy if exists p on public.contacts;"


def test_files_that_do_not_parse_or_are_not_listed_are_found(stranded: Service) -> None:
    stranded.write("supabase/sql/05_guardrails.sql", "select 1;\nselect from from;\n")
    stranded.write("supabase/sql/60_stray.sql", "select 1;\n")
    report = doctor(stranded)
    assert subjects(report, "syntax") == [("error", "05_guardrails.sql")]
    assert subjects(report, "files") == [("error", "bootstrap.txt")]
    (finding,) = (f for f in report["findings"] if f["check"] == "syntax")
    assert (finding["file"], finding["line"]) == ("supabase/sql/05_guardrails.sql", 2)


def test_an_extension_that_a_server_lacks_is_found() -> None:
    text = "create schema x;\ncreate extension if not exists pg_trgm;\ncreate extension vector;"
    files = [SqlFile("10_x.sql", text, "")]
    (finding,) = doctor_files.extensions(files, frozenset({"vector"}), "the shadow", "get it")
    assert finding.subject == "pg_trgm" and finding.place and finding.place.line == 2
    both = frozenset({"vector", "pg_trgm"})
    assert levels(doctor_files.extensions(files, both, "the shadow", "get it")) == []


def test_vector_columns_need_their_type_in_the_models() -> None:
    lock = {
        "column public.a.v": catalog.as_text({"type": "extensions.vector(3)"}),
        "column public.a.h": catalog.as_text({"type": "halfvec(3)[]"}),
        "column public.a.t": catalog.as_text({"type": "tsvector"}),
    }
    assert set(doctor_files.vector_columns(lock)) == {"public.a.v", "public.a.h"}
    typed = Models(lock, "from pgvector.sqlalchemy import VECTOR", True)
    assert levels(doctor_files.vectors(typed)) == []
    assert levels(doctor_files.vectors(replace(typed, text="USER-DEFINED"))) == ["warning"]
    assert levels(doctor_files.vectors(replace(typed, has_pgvector=False))) == ["error"]
    assert levels(doctor_files.vectors(Models({}, "", False))) == []


def test_models_without_the_vector_type_are_found_by_the_command(stranded: Service) -> None:
    models = "src/crm/db/schema/introspected.py"
    text = stranded.read(models).replace(
        "from pgvector.sqlalchemy import VECTOR\n", "VECTOR = None\n"
    )
    stranded.write(models, text)
    assert subjects(doctor(stranded), "vectors") == [("warning", "introspected.py")]


def test_a_model_of_a_table_that_is_lane_as_is_found(stranded: Service) -> None:
    table = '__tablename__ = "contacts"'
    stranded.write_app(f"\n\nclass Mine(UUIDKey, AppBase):\n    {table}\n\n    name: Mapped[str]\n")
    report = doctor(stranded)
    assert subjects(report, "scope") == [("error", "src/crm/db/schema/app.py")]
    (finding,) = (f for f in report["findings"] if f["check"] == "scope")
    assert finding["code"] == "G04" and finding["details"] == ["public.contacts"]
