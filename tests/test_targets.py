"""Which databases `--target` means, and what is made of their outcomes: pure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twolane.config import Config, Target
from twolane.errors import Failure
from twolane.fleet import outcomes as fleet_report
from twolane.fleet.children import Ended
from twolane.fleet.outcomes import Outcome
from twolane.postgres import targets

URL = "postgresql://postgres@127.0.0.1/{}"


def settings(**urls: str) -> Config:
    """Targets of these names, underscores as dashes; what begins with `prod` is protected."""
    names = [name.replace("_", "-") for name in urls]
    listed = {name: Target(name, name.upper(), name.startswith("prod")) for name in names}
    known = {"local": Target("local", None), "default": Target("default", "DATABASE_URL")} | listed
    environment = {name.replace("_", "-").upper(): url for name, url in urls.items() if url}
    return Config(Path(), Path(), "crm", 18, known, environment)


FLEET = settings(
    eu_1=URL.format("a"), eu_2=URL.format("b"), us_1=URL.format("c"), prod_eu=URL.format("p")
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("eu-1", ["eu-1"]),
        ("us-1,eu-1", ["us-1", "eu-1"]),
        (" us-1 , eu-* ", ["us-1", "eu-1", "eu-2"]),
        ("eu-*,eu-1", ["eu-1", "eu-2"]),
        ("eu-?", ["eu-1", "eu-2"]),
        ("[eu][su]-1", ["eu-1", "us-1"]),
        ("*", ["eu-1", "eu-2", "us-1"]),
        ("local,default,*-2", ["local", "default", "eu-2"]),
    ],
)
def test_names_and_patterns_mean_targets_in_the_order_given(text: str, chosen: list[str]) -> None:
    assert list(targets.select(FLEET, text).chosen) == chosen


def test_a_pattern_never_means_a_protected_target() -> None:
    for text in ("*", "prod-*,eu-1", "eu-*,*"):
        found = targets.select(FLEET, text)
        assert "prod-eu" not in found.chosen
        assert found.left_out == {"prod-eu": "protected; name it in full"}

    found = targets.select(FLEET, "*,prod-eu")
    assert found.chosen[-1] == "prod-eu" and found.named == {"prod-eu"} and not found.left_out
    assert "prod-eu" in targets.select(FLEET, "*", reading=True).chosen
    with pytest.raises(Failure, match="fits protected targets alone"):
        targets.select(FLEET, "prod-*")


def test_a_pattern_never_means_a_protected_database_under_another_name() -> None:
    twin = settings(
        eu_1=URL.format("a"), eu_2="postgresql://me@127.0.0.1:5432/p", prod=URL.format("p")
    )
    assert targets.select(twin, "eu-*").left_out == {"eu-2": "protected; name it in full"}


def test_what_is_not_known_of_a_target_is_left_to_its_own_row() -> None:
    """Neither a variable that is not set nor a URL that can't be read hides the other targets."""
    fleet = settings(eu_1="", eu_2="https://nonsense", eu_3=URL.format("c"), prod="")
    assert list(targets.select(fleet, "*").chosen) == ["eu-1", "eu-2", "eu-3"]


def test_a_database_of_two_names_is_meant_once() -> None:
    fleet = settings(eu_1=URL.format("a"), eu_2=URL.format("a"), eu_3=URL.format("c"))
    found = targets.select(fleet, "*")
    assert list(found.chosen) == ["eu-1", "eu-3"]
    assert found.left_out == {"eu-2": "the same database as eu-1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("us-9*", "No target fits 'us-9*'; there are: eu-1, eu-2, us-1, prod-eu."),
        ("loc*", "No target fits 'loc*'"),
        ("eu-1,eu-9", "There is no target 'eu-9'"),
        ("eu-1,,eu-2", "lacks a name beside a comma"),
        ("eu-1,", "lacks a name beside a comma"),
        ("eu-1,postgresql://u:hush@h/d", "A target is a name, not a URL"),
    ],
)
def test_what_fits_nothing_is_an_error_that_says_what_there_is(text: str, words: str) -> None:
    with pytest.raises(Failure) as raised:
        targets.select(FLEET, text)
    assert words in raised.value.message
    assert "hush" not in f"{raised.value.message}{raised.value.first}"


