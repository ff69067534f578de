"""Hints can be pasted as they are: each carries the target that the command had."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleets import name_targets
from invoke.tasks import Task
from service import Service
from steps import add_sql

from twolane import hints
from twolane.tasks import db

ENGINE = Path(hints.__file__).parent
COMMANDS = {f"db.{name.replace('_', '-')}": t for name, t in vars(db).items() if type(t) is Task}
HINT = re.compile(r"\binvoke (db\.[a-z]+)")
# What it takes as `--target` is not a hint's target, see `hints.ON_A_TARGET`.
OTHERWISE = {"db.diff", "db.prove", "db.targets"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("invoke db.sync", "invoke db.sync --target eu-1"),
        ('invoke db.gen -m "…"', 'invoke db.gen --target eu-1 -m "…"'),
        (
            "invoke db.sync; for all of it: invoke db.status",
            "invoke db.sync --target eu-1; for all of it: invoke db.status --target eu-1",
        ),
        (
            "`invoke db.psql -c`, (invoke db.push)",
            "`invoke db.psql --target eu-1 -c`, (invoke db.push --target eu-1)",
        ),
        ("invoke db.psql --target x; invoke db.push", None),
        ("invoke db.reset --target local", "invoke db.reset --target local"),
        ("invoke db.check, or invoke db.up", "invoke db.check, or invoke db.up"),
        ("invoke db.targets lists them", "invoke db.targets lists them"),
    ],
)
def test_each_command_of_a_hint_gets_the_target(text: str, told: str | None) -> None:
    assert hints.on(text, "eu-1") == (told or f"{text} --target eu-1")
    assert hints.on(text, None) == text
    report = {"first": text, "findings": [{"first": text, "message": text}]}
    told_on = hints.on(text, "eu-1")
    assert hints.in_report(report, "eu-1") == {
        "first": told_on,
        "findings": [{"first": told_on, "message": text}],
    }


def test_a_target_is_quoted_for_the_shell() -> None:
    assert hints.on("invoke db.push", "it's") == "invoke db.push --target 'it'\"'\"'s'"


def test_every_command_with_a_target_is_known_to_the_hints() -> None:
    with_target = {
        n for n, t in COMMANDS.items() if "target" in inspect.signature(t.body).parameters
    }
    assert with_target - OTHERWISE == hints.ON_A_TARGET


def literals() -> Iterator[tuple[str, ast.AST, str]]:
    """Each text in the engine's code that names a command: where, the call that it is in, text."""
    for path in sorted(ENGINE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if node in documented or not re.search(r"\bdb\.[a-z]+", node.value):
                continue
            around: ast.AST = node
            while around in parents and not isinstance(around, (ast.Call, ast.stmt)):
                around = parents[around]
            yield f"{path.relative_to(ENGINE)}:{node.lineno}", around, node.value


def test_every_hint_in_the_engine_goes_where_the_target_is_added() -> None:
    """A text that names a command is given to those who print hints, never to `print`; it leaves
    the target to them; and the commands and their options exist."""
    found = list(literals())
    assert len(found) > 60
    for where, around, text in found:
        if isinstance(around, ast.Call):
            printer = ast.unparse(around.func)
            assert printer not in ("print", "clean", "sys.stdout.write", "sys.stderr.write"), where
        for name in HINT.findall(text):
            assert name in COMMANDS, f"{where}: {name}"
        for name, options in re.findall(r"\binvoke (db\.[a-z]+)((?: --[a-z-]+)+)", text):
            parameters = {*inspect.signature(COMMANDS[name].body).parameters, "help"}
            for option in re.findall(r"--([a-z-]+)", options):
                assert option.replace("-", "_") in parameters, f"{where}: {name} --{option}"


def hinted(text: str) -> list[str]:
    """The commands in the text that take a target, each with what follows it."""
    return [
        found[0]
        for found in re.finditer(r"\binvoke (db\.[a-z]+)( --target [\w-]+)?", text)
        if found[1] in hints.ON_A_TARGET
    ]


def everything_said(service: Service, *target: str) -> list[str]:
    """What the commands say of a database, on screens and as JSON, that has work in both lanes."""
    said = []

    def run(*words: str) -> None:
        said.append(service.invoke(*words, *target, code=None).text)

    def look() -> None:
        for command in (["db.status"], ["db.doctor"], ["db.sync", "--check"]):
            run(*command)
            run(*command, "--json")
        for command in (["db.push"], ["db.gen", "-m", "x"], ["db.capture"], ["db.apply"]):
            run(*command)

    look()  # one change by hand on either lane's table, one file to apply, a revision to push
    run("db.push", "--json")
    run("db.push", "--to", "nonsense")
    run("db.bootstrap")
    run("db.adopt")
    return said


def test_whatever_a_command_says_carries_its_target(service: Service) -> None:
    name_targets(service, eu_1=service.env["DATABASE_URL"])
    service.sql("alter table contacts add column by_hand text")
    add_sql(service, "10_fax.sql", "alter table contacts add column if not exists fax text;")

    said = everything_said(service, "--target", "eu-1")
    commands = [command for text in said for command in hinted(text)]
    assert len(commands) > 15
    assert {*commands} == {c for c in commands if c.endswith("--target eu-1")}

    default = [c for t in everything_said(service) for c in hinted(t) if " db.psql" not in c]
    assert default and not [command for command in default if "--target" in command]


def test_a_service_s_own_chain_hints_at_the_target_it_was_given(service: Service) -> None:
    """A command that a task calls, with the target by its name or by its place."""
    name_targets(service, eu_1=service.env["DATABASE_URL"])
    add_sql(service, "10_fax.sql", "select 1;")
    for call in ('target="eu-1"', 'None, "eu-1"'):
        service.write(
            "tasks.py",
            "from invoke.collection import Collection\n"
            "from invoke.tasks import task\n"
            "from twolane.tasks import db\n\n\n"
            f"@task\ndef mine(c):\n    db.apply(c, {call})\n\n\nnamespace = Collection(mine, db)\n",
        )
        said: Any = service.invoke("mine").out
        service.sql("delete from twolane.sql_runs where file = '10_fax.sql'")
        assert "Next:  invoke db.sync --target eu-1\n" in said
