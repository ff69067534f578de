"""What a finding carries: the statement that shows it, pasted into a fresh copy; what closes it."""

import re
from typing import Any

import psycopg
from conftest import NewDatabase, database_name
from proofs import broken, tried
from test_prove_missed import BY_CLAIMS, BY_VALUES, ORGANIZATIONS, TABLE
from test_prove_platform import BREAKS, GOOD

DEFINER = "language sql security definer set search_path = ''"
OPEN = "create policy x on {0} for {1} to authenticated {2}"
SOME = {**BY_VALUES, **BY_CLAIMS}
SOME = {name: SOME[name] for name in ("element", "taken", "metadata_flag", "address", "header")}
KINDS = {
    **{name: TABLE.format(name) + sql.format(name) for name, (sql, _) in SOME.items()},
    "off": TABLE.format("off") + "alter table off disable row level security",
    "moved": TABLE.format("moved") + OPEN.format("moved", "update", "using (true)"),
    "gone": TABLE.format("gone")
    + OPEN.format("gone", "delete", "using (true);")
    + OPEN.replace("x on", "y on").format("gone", "select", "using (true)"),
    "emptied": TABLE.format("emptied") + "grant truncate on emptied to authenticated",
    "seen": TABLE.format("seen_by") + "create view seen as select body from seen_by;"
    "grant select, update on seen to authenticated",
    "kept": TABLE.format("kept_from") + "create materialized view kept as select body from"
    " kept_from; grant select on kept to authenticated",
    "asked": TABLE.format("asked_of")
    + f"create function asked(wanted uuid) returns text {DEFINER} as"
    " 'select body from public.asked_of where id = wanted'",
    "done": TABLE.format("done_to") + f"create procedure done(wanted uuid) {DEFINER} as"
    " 'delete from public.done_to where id = wanted'",
    "told": TABLE.format("told_of") + "create function told(wanted uuid) returns void language"
    " plpgsql security definer set search_path = '' as $$ declare r public.told_of; begin"
    " select * into r from public.told_of where id = wanted;"
    " if r.user_id <> auth.uid() then raise 'no' using hint = r.user_id; end if; end $$",
}
MEMBERS = (
    "create policy me on members for update to authenticated using (user_id = auth.uid());"
    "create policy j on members for insert to authenticated with check (user_id = auth.uid());"
)
SQL = ";".join([*KINDS.values(), ORGANIZATIONS, MEMBERS, GOOD, BREAKS])


def shown(connection: psycopg.Connection[Any], finding: dict[str, Any]) -> str:
    """What comes of pasting a finding: rows, the count of those changed, or the error."""
    try:
        if finding["setup"]:
            connection.execute(finding["setup"].encode())
        cursor = connection.cursor()
        cursor.execute(finding["script"].encode())
        results = []
        for _ in iter(int, 1):
            results.append((cursor.statusmessage, cursor.fetchall() if cursor.description else []))
            if not cursor.nextset():
                break
        status, rows = results[-2]  # the last is the rollback
        return str(rows) if rows else str(status)
    except psycopg.Error as error:
        return f"{error.diag.message_primary} {error.diag.message_hint}"
    finally:
        connection.execute("rollback")


def test_each_kind_of_finding_is_shown_by_its_script(
    new_database: NewDatabase, platform: str
) -> None:
    made = new_database(platform)
    with psycopg.connect(made, autocommit=True) as connection:
        connection.execute(SQL.encode())
    fresh = database_name(made)
    found = tried(new_database(fresh), "select")
    findings: dict[tuple[str, str, str], Any] = {}
    for finding in found["findings"]:
        key = finding["object"], finding["operation"], finding["detail"]
        findings.setdefault(key, finding)
    objects = {name.partition("(")[0].removeprefix("public.") for name, _ in broken(found)}
    assert {*KINDS, "members", "storage.objects", "realtime.messages"} <= objects
    wrong = []
    with psycopg.connect(new_database(fresh), autocommit=True) as connection:
        for key, finding in findings.items():
            result = shown(connection, finding)
            clear(connection)
            is_told = "told" in finding["detail"]
            if is_told != result.startswith("no") or not finding["closes"]:
                wrong.append((key, result))
            if re.fullmatch(r"(SELECT|UPDATE|DELETE|INSERT 0) 0|\[\(None,\)\]", result):
                wrong.append((key, result))
    assert wrong == []


def clear(connection: psycopg.Connection[Any]) -> None:
    """Takes out what a setup has made."""
    tables = connection.execute(
        "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables"
        " where schemaname = 'public'"
    ).fetchone()
    assert tables
    connection.execute(f"truncate {tables[0]}, auth.users cascade".encode())
