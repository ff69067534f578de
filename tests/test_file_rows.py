"""What an SQL file's text deletes, by what it runs: not by words that only stand in it."""

from __future__ import annotations

import pytest

from twolane.repo import sqlfiles
from twolane.state import file_rows

FILL = "alter table notes add column if not exists slug text; update notes set slug = id;"
BODY = "create function purge() returns {} language plpgsql as"
BODY += " $$ begin delete from notes; return null; end $$;"
TRIGGER = (
    f"{BODY.format('trigger')} create trigger t after update on {{}} execute function purge();"
)
DYNAMIC = "do $$ declare s text := 'delete from notes'; begin execute s; end $$;"
KEEPS = [
    "-- people may delete from the dashboard\n",
    "do $$ begin /* delete from notes */ raise notice 'delete from notes: no'; end $$;",
    "do $$ begin -- delete from notes\n execute 'alter table notes add y int'; end $$;",
    "comment on table notes is 'delete from it by hand';",
    "insert into rest (words) values ('delete from');",
    f"{BODY.format('void')} revoke all on function purge() from public;",
    TRIGGER.format("rest"),
    "select cron.schedule('purge', '0 3 * * *', 'delete from notes');",
]
DELETES = [
    "delete /* all */ from notes;",
    "with gone as (delete from notes returning *) select from gone;",
    "merge into notes n using rest r on true when matched then delete;",
    "create rule r as on update to rest do instead delete from notes;",
    "do $$ declare r record; begin for r in delete from notes returning id loop end loop; end $$;",
    "do $$ declare x inner_part.t; begin delete from notes; end $$;",
    DYNAMIC,
    DYNAMIC.replace("s text", "raise text").replace("execute s", "execute raise"),
    "do $$ declare comment text; begin comment := 'delete from notes'; execute comment; end $$;",
    "do $$ begin do 'begin execute $x$delete from notes$x$; end'; end $$;",
    f"{BODY.format('void')} SELECT PURGE();",
    f"{BODY.format('text')} update notes set slug = purge();",
    f"{BODY.format('void')} do $$ begin if true then perform public.purge(); end if; end $$;",
    f"{BODY.format('void')} create function g() returns int begin atomic select purge(); end;"
    " select g();",
    BODY.format("void").replace("purge", '"purge all"') + ' select "purge all"();',
    f"do $x$ begin {BODY.format('void')} perform purge(); end $x$;",
    TRIGGER.format("notes"),
    "select run('delete from notes');",
    "create procedure p() language sql as 'delete from notes'; call p();",
    "create procedure p() language sql begin atomic delete from notes; end; call p();",
]


@pytest.mark.parametrize("text", KEEPS + DELETES)
def test_a_file_deletes_by_what_it_runs_alone(text: str) -> None:
    found = file_rows.of(sqlfiles.of_text("60_rows.sql", f"{text}\n{FILL}"))
    assert found.deletes == (text in DELETES)


def test_words_beside_code_neither_execute_nor_fill_nor_name_a_table() -> None:
    said = "-- execute 'update contacts set nick = 1'\n raise notice 'execute: contacts';"
    block = f"do $$ begin {said} update notes set slug = id; end $$; -- contacts: create rule"
    found = file_rows.of(sqlfiles.of_text("60_rows.sql", block))
    assert (found.executes, found.sets, found.names("contacts")) == (False, frozenset(), False)
    assert found.updated == {"notes": {"slug"}} and found.names("notes")
    unread = "do $$ declare x inner_part.t; begin update Notes set body = null; end $$;"
    assert file_rows.of(sqlfiles.of_text("60_rows.sql", unread)).executes
