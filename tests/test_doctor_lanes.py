"""`db.doctor` on lanes and ledger: a stale mirror, work that waits, labels, edited revisions."""

from __future__ import annotations

import pytest
from conftest import NewDatabase
from doctors import doctor, found, only
from service import Service
from steps import add_sql

# The lanes


def test_a_stale_mirror_is_found(service: Service) -> None:
    service.sql("alter table contacts add column fax text")
    finding = only(doctor(service), "mirror", "warning")
    assert finding["details"] == ["+ column public.contacts.fax   text"]
    assert finding["first"] == "invoke db.sync; for all of it: invoke db.status"


def test_work_that_waits_is_told(waiting: Service) -> None:
    add_sql(waiting, "10_new.sql", "select 1;\n")
    text = waiting.read("supabase/sql/05_guardrails.sql")
    waiting.write("supabase/sql/05_guardrails.sql", f"{text}\n-- more\n")
    report = doctor(waiting)
    assert (report["errors"], report["warnings"]) == (0, 0)
    files, revisions = found(report, "work")
    assert files["details"] == ["05_guardrails.sql   changed", "10_new.sql   new"]
    assert revisions["details"][0].endswith("  add dev markers")


def test_a_database_that_was_never_bootstrapped_is_told(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    report = doctor(service, DATABASE_URL=new_database(platform))
    assert only(report, "work", "info")["first"] == "invoke db.bootstrap"
    assert (report["errors"], report["warnings"]) == (0, 0)


def test_columns_that_app_py_does_not_know_are_found(pushed: Service) -> None:
    add_sql(
        pushed,
        "10_search.sql",
        "alter table dev_markers add column if not exists search text;\n",
        after=True,
    )
    pushed.invoke("db.apply")
    pushed.invoke("db.sync")
    finding = only(doctor(pushed), "app-columns", "info")
    assert finding["details"] == ["+ column public.dev_markers.search   text"]

    pushed.sql("alter table dev_markers add column by_hand text")
    report = doctor(pushed)
    by_hand, by_sql = found(report, "app-columns")
    assert by_hand["level"] == "warning"
    assert by_hand["details"] == ["+ column public.dev_markers.by_hand   text"]
    assert by_sql["details"] == finding["details"]


def test_files_that_no_longer_run_from_nothing_are_found(service: Service) -> None:
    service.sql("create table legacy (id int)")
    add_sql(service, "10_legacy.sql", "alter table legacy add column if not exists n int;\n")
    (finding,) = found(doctor(service), "replay")
    assert finding["level"] == "error" and "10_legacy.sql:1" in finding["message"]


# The ledger


def label(service: Service, name: str) -> None:
    service.sql("insert into twolane.label (target, protected) values (%s, true)", name)


def targets(service: Service, text: str) -> None:
    service.write("pyproject.toml", f"{service.read('pyproject.toml')}\n{text}\n")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no target in pyproject.toml is production"),
        ('[tool.twolane.targets.production]\nenv = "PROD"', "pyproject.toml does not protect it"),
        (
            '[tool.twolane.targets.production]\nenv = "PROD"\nprotected = true',
            "was reached as default",
        ),
    ],
)
def test_a_label_of_another_name_is_found(service: Service, table: str, words: str) -> None:
    label(service, "production")
    targets(service, table)
    env = {"PROD": "postgresql:///elsewhere?host=/tmp"} if table else {}
    finding = only(doctor(service, **env), "label", "warning")
    assert words in finding["message"] and "--confirm production" in finding["message"]


def test_a_label_of_the_targets_own_name_is_none(service: Service) -> None:
    label(service, "production")
    targets(service, '[tool.twolane.targets.production]\nenv = "PROD"\nprotected = true')
    env = {"PROD": service.env["DATABASE_URL"]}
    assert found(doctor(service, "--target", "production", **env), "label") == []
    assert found(doctor(service, **env), "label") == []  # the same database


def test_files_that_are_gone_from_the_repo_are_told(service: Service) -> None:
    add_sql(service, "10_gone.sql", "select 1;\n")
    service.invoke("db.apply")
    assert found(doctor(service), "history") == []
    (service.folder / "supabase/sql/10_gone.sql").unlink()
    order = service.read("supabase/bootstrap.txt")
    service.write("supabase/bootstrap.txt", order.replace("10_gone.sql\n", ""))
    assert only(doctor(service), "history", "info")["details"] == ["10_gone.sql"]


def test_a_revision_that_was_edited_after_its_push_is_found(pushed: Service) -> None:
    assert found(doctor(pushed), "history") == []
    text = pushed.revisions()[-1].read_text()
    pushed.revisions()[-1].write_text(text.replace("label", "tag"))
    report = doctor(pushed)
    finding = found(report, "history")[0]
    assert (finding["level"], finding["code"]) == ("error", "G11")
