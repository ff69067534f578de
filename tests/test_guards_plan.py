"""G06, G07, G16: what a migration gives up, what is not its to do, what a push can't carry."""

from __future__ import annotations

import json

import pytest
from service import DEV_MARKERS, Service
from steps import columns, indexes, tables


def drop_label(service: Service) -> None:
    service.write_app(DEV_MARKERS.replace("    label: Mapped[str]\n", ""))
    service.invoke("db.gen", "-m", "drop label")


def without_progress(text: str) -> list[str]:
    """The lines, without those that tell from a second on what is being done."""
    return [line for line in text.splitlines() if not line.startswith("· ")]


def test_g06_refuses_to_give_up_data_without_consent(pushed: Service) -> None:
    drop_label(pushed)
    refused = pushed.invoke("db.push", code=2)
    assert without_progress(refused.err) == [
        "✗ db.push refused · G06 destructive",
        "  The plan gives up data:",
        "    drop:dev_markers.label   its data are lost for good",
        "  First:  if it is meant, repeat with --allow drop:dev_markers.label",
    ]
    assert "label" in columns(pushed, "dev_markers")
    in_json = pushed.invoke("db.push", "--json", code=2)
    assert without_progress(in_json.err) == without_progress(refused.err)
    assert json.loads(in_json.out) == {
        "error": {
            "command": "db.push",
            "exit": 2,
            "code": "G06",
            "name": "destructive",
            "message": "The plan gives up data:",
            "changes": [],
            "details": ["drop:dev_markers.label   its data are lost for good"],
            "first": "if it is meant, repeat with --allow drop:dev_markers.label",
        }
    }


@pytest.mark.parametrize("consent", ["drop:dev_markers.label", "drop:public.dev_markers.label"])
def test_g06_lets_what_is_named_pass(pushed: Service, consent: str) -> None:
    drop_label(pushed)
    assert "✓ Pushed" in pushed.invoke("db.push", "--allow", consent).out
    assert "label" not in columns(pushed, "dev_markers")


@pytest.mark.parametrize("consent", ["drop:dev_markers", "drop:label", "lock:dev_markers", "all"])
def test_consent_that_fits_nothing_is_an_error(pushed: Service, consent: str) -> None:
    drop_label(pushed)
    for extra in ([], ["--allow", "drop:dev_markers.label"]):
        said = pushed.invoke("db.push", "--allow", consent, *extra, code=1).err
        assert (
            f"--allow {consent} fits nothing in this plan; it has: drop:dev_markers.label" in said
        )
        assert "First:  invoke db.push --dry-run" in said
    assert "label" in columns(pushed, "dev_markers")


def test_a_dry_run_says_which_consent_it_would_need(pushed: Service) -> None:
    drop_label(pushed)
    plan = pushed.invoke("db.push", "--dry-run").out
    assert (
        "! drop:dev_markers.label   its data are lost for good; "
        "needs --allow drop:dev_markers.label\n" in plan
    )
    assert "! lock:dev_markers   blocks reads and writes until the push has finished\n" in plan
    assert "Dry run: nothing was applied." in plan
    plan = pushed.invoke("db.push", "--dry-run", "--allow", "drop:public.dev_markers.label").out
    assert "! drop:dev_markers.label   its data are lost for good; allowed\n" in plan


def test_bootstrap_asks_for_consent_too(pushed: Service) -> None:
    drop_label(pushed)
    assert "G06 destructive" in pushed.invoke("db.bootstrap", code=2).err
    assert "label" in columns(pushed, "dev_markers")


SQL_ONLY = {
    "create policy p on dev_markers to authenticated using (true)": "+ policy public.dev_markers.p",
    "alter table dev_markers disable row level security": "- rls public.dev_markers",
    "alter table dev_markers force row level security": "~ rls public.dev_markers",
    "grant select on dev_markers to anon": "+ grant table public.dev_markers to anon",
    "alter default privileges in schema public grant select on tables to anon": (
        "+ grant default privileges for postgres in schema public on tables to anon"
    ),
    "alter table dev_markers add v extensions.vector(3);"
    "create index by_v on dev_markers using hnsw (v extensions.vector_l2_ops)": (
        "+ index public.dev_markers.by_v"
    ),
    "create table more (id int primary key); grant select on more to anon": (
        "+ grant table public.more to anon"
    ),
    "create table more (id int primary key); alter table more force row level security": (
        "+ rls public.more"
    ),
    "create table more (id int primary key); alter table more disable row level security": (
        "+ table public.more"
    ),
}


@pytest.mark.parametrize("statements", SQL_ONLY)
def test_g07_refuses_what_belongs_to_sql_files(pushed: Service, statements: str) -> None:
    pushed.invoke("db.gen", "--empty", "-m", "what is not ours")
    pushed.edit_revision("\n".join(f"op.execute({part!r})" for part in statements.split(";")))
    refused = pushed.invoke("db.push", code=2).err
    assert "✗ db.push refused · G07 sql-only" in refused
    assert f"    {SQL_ONLY[statements]}" in refused
    assert "First:  take it out of " in refused and "supabase/sql/" in refused
    assert "more" not in tables(pushed)


def test_g07_lets_a_new_table_have_what_the_database_gives_it(service: Service) -> None:
    """RLS by the event trigger, default privileges, everybody's right to use a new type."""
    grants = "alter default privileges in schema public grant select on tables to authenticated"
    service.write("supabase/sql/10_grants.sql", grants)
    order = service.read("supabase/bootstrap.txt")
    service.write(
        "supabase/bootstrap.txt", order.replace("\n@migrations", "\n10_grants.sql\n@migrations")
    )
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.gen", "--empty", "-m", "add a type and a function")
    service.edit_revision(
        "op.execute(\"create type mood as enum ('well')\")\n"
        "op.execute(\"create function f() returns int language sql as 'select 1'\")"
    )
    plan = json.loads(service.invoke("db.push", "--json").out)
    facts = {change["fact"] for change in plan["changes"]}
    assert plan["applied"] is True
    assert {
        "rls public.dev_markers",
        "grant table public.dev_markers to authenticated",
        "grant enum public.mood to public",
    } <= facts


CONCURRENTLY = 'op.create_index("by_label", "dev_markers", ["label"], postgresql_concurrently=True)'


@pytest.mark.parametrize(
    "body", [CONCURRENTLY, f"with op.get_context().autocommit_block():\n    {CONCURRENTLY}"]
)
def test_g16_refuses_what_needs_a_session(pushed: Service, body: str) -> None:
    pushed.invoke("db.gen", "--empty", "-m", "index labels")
    pushed.edit_revision(body)
    for command in ("db.push", "db.bootstrap"):
        refused = pushed.invoke(command, code=2).err
        assert f"✗ {command} refused · G16 session" in refused
        assert "port 5432 and not the transaction pooler's 6543" in refused
        assert f"migrations/versions/{pushed.revisions()[-1].name}:" in refused
    assert "by_label" not in indexes(pushed, "dev_markers")


def test_g16_lets_pass_what_was_done_by_hand_over_a_session(pushed: Service) -> None:
    pushed.invoke("db.gen", "--empty", "-m", "index labels")
    pushed.sql("create index concurrently by_label on dev_markers (label)")
    assert "G10 app-drift" in pushed.invoke("db.push", code=2).err
    if_absent = CONCURRENTLY.replace("postgresql_concurrently", "if_not_exists")
    pushed.edit_revision(if_absent)
    assert "✓ Pushed" in pushed.invoke("db.push").out
    assert "by_label" in indexes(pushed, "dev_markers")
