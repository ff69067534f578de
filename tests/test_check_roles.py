"""A role that an earlier form of a file left on the server makes no check green."""

from __future__ import annotations

from twolane.check import roles
from twolane.repo import sqlfiles


def missing(
    *texts: str, facts: dict[str, str] | None = None, revision: str = ""
) -> dict[str, int | None]:
    files = [sqlfiles.of_text(f"{n}.sql", text) for n, text in enumerate(texts)]
    found = roles.missing(files, [revision], facts or {})
    return {name: place.line if place else None for name, place in found.items()}


def test_a_role_that_no_file_makes_is_missing_on_a_fresh_machine() -> None:
    assert missing("select 1;\ngrant select on t to reader;", "grant reader to anon") == {
        "reader": 2
    }
    assert missing("alter table t owner to boss; create policy p on t to reader, anon") == {
        "boss": 1,
        "reader": 1,
    }
    in_a_block = {'grant table public.t to "the reader"': '{"privileges":["SELECT"]}'}
    assert missing("do $$ begin execute 'x'; end $$", facts=in_a_block) == {"the reader": None}
    policy = {"policy public.t.p": '{"for":"all","to":["anon","reader"]}'}
    assert missing("select 1", facts=policy) == {"reader": None}


def test_a_role_that_a_file_makes_or_the_platform_brings_is_there() -> None:
    block = "do $$ begin if not exists (select from pg_roles where rolname = 'reader') then"
    assert missing("create role reader", "grant select on t to reader") == {}
    assert missing(f"{block} create role reader; end if; end $$; grant reader to postgres") == {}
    made_of_parts = "do $$ begin execute format('create role %I', 'reader'); end $$"
    assert missing(f"{made_of_parts}; grant select on t to reader") == {}
    quoted = """create role "app-deploy"; do 'create role "Bü ""ro"'; create role ro"""
    granted = 'grant select on t to "app-deploy", "Bü ""ro", "app-d", "Bü ro"'
    assert missing(quoted, granted) == {"app-d": 1, "Bü ro": 1}
    assert missing(f'{made_of_parts.replace("reader", "a-b")}; grant select on t to "a-b"') == {}
    assert missing("grant select on t to anon, supabase_admin, pg_monitor, public") == {}
    assert missing("grant select on t to current_user") == {}


GRANTED = "grant select on notes to auditor, reporter"
MAKER = "create function make(n text) returns void language plpgsql as"
MAKER += " $$ begin execute format('create role %I', n); end $$;"


def test_a_role_is_made_by_a_statement_and_not_by_a_word_beside_one() -> None:
    block = "do $$ begin create role auditor; exception when duplicate_object then null; end $$;"
    assert missing(f"{block} {GRANTED}") == {"reporter": 1}
    beside = "create user auditor; /* create role reporter */ create group rest;"
    assert missing(f"{beside} comment on role rest is 'create role reporter'; {GRANTED}") == {
        "reporter": 1
    }
    assert missing(f"{MAKER} grant execute on function make to reporter") == {"reporter": 1}
    both = (
        "do $$ begin -- it's\n create user auditor; execute 'create group ' || 'reporter'; end $$;"
    )
    assert missing(f"{both} {GRANTED}") == {}
    calls = "select make(n) from (values ('auditor'), ('reporter')) v(n);"
    assert missing(f"{MAKER} {calls} {GRANTED}") == {}


def test_a_role_is_made_by_what_a_revision_runs() -> None:
    said = '"""create role reporter"""\n# create role reporter\n'
    runs = f"op.execute('create role auditor')\nop.execute('{GRANTED}')\n"
    assert missing(GRANTED, revision=said + runs) == {"reporter": 1}
    loop = "for name in ('auditor', 'reporter'):\n    op.execute(f'create role {name}')\n"
    assert missing(GRANTED, revision=loop) == {}
