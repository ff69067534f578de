"""The command line itself: the list, the help, short flags, what a mistyped word is told."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from invoke.collection import Collection
from invoke.parser import Parser
from invoke.program import Program
from service import ROOT
from terminal import Terminal

from twolane.config import SERVICE_VARIABLE
from twolane.fleet import outcomes
from twolane.prove import report
from twolane.prove.attempts import OPERATIONS, Attempt
from twolane.tasks import console, db
from twolane.tasks import report as checks_screen
from twolane.tasks.listing import ORDER

WIDTH = 80
SAYING = {"say", "done", "warn", "note", "error", "pasted", "clean", "clean_line"}


def tasks_of(path: Path) -> Collection:
    """The tasks of a file, as Invoke loads it."""
    spec = importlib.util.spec_from_file_location("own_tasks", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Collection.from_module(module)


@pytest.fixture(scope="module")
def service_tasks() -> Collection:
    return tasks_of(ROOT / "template/tasks.py")


def told(tasks: Collection, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What Invoke prints of a command line, on either stream."""
    program = Program(name="Invoke", binary="inv[oke]", namespace=tasks)
    program.run(["invoke", *words], exit=False)
    return "".join(capsys.readouterr())


def test_a_short_flag_means_one_thing_everywhere(
    service_tasks: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVICE_VARIABLE, str(ROOT))  # else tasks.py sets it, for later tests too
    meanings: dict[str, set[str]] = {}
    for tasks in (service_tasks, tasks_of(ROOT / "tasks.py")):
        for name in tasks.task_names:
            for argument in tasks[name].get_arguments():
                for letter in (n for n in argument.names if len(n) == 1):
                    meanings.setdefault(letter, set()).add(argument.name)
    assert {letter: found for letter, found in meanings.items() if len(found) > 1} == {}
    assert meanings["m"] == {"message"} and meanings["c"] == {"command"}


def test_the_help_of_each_command_has_an_example_that_can_be_typed(
    service_tasks: Collection,
) -> None:
    for name in service_tasks.task_names:
        help_text = service_tasks[name].__doc__ or ""
        examples = re.findall(r"^ +(invoke .+)$", help_text, re.MULTILINE)
        assert any(example.split()[1] == name for example in examples), name
        for example in examples:
            parser = Parser(contexts=service_tasks.to_contexts())
            parser.parse_argv(shlex.split(example)[1:])
        assert max(map(len, help_text.splitlines())) < WIDTH, name


def test_the_list_reads_by_lanes_and_by_day(
    service_tasks: Collection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    lines = told(service_tasks, capsys, "--list").splitlines()
    rows = [line.split(maxsplit=1) for line in lines if line.startswith("  ")]
    assert not [line for line in lines if line.startswith(" " * 10)], "each fits on its line"
    kinds = [text.partition(":")[0] for name, text in rows if name.startswith("db.")]
    assert [*dict.fromkeys(kinds)] == [*ORDER]
    assert kinds == sorted(kinds, key=[*ORDER].index), "commands of a kind stand together"
    names = {name.removeprefix("db.") for name, _ in rows if name.startswith("db.")}
    assert names == {*Collection.from_module(db).tasks}


@pytest.mark.parametrize(
    ("words", "way_on"),
    [
        (["db.pusj"], "Is db.push meant?\n  First:  invoke --list\n"),
        (["chek"], "Is db.check meant?"),
        (["--help", "db.stats"], "Is db.status meant?"),
        (["db.push", "--dryrun"], "Is --dry-run meant?\n  First:  invoke --help db.push"),
        (["db.prove", "contacts"], "invoke --help db.prove"),
        (["db.push", "--target"], "--target needed value"),
        (["xyzzy"], "First:  invoke --list"),
    ],
)
def test_a_mistyped_word_gets_the_nearest_name(
    service_tasks: Collection,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    way_on: str,
) -> None:
    said = told(service_tasks, capsys, *words)
    assert way_on in said
    assert said.startswith("✗ ")


# As the widest come: who did what on whose rows.
WHO = {"own": ("user A", "user B"), "other's": ("user A", "user B", "no claims", "forged claims")}


def test_tables_and_the_matrix_fit_into_80_columns() -> None:
    tried = [
        Attempt("public.contacts", "table", who, whose, operation, "filtered", "", "")
        for whose, names in WHO.items()
        for who in names
        for operation in OPERATIONS
    ]
    proof = report.Proof("shadow", tried, (), {"public.contacts": "user_id"}, {}, (), {}, {}, ())
    narrow = report.matrix(proof, WIDTH)
    assert max(map(len, narrow)) <= WIDTH < max(map(len, report.matrix(proof, 200)))
    assert {word for line in narrow for word in line.split()} >= {"filtered", *OPERATIONS}

    rows = [("Target", "Revision", "Next"), ("production", "b0416038c06b" * 4, "invoke db.up" * 3)]
    narrow = outcomes.columns(rows, WIDTH)
    assert max(len(line) for row in narrow for line in row.splitlines()) <= WIDTH
    assert narrow[1].endswith(f"\n    {rows[1][2]}")


def test_what_copier_asks_and_says_fits_into_80_columns() -> None:
    questions = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    prompt, choice = len("🎤  ") + len(" (Y/n)"), len("   > ")
    for name, asked in questions.items():
        if not name.startswith("_") and asked.get("when") is not False:
            assert len(asked["help"]) + prompt <= WIDTH, name
            choices = asked.get("choices", {})
            assert all(len(text) + choice <= WIDTH for text in choices), name
    for message in ("_message_after_copy", "_message_after_update"):
        lines = re.sub(r"\{\{.*?\}\}", "my-service", questions[message]).splitlines()
        assert max(map(len, lines)) <= WIDTH


def test_colours_are_colours_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `say` and the like print is cleaned: a colour in it would be shown as its code."""
    for path in (ROOT / "twolane/tasks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in SAYING:
                texts = [ast.unparse(text) for text in node.args]
                assert not any("paint(" in text for text in texts), f"{path.name}:{node.lineno}"

    counts = {"errors": 1, "warnings": 0}
    for stream, shown in ((Terminal(), "\x1b[31m✗\x1b[0m 1 error"), (io.StringIO(), "✗ 1 error")):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.delenv("NO_COLOR", raising=False)
        checks_screen.summarise(counts)
        console.say("\x1b[31mred")
        assert stream.getvalue().splitlines() == [f"{shown}, 0 warnings.", r"\x1b[31mred"]
