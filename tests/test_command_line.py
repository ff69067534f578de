"""The command line itself: the list, the help, short flags, what a mistyped word is told."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.parser import Parser
from invoke.program import Program
from service import ROOT

from twolane.tasks import db
from twolane.tasks.listing import ORDER

WIDTH = 80


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
        (["db.pusj"], "Is db.push meant? invoke --list has them all."),
        (["chek"], "Is db.check meant?"),
        (["--help", "db.stats"], "Is db.status meant?"),
        (["db.push", "--dryrun"], "Is --dry-run meant? invoke --help db.push"),
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
