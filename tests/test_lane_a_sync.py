"""Lane A: the database into the mirror."""

import json

import pytest
from service import Service
from steps import MIRROR, add_sql, mirror


def test_sync_brings_a_change_by_hand_into_both_files(service: Service) -> None:
    service.sql("alter table contacts add column fax text")
    service.sql("drop policy contacts_select_own on contacts")

    result = service.invoke("db.sync")

    assert "The live database against the mirror, 2 facts:" in result.out
    assert "  public.contacts\n    + column fax   text\n" in result.out
    assert "    - policy contacts_select_own   for: select, to: authenticated, " in result.out
    assert result.out.endswith(
        "✓ Wrote src/crm/db/schema/introspected.py and supabase/schema.lock.json.\n"
        "✓ The mirror is now level with the database.\n"
        "Commit:  chore(db): re-introspect baseline after manual SQL changes\n"
    )
    models, lock = mirror(service)
    assert "fax: Mapped[str | None]" in models
    assert json.loads(lock)["facts"]["column public.contacts.fax"] == {"type": "text"}
    assert service.invoke("db.sync").out == warned(result.out) + "✓ No schema changes.\n"


def warned(output: str) -> str:
    """The part of a sync's output that stays: what no SQL file makes."""
    return "!" + output.partition("!")[2].partition("✓")[0]


def test_sync_names_what_no_sql_file_makes_until_one_does(service: Service) -> None:
    fax = "alter table contacts add column if not exists fax text"
    service.sql(fax)
    assert "No SQL file makes this" in service.invoke("db.sync").out

    add_sql(service, "10_fax.sql", fax)
    service.invoke("db.apply")

    result = service.invoke("db.sync")
    assert result.out == "✓ No schema changes.\n"


def test_sync_check_writes_nothing_and_exits_with_3_while_stale(service: Service) -> None:
    assert service.invoke("db.sync", "--check").out == "✓ No schema changes.\n"
    service.sql("alter table contacts add column fax text")

    result = service.invoke("db.sync", "--check", code=3)
    assert "+ column fax" in result.out
    assert "invoke db.sync" in result.out
    report = json.loads(service.invoke("db.sync", "--check", "--json", code=3).out)
    fact = {
        "fact": "column public.contacts.fax",
        "object": "public.contacts",
        "change": "added",
        "before": None,
        "after": {"type": "text"},
    }
    assert report == {
        "changes": [fact],
        "no_sql_file_makes": [fact],
        "files": list(MIRROR),
        "written": False,
        "app_drift": [],
        "problem": None,
    }
    assert service.git("status", "--porcelain") == ""

    assert json.loads(service.invoke("db.sync", "--json").out) == {**report, "written": True}
    service.invoke("db.sync", "--check")
    assert json.loads(service.invoke("db.sync", "--json").out) == {
        "changes": [],
        "no_sql_file_makes": [fact],
        "files": [],
        "written": False,
        "app_drift": [],
        "problem": None,
    }


@pytest.mark.parametrize("path", MIRROR)
def test_a_mirror_edited_by_hand_is_stale_and_made_anew(service: Service, path: str) -> None:
    text = service.read(path)
    edits = {MIRROR[0]: text + "\n", MIRROR[1]: text.replace('"type":"text"', '"type":"int"', 1)}
    service.write(path, edits[path])

    result = service.invoke("db.sync", "--check", code=3)
    assert path in result.out

    service.invoke("db.sync")
    assert service.read(path) == text


def test_introspect_prints_the_models_and_writes_nothing(service: Service) -> None:
    service.sql("alter table contacts add column fax text")
    printed = service.invoke("db.introspect").out
    assert service.git("status", "--porcelain") == ""
    service.invoke("db.sync")
    assert mirror(service)[0] == printed


def test_sync_commits_its_two_files_and_nothing_else(service: Service) -> None:
    service.write("staged.txt", "mine")
    service.git("add", "staged.txt")
    service.sql("alter table contacts add column fax text")

    result = service.invoke("db.sync", "--commit")

    subject = "chore(db): re-introspect baseline after manual SQL changes"
    assert subject in result.out
    assert service.git("show", "--format=%s", "--name-only").split("\n\n") == [
        subject,
        "\n".join(MIRROR),
    ]
    assert service.git("status", "--porcelain") == "A  staged.txt"
    assert (
        service.invoke("db.sync", "--commit").out == warned(result.out) + "✓ No schema changes.\n"
    )


def test_sync_works_while_lane_b_is_broken_and_sql_waits(pushed: Service) -> None:
    pushed.write_app("")
    pushed.invoke("db.gen", "-m", "drop them")
    pushed.edit_revision('op.execute("select nix")')
    add_sql(pushed, "10_waits.sql", "create table waits ();")
    pushed.sql("alter table contacts add column fax text")

    result = pushed.invoke("db.sync")

    assert "The live database against the mirror, 1 fact:" in result.out
    assert "The repo's files don't run on the shadow" in result.out
    assert "✓ The mirror is now level with the database." in result.out


def test_sync_works_while_a_waiting_sql_file_is_broken(pushed: Service) -> None:
    add_sql(pushed, "10_broken.sql", "create table (;")
    pushed.sql("alter table contacts add column fax text")

    result = pushed.invoke("db.sync")

    assert "The live database against the mirror, 1 fact:" in result.out
    assert "10_broken.sql:1:14: syntax error" in result.out
    assert "dev_markers" not in "".join(mirror(pushed))


def test_sync_works_while_app_py_is_broken(pushed: Service) -> None:
    add_sql(pushed, "10_fax.sql", "alter table contacts add column fax text;")
    pushed.invoke("db.apply")
    pushed.write_app("nonsense(")
    assert "+ column fax" in pushed.invoke("db.sync").out


def test_an_app_table_never_shows_up_in_the_mirror(pushed: Service) -> None:
    pushed.sql("alter table contacts add column fax text")
    pushed.sql("alter table dev_markers add column by_hand text")
    result = pushed.invoke("db.sync")
    assert "+ column public.dev_markers.by_hand" in result.out.partition("(G10)")[2]
    models, lock = mirror(pushed)
    assert "fax" in models and "fax" in lock
    assert "dev_markers" not in models + lock
