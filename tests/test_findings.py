"""Findings: exit codes, what is ignored, JSON, annotations."""

from __future__ import annotations

from dataclasses import replace

from twolane.errors import Failure
from twolane.guards import findings
from twolane.guards.findings import BROKEN, DIFFERENT, ERROR, WARNING, Finding
from twolane.repo.locations import Place

ONE = Finding("exposed", "public.notes", "The table is open.", "invoke db.rls notes", "G13")


def test_the_exit_code_is_that_of_the_gravest_error() -> None:
    broken, differs = replace(ONE, exit=BROKEN), replace(ONE, exit=DIFFERENT)
    assert findings.exit_code([]) == 0
    assert findings.exit_code([replace(ONE, level=WARNING)]) == 0
    assert findings.exit_code([differs]) == 3
    assert findings.exit_code([differs, ONE]) == 2
    assert findings.exit_code([differs, ONE, broken]) == 1
    assert findings.exit_code([differs, replace(broken, level=WARNING)]) == 3


def test_an_entry_switches_off_its_guard_for_its_object_alone() -> None:
    others = [replace(ONE, code="G12"), replace(ONE, subject="public.notes2")]
    left, idle = findings.without_ignored([ONE, *others], ["G13:public.notes"])
    assert left == others
    assert idle == []

    left, idle = findings.without_ignored([ONE, *others], ["G13:public.*"])
    assert left == others[:1]

    left, idle = findings.without_ignored([ONE], ["G13:public.note", "public.notes", "G12:*"])
    assert left == [ONE]
    assert idle == ["G13:public.note", "public.notes", "G12:*"]


def test_what_has_a_way_of_its_own_to_be_meant_is_not_switched_off() -> None:
    drop = replace(ONE, code="G05", subject="x.py")
    left, idle = findings.without_ignored([drop], ["G05:x.py"])
    assert (left, idle) == ([drop], ["G05:x.py"])
    assert "none of those that can be switched off" in findings.idle_entry("G05:x.py").message
    assert findings.idle_entry("G12:x").exit == BROKEN
    for misspelt in ("exposed:public.notes", "g13:public.notes", "G33:public.nots"):
        assert "Is G13:public.notes meant?" in findings.idle_entry(misspelt, [ONE.key]).first


def test_a_finding_as_json_has_the_parts_that_are_documented() -> None:
    found = replace(ONE, place=Place("supabase/sql/1.sql", 3), details=("a", "b"))
    assert findings.as_json(found) == {
        "check": "exposed",
        "code": "G13",
        "level": "error",
        "subject": "public.notes",
        "message": "The table is open.",
        "details": ["a", "b"],
        "first": "invoke db.rls notes",
        "file": "supabase/sql/1.sql",
        "line": 3,
    }
    nowhere = findings.as_json(replace(ONE, code=""))
    assert (nowhere["code"], nowhere["file"], nowhere["line"]) == (None, None, None)


def test_an_annotation_names_file_line_and_title_and_is_escaped() -> None:
    found = replace(ONE, place=Place("supabase/sql/a,b.sql", 3), message="100%: a\nb, c\r")
    assert findings.annotation(found) == (
        "::error file=supabase/sql/a%2Cb.sql,line=3,title=G13 exposed"
        "::100%25: a%0Ab, c%0D%0AFirst:  invoke db.rls notes"
    )
    warning = replace(ONE, level=WARNING, code="", check="a:b")
    assert findings.annotation(warning).startswith("::warning title=a%3Ab::The table is open.")
    assert "file=services/crm/x.sql,title" in findings.annotation(
        replace(ONE, place=Place("x.sql")), "services/crm"
    )


def test_a_failure_has_the_place_that_its_message_names() -> None:
    failure = Failure("On the shadow, 10_a.sql:3:1: no such table\n    select\n    ^", "mend it")
    found = findings.from_failure(failure, "replay", "10_a.sql", "supabase/sql/")
    assert found.place == Place("supabase/sql/10_a.sql", 3)
    assert found.message == "no such table"
    assert found.details == ("    select", "    ^")
    assert (found.exit, found.level, found.first) == (BROKEN, ERROR, "mend it")

    failure = Failure("The migration failed: no\n  in migrations/versions/a_b.py:12:\n    drop", "")
    assert findings.from_failure(failure, "replay", "migrations").place == Place(
        "migrations/versions/a_b.py", 12
    )
    assert findings.from_failure(Failure("The server is gone."), "replay", "x").place is None


def test_a_long_finding_is_cut_for_a_person_and_whole_for_a_script() -> None:
    found = replace(ONE, details=tuple(map(str, range(20))), place=Place("a.sql", 1))
    shown = findings.lines(found)
    assert shown[0] == "a.sql:1: The table is open."
    assert "… and 8 more" in shown[-2]
    assert shown[-1] == "  First:  invoke db.rls notes"
    assert len(findings.as_json(found)["details"]) == 20
