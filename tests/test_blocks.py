"""Words in a comment, in a message or in the body of what is only made are no statements."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from twolane import errors
from twolane.postgres import supautils
from twolane.prove import words
from twolane.repo import opened, sqlfiles
from twolane.sql import statements

DECLARED = "declare t text;"
LOOP = "for t in select relname from pg_class loop execute format('{} %I {} anon', t); end loop;"
SAY_NOTHING = [
    "do $$ begin -- totals: no grant to anon here\n perform 1; end $$",
    "do 'begin /* grant /* totals */ to anon */ perform 1; end'",
    f"do $$ {DECLARED} begin {LOOP.format('revoke all on', 'from')} -- grant nothing\nend $$",
    "do $$ begin raise notice 'totals: no grant to anon'; execute 'select 1'; end $$",
    "do $$ begin comment on view totals is 'no grant to anon'; end $$",
    "do $$ begin grant select on other.totals, rest to anon; perform 'totals'; end $$",
    "do $$ begin create function f() returns void language sql as"
    " 'grant select on totals to anon'; end $$",
]
MAY_GRANT = [
    "do $$ begin -- it's /* here\n grant select on totals to anon; end $$",
    "do $$ begin grant select on all tables in schema public to public; end $$",
    "do $$ begin execute /* so */ 'grant select on totals to anon'; end $$",
    "do $$ declare s text := 'grant select on totals to anon'; begin execute s; end $$",
    f"do $$ {DECLARED} begin {LOOP.format('grant select on', 'to')} end $$",
    f"do $$ declare x inner_part.t; t text; begin {LOOP.format('grant select on', 'to')} end $$",
    "do $$ begin perform run('grant select on totals to anon'); end $$",
    "do $$ begin do $x$ begin execute 'grant select on totals to anon'; end $x$; end $$",
    "do $$ begin raise notice '%', run('grant select on totals to anon'); end $$",
    "do language plpython3u $$ plpy.execute('grant select on totals to anon') $$",
]


@pytest.mark.parametrize("block", SAY_NOTHING + MAY_GRANT)
def test_a_block_opens_a_view_by_what_it_runs_alone(block: str) -> None:
    file = opened.Opened(statements(f"create view public.totals as select 1 as a; {block}"))
    assert file.said("public.totals") == ([] if block in SAY_NOTHING else None)


JOBS = "create extension if not exists pg_cron"
SETUP = "create function setup() returns void language {}; "
IN_PLPGSQL, IN_SQL = f"plpgsql as 'begin {JOBS}; end'", f"sql as '{JOBS}'"
MAKE_NONE = [
    f"-- pg_cron: {JOBS} in the dashboard\nselect 1",
    f"do $$ begin /* {JOBS} */ execute 'select 1'; end $$",
    f"do $$ begin raise notice '{JOBS} by hand'; execute 'select 1'; end $$",
    f"comment on schema public is '{JOBS}'; insert into docs values ('{JOBS}')",
    f"{SETUP.format(IN_PLPGSQL)} grant execute on function setup() to anon",
    f"{JOBS}_x; -- {JOBS}",
]
MAKE_IT = [
    'create extension /* for jobs */ "pg_cron"',
    f"do $$ begin {JOBS}; exception when others then raise notice 'without'; end $$",
    f"do $$ begin -- it's\n execute '{JOBS} with schema extensions'; end $$",
    f"do $$ declare x inner_part.t; begin {JOBS}; end $$",
    f"{SETUP.format(IN_PLPGSQL)} select setup()",
    f"{SETUP.format(IN_SQL)} do $$ begin perform setup(); end $$",
    f"select run('{JOBS}')",
]


@pytest.mark.parametrize("text", MAKE_NONE + MAKE_IT)
def test_a_file_creates_an_extension_by_what_it_runs_alone(text: str) -> None:
    files = [sqlfiles.of_text("10_jobs.sql", text)]
    assert sqlfiles.creates_extension(files, "pg_cron") == (text in MAKE_IT)


def test_a_comment_changes_neither_a_hint_nor_what_is_raised() -> None:
    assert errors.denied("-- as auth.users has it\nselect 1", "me", "ask") == "ask"
    block = "do $$ begin /* create extension x */ create extension x; end $$"
    raised = supautils.rewritten(block, 16)
    assert "/* create extension x */ perform supabase_stand_in." in raised


def test_a_function_is_tried_on_the_tables_of_its_code_not_of_a_comment() -> None:
    tables = [SimpleNamespace(name=f"public.{name}", exposed=True) for name in ("notes", "rest")]
    text = "begin -- as notes does\n return query execute 'select ' || what; end"
    schema = SimpleNamespace(texts=[("public.f", text)], tables=tables, source=lambda name: text)
    made: Any = SimpleNamespace(schema=schema)
    function: Any = SimpleNamespace(name="public.f")
    tried = " ".join(words.Words._endings(made, function))
    assert "from public.notes" in tried and "from public.rest" in tried