def push(applied: bool, *ids: str) -> str:
    revisions = [{"id": revision, "title": revision} for revision in ids]
    return json.dumps({"revisions": revisions, "applied": applied}, indent=2) + "\n"


def error(message: str, code: str | None = None, name: str | None = None) -> str:
    return json.dumps({"error": {"code": code, "name": name, "message": message}}, indent=2)


def ran(*files: str) -> str:
    return json.dumps({"ran": [{"file": name, "messages": []} for name in files]})


PUSH, APPLY, CHECK = ["db.push", "--json"], ["db.apply", "--json"], ["db.sync", "--json", "--check"]
REFUSED = error("The live database changed", "G03", "stale-mirror")


@pytest.mark.parametrize(
    ("words", "end", "outcome", "message"),
    [
        (PUSH, Ended("a"), "not started", ""),
        (PUSH, Ended("a", 0, push(True, "r1", "r2")), "done", "pushed r1, r2"),
        (PUSH, Ended("a", 0, push(True, *"12345")), "done", "pushed 5 revisions, up to 5"),
        (PUSH, Ended("a", 0, push(False, "r1")), "nothing to do", ""),  # another push was faster
        (PUSH, Ended("a", 0, push(False)), "nothing to do", ""),
        (APPLY, Ended("a", 0, ran()), "nothing to do", ""),
        (APPLY, Ended("a", 0, ran("x.sql")), "done", "Applied to target a: x.sql."),
        (CHECK, Ended("a", 0, '{"files": []}'), "nothing to do", ""),
        (CHECK, Ended("a", 3, '{"files": ["a lock", "b"]}'), "differs", "a lock, b."),
        (PUSH, Ended("a", 2, REFUSED, "✗ db.push refused · G09 x"), "refused", "G03 stale-mirror"),
        (PUSH, Ended("a", 1, error("No way: \n  not at all")), "failed", "No way: "),
        (PUSH, Ended("a", 1, "", "Traceback\n✗ No way: \n"), "failed", "ended with code 1"),
        (PUSH, Ended("a", -9), "failed", "ended with code -9"),
        (
            PUSH,
            Ended("a", 130, error("Interrupted."), "✗ Interrupted.\n", True),
            "interrupted",
            "what was finished is recorded, the rest rolled back",
        ),
        (PUSH, Ended("a", 0, push(True, "r1"), "", True), "done", "pushed r1"),
        (PUSH, Ended("a", 2, REFUSED, "", True), "refused", "G03 stale-mirror"),
    ],
)
def test_an_outcome_is_read_from_exit_code_and_json(
    words: list[str], end: Ended, outcome: str, message: str
) -> None:
    found = fleet_report.read(end, words)
    assert (found.outcome, found.message) == (outcome, message)


def test_of_a_dry_run_the_plan_is_read() -> None:
    words = [*PUSH, "--dry-run"]
    found = fleet_report.read(Ended("a", 0, push(False, "r1")), words)
    assert (found.outcome, found.message) == ("planned", "r1")
    assert fleet_report.read(Ended("a", 0, push(False)), words).outcome == "nothing to do"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["done", "nothing to do", "planned", "left out"], 0),
        (["done", "refused", "not started"], 2),
        (["differs", "refused"], 2),
        (["refused", "failed", "differs"], 1),
        (["nothing to do", "differs"], 3),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_outcome(outcomes: list[str], code: int) -> None:
    assert fleet_report.exit_code([Outcome("a", outcome) for outcome in outcomes]) == code


def test_a_row_is_one_line_however_long_the_message() -> None:
    (_, row) = fleet_report.table([Outcome("eu-1", "failed", "long " * 99)], 200)
    assert row.startswith("eu-1    failed   long long") and row.endswith(" …") and len(row) < 120


def test_a_table_is_aligned_and_keeps_control_characters_out() -> None:
    rows = [("Target", "Outcome", ""), ("eu-1", "done", ""), ("\x1b[2J", "x")]
    assert fleet_report.columns(rows, 80) == [
        "Target   Outcome",
        "eu-1     done",
        "\\x1b[2J  x",
    ]
