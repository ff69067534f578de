"""Errors in SQL files, models and migrations: file, line and the next step, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from failing import fails
from service import APP, DEV_MARKERS, Service
from steps import GUARDRAILS, add_sql

# SQL files


def test_a_syntax_error_in_an_sql_file(service: Service) -> None:
    service.write(GUARDRAILS, "-- é\n\nselect 1;\n\tselekt 'déjà', 2;\n")
    said = fails(service, "db.apply")
    assert '05_guardrails.sql:4:2: syntax error at or near "selekt"\n' in said
    line, caret = said.splitlines()[1:3]
    assert line.index("selekt") == caret.index("^")
    assert "Correct the file, then run the same command again" in said


def test_an_error_in_a_statement_names_its_place(service: Service) -> None:
    service.write(
        GUARDRAILS,
        "create table public.half (id int);\n"
        "select 'déjà vu',\n  no_such_function(1);\ncreate table public.more (id int);\n",
    )
    said = fails(service, "db.apply")
    assert "05_guardrails.sql:3:3: function no_such_function(integer) does not exist" in said
    line, caret = said.splitlines()[1:3]
    assert line.index("no_such") == caret.index("^")
    assert service.sql("select to_regclass('public.half')") == [(None,)]
    service.write(GUARDRAILS, "create table public.half (id int);")
    assert "05_guardrails.sql" in service.invoke("db.apply").out


def test_no_message_of_a_file_looks_like_twolanes_own(service: Service) -> None:
    raised = "E'a\\n✓ forged' using detail = E'b\\n✓ forged', hint = E'c\\n✓ forged'"
    service.write(GUARDRAILS, f"do $$ begin raise warning {raised}; end $$;")
    said = service.invoke("db.apply").text
    service.write(GUARDRAILS, f"do $$ begin raise exception {raised}; end $$;")
    said += fails(service, "db.apply")
    assert said.count("forged") >= 6
    assert not [line for line in said.splitlines() if line.startswith("✓ forged")]


def test_of_a_long_line_what_is_around_the_error_shows(service: Service) -> None:
    line = f"select {'1, ' * 2000}nowhere, {'2, ' * 2000}3;"
    service.write(GUARDRAILS, line)
    said = fails(service, "db.apply")
    source, caret = said.splitlines()[1:3]
    assert f"05_guardrails.sql:1:{line.index('nowhere') + 1}: " in said
    assert source[caret.index("^") :].startswith("nowhere") and len(source) < 200


def test_an_error_inside_a_do_block_names_the_block(service: Service) -> None:
    service.write(GUARDRAILS, "select 1;\n\ndo $$ begin\n  perform 1 / 0;\nend $$;\n")
    said = fails(service, "db.apply")
    assert "05_guardrails.sql:3:1: division by zero" in said
    assert "PL/pgSQL function inline_code_block line 2 at PERFORM" in said


OUTSIDE_TRANSACTIONS = [
    ("create index concurrently on public.contacts (id)", "without `concurrently`"),
    ("drop index concurrently if exists public.x", "without `concurrently`"),
    ("reindex table concurrently public.contacts", "by hand with `invoke db.psql -c`"),
    ("vacuum public.contacts", "invoke db.psql"),
    ("begin", "every file is one transaction"),
    ("commit", "every file is one transaction"),
    ("create database other", "a service lives in one database"),
    ("alter system set work_mem = '1MB'", "settings of the server"),
    ("copy public.contacts (id) from stdin", "pg_dump --inserts"),
    ("copy public.contacts (id) from stdin;\n1\tx\n\\.\n", "pg_dump --inserts"),
    ("copy public.contacts to stdout", "nobody takes them"),
    ("\\d public.contacts", "psql's backslash commands don't work here"),
]


def test_statements_that_have_no_place_in_a_transaction(
    service: Service, subtests: pytest.Subtests
) -> None:
    for statement, words in OUTSIDE_TRANSACTIONS:
        with subtests.test(statement):
            service.write(GUARDRAILS, f"create table public.half (id int);\n{statement};\n")
            said = fails(service, "db.apply")
            assert "05_guardrails.sql:2:1: " in said
            assert words.lower() in said.lower()
            assert service.sql("select to_regclass('public.half')") == [(None,)]


def test_what_fails_at_the_end_of_a_file_names_the_file(service: Service) -> None:
    late = "create table public.half (id int primary key deferrable initially deferred);"
    service.write(GUARDRAILS, f"{late}\ninsert into public.half values (1), (1);\n")
    said = fails(service, "db.apply")
    assert "05_guardrails.sql, at its end: duplicate key value" in said
    assert "Nothing of this file was applied" in said


def test_a_new_enum_value_that_its_own_file_uses(service: Service) -> None:
    service.write(
        GUARDRAILS,
        "create type public.hue as enum ('red');\ncreate table public.hues (hue public.hue);\n",
    )
    service.invoke("db.apply")
    service.write(
        GUARDRAILS,
        "alter type public.hue add value if not exists 'blue';\n"
        "insert into public.hues values ('blue');\n",
    )
    said = fails(service, "db.apply")
    assert "05_guardrails.sql:2:" in said and "a file of its own" in said


def test_a_view_whose_columns_change_is_dropped_first(service: Service) -> None:
    """Postgres advises `alter view … rename column`, which runs once only."""
    view = "create or replace view public.ids with (security_invoker) as select {} from contacts;"
    service.write(GUARDRAILS, view.format("id, email"))
    service.invoke("db.apply")
    service.write(GUARDRAILS, view.format("id, company, email"))
    assert "put `drop view if exists public.ids;` above it" in fails(service, "db.apply")
    service.write(GUARDRAILS, "drop view if exists public.ids;" + service.read(GUARDRAILS))
    service.invoke("db.apply")


def test_an_sql_file_that_is_no_utf8(service: Service) -> None:
    (service.folder / GUARDRAILS).write_bytes("-- café".encode("latin-1"))
    said = fails(service, "db.apply")
    assert "05_guardrails.sql can't be read" in said and "as UTF-8" in said


def test_a_missing_bootstrap_list(service: Service) -> None:
    (service.folder / "supabase/bootstrap.txt").unlink()
    for command in ("db.apply", "db.sync", "db.push", "db.status"):
        said = fails(service, command)
        assert "bootstrap.txt can't be read" in said and "git checkout" in said


def test_conflict_markers_in_the_lock(service: Service) -> None:
    lock = service.read("supabase/schema.lock.json")
    service.write(
        "supabase/schema.lock.json",
        lock.replace('"facts"', '<<<<<<< HEAD\n"facts"', 1) + ">>>>>>> theirs\n",
    )
    said = fails(service, "db.sync")
    assert "supabase/schema.lock.json can't be read" in said
    assert "git checkout HEAD -- supabase/schema.lock.json" in said and "invoke db.sync" in said
    service.commit()  # as git does by itself where it kept both sides' lines
    assert "git checkout HEAD~1 -- supabase/schema.lock.json" in fails(service, "db.status")
    service.git("checkout", "HEAD~1", "--", "supabase/schema.lock.json")
    service.invoke("db.sync")


NO_LOCKS = [
    '{"format": 1, "facts": ' + "[" * 100_000,
    *(f'{{"format": 1, "facts": {{"{text}": {{}}}}}}' for text in ("table", "column a.b", "x y.z")),
    '{"format": 1, "facts": {"table public.a": ["x"]}}',
]


@pytest.mark.parametrize(
    "text",
    ["", '{"format": 1}', *(pytest.param(text, id=f"{n}") for n, text in enumerate(NO_LOCKS))],
)
def test_a_lock_that_is_none(service: Service, text: str) -> None:
    service.write("supabase/schema.lock.json", text)
    assert "supabase/schema.lock.json can't be read" in fails(service, "db.status")


def test_a_lock_that_is_no_file_of_the_repo(service: Service, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(service.read("supabase/schema.lock.json"))
    lock = service.folder / "supabase/schema.lock.json"
    for place, words in ((tmp_path / "elsewhere", "it is a link out of"), ("/dev/zero", "no file")):
        lock.unlink()
        lock.symlink_to(place)
        said = fails(service, "db.status")
        assert "supabase/schema.lock.json can't be read" in said and words in said


def test_an_extension_that_the_embedded_server_lacks(service: Service) -> None:
    service.write(GUARDRAILS, "create extension if not exists postgis with schema extensions;\n")
    said = fails(service, "db.apply")
    assert '05_guardrails.sql:1:1: extension "postgis" is not available' in said
    assert "`postgres` in [tool.twolane], or SHADOW_DATABASE_URL" in said


# Python


def test_a_syntax_error_in_the_models(service: Service) -> None:
    service.write_app("\nclass Notes(AppBase:\n    pass\n")
    said = fails(service, "db.gen", "-m", "notes")
    line = next(n for n, t in enumerate(service.read(APP).splitlines(), 1) if "AppBase:" in t)
    assert f"src/crm/db/schema/app.py:{line}: " in said
    assert "class Notes(AppBase:" in said
    assert "Correct it, then run the same command again" in said


MODELS = APP.parent.as_posix()
INTROSPECTED = f"{MODELS}/introspected.py"
BASE = f"{MODELS}/base.py"
LOCK = "supabase/schema.lock.json"
# file: what it holds (None: it is gone), words of the message, the command that leads on
DAMAGED = [
    (
        f"{MODELS}/app.py",
        "# ä\n".encode("latin-1"),
        f"{APP} is no UTF-8: ",
        f"git checkout -- {APP}",
    ),
    (f"{MODELS}/app.py", None, f"{APP} is missing.", f"git checkout -- {APP}"),
    (BASE, None, f"{BASE} is missing.", f"git checkout -- {BASE}"),
    (INTROSPECTED, "x = 1\n".encode("utf-16"), f"{INTROSPECTED} is no UTF-8: ", "invoke db.sync"),
    (INTROSPECTED, None, f"{INTROSPECTED} is missing.", "invoke db.sync"),
    (INTROSPECTED, b"<<<<<<< HEAD\n", f"{INTROSPECTED}:1: invalid syntax", "invoke db.sync"),
    ("migrations/env.py", None, "migrations/env.py is missing.", "git checkout -- migrations"),
    ("migrations/env.py", b"\xff\xfe", "migrations/env.py is no UTF-8: ", "Save it as UTF-8"),
    ("pyproject.toml", b"\xef\xbb\xbf[tool]\n", "pyproject.toml can't be read", "without a BOM"),
    (LOCK, b"", f"{LOCK} can't be read", f"git checkout -- {LOCK}"),
    (LOCK, b"<<<<<<< HEAD\n", f"{LOCK} can't be read", f"git checkout HEAD -- {LOCK}"),
    (".env", b"<<<<<<< HEAD\nA=1\n", ".env has both sides of a merge in it", "Choose, between"),
]


def test_a_damaged_file_is_named_with_the_command_that_brings_it_back(
    service: Service, subtests: pytest.Subtests
) -> None:
    for name, holds, words, first in DAMAGED:
        path = service.folder / name
        kept = path.read_bytes() if path.exists() else None
        with subtests.test(f"{name} {holds!r}"):
            if holds is None:
                path.unlink()
            else:
                path.write_bytes(holds)
            said = fails(service, "db.gen", "-m", "notes")
            assert words in said and first in said.partition("  First:  ")[2]
        if kept is None:
            path.unlink()
        else:
            path.write_bytes(kept)


def test_a_package_under_another_name_is_told_from_a_lost_file(service: Service) -> None:
    package = service.folder / "src/crm"
    package.rename(package.with_name("renamed"))
    said = fails(service, "db.gen", "-m", "notes")
    package.with_name("renamed").rename(package)
    assert "There is no src/crm/db/schema, where [tool.twolane] has its package." in said
    assert "Name the package with db/schema in pyproject.toml" in said


def test_check_places_an_error_in_the_environment_there(service: Service) -> None:
    env = service.read("migrations/env.py")
    service.write("migrations/env.py", f"<<<<<<< HEAD\n{env}")
    report = json.loads(service.invoke("db.check", "--json", code=3).out)
    (finding,) = (f for f in report["findings"] if f["check"] == "app")
    assert (finding["file"], finding["line"]) == ("migrations/env.py", 1)
    service.write("migrations/env.py", env)


BAD_MODELS = [
    ("\nfrom .introspected import Customers\n", "cannot import name 'Customers'"),
    ("\nimport not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
    ("\nnonsense\n", "name 'nonsense' is not defined"),
    (
        "\nclass Notes(AppBase):\n    __tablename__ = 'notes'\n    body: Mapped[str]\n",
        "could not assemble any primary key columns",
    ),
    (
        DEV_MARKERS + "    x: Mapped[int] = mapped_column(ForeignKey('nowhere.id'))\n",
        "ForeignKey(Contacts.id)",
    ),
]


def test_errors_in_the_models(service: Service, subtests: pytest.Subtests) -> None:
    for body, words in BAD_MODELS:
        with subtests.test(words):
            service.write_app(body)
            said = fails(service, "db.gen", "-m", "notes")
            assert words in said and "app.py" in said
            assert service.revisions() == []
    service.write_app(DEV_MARKERS)
    service.invoke("db.gen", "-m", "notes")


BAD_MIGRATIONS = [
    ("op.execute('selekt 1'", "was never closed"),
    ("op.nonsense()", "has no attribute 'nonsense'"),
    ("nonsense", "name 'nonsense' is not defined"),
    ("op.execute('selekt 1')", 'syntax error at or near "selekt"'),
    ("op.execute('select 1 / 0')", "division by zero"),
    ("op.execute('copy contacts from stdin')", "copies rows from or to its client"),
    ("op.execute('select 1; copy contacts to stdout')", "call the driver's cursor.copy()"),
]


def test_errors_in_a_migration(waiting: Service, subtests: pytest.Subtests) -> None:
    revision = waiting.revisions()[0]
    good = revision.read_text()
    for upgrade, words in BAD_MIGRATIONS:
        with subtests.test(upgrade):
            waiting.edit_revision(upgrade)
            said = fails(waiting, "db.push")
            assert words in said
            lines = revision.read_text().splitlines()
            number = next(n for n, text in enumerate(lines, 1) if upgrade in text)
            assert f"{revision.name}:{number}" in said
            assert waiting.sql("select to_regclass('public.dev_markers')") == [(None,)]
    revision.write_text(good)
    waiting.invoke("db.push")
    assert waiting.sql("select to_regclass('public.dev_markers')") != [(None,)]


def test_revisions_of_two_branches_that_make_the_same_are_named(waiting: Service) -> None:
    first = waiting.revisions()[-1]
    twin = first.with_name("2026_01_01_0000_aaaaaaaaaaaa_twin.py")
    ours = first.name.split("_")[4]
    twin.write_text(first.read_text().replace(ours, "aaaaaaaaaaaa"))
    waiting.invoke("db.gen", "--merge", "-m", "both")
    said = fails(waiting, "db.push")
    assert "are of two branches: git rm" in said
    assert all(path.name in said for path in waiting.revisions())
    waiting.revisions()[-1].unlink()
    twin.unlink()
    waiting.invoke("db.push")


def test_a_file_that_needs_what_a_revision_makes_belongs_below_the_mark(waiting: Service) -> None:
    add_sql(waiting, "09_a.sql", "comment on table public.dev_markers is 'x';", after=False)
    first = "Put 09_a.sql below the line @migrations in supabase/bootstrap.txt"
    assert first in fails(waiting, "db.apply") and first in fails(waiting, "db.deploy")
    waiting.write("supabase/sql/09_a.sql", "comment on table public.elsewhere is 'x';")
    assert first not in fails(waiting, "db.deploy")
