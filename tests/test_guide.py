"""The guide says what the engine does, its links lead somewhere; a service links its own version.

Sources on other hosts are found by git's own `insteadOf`, so that nothing leaves this machine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

import copier
import plumbum
import pytest
from invoke.collection import Collection
from invoke.tasks import Task
from service import ROOT

from twolane import config, settings
from twolane.tasks import db, template

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TOP = {page.name for page in DOCS.glob("*.md")}
COMMANDS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": task
    for module in (db, template)
    for name, task in Collection.from_module(module).tasks.items()
}


def rows(page: str) -> dict[str, str]:
    """The first cell of each row of a page's tables → the rest of the row."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    cells = (line.strip("| ").partition(" | ") for line in lines if line.startswith("| "))
    return {first.strip("`"): rest for first, _, rest in cells}


def options(task: Task[Any]) -> set[str]:
    task = copy(task)  # Invoke takes the help texts out of a task as it reads its arguments
    task.help = dict(task.help)
    return {f"--{str(argument.name).replace('_', '-')}" for argument in task.get_arguments()}


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert set(rows("commands.md")) - {"command"} == set(COMMANDS)


def test_the_options_that_the_guide_names_are_there() -> None:
    for name, row in rows("commands.md").items():
        if name in COMMANDS:
            assert set(re.findall(r"--[a-z-]+", row)) <= options(COMMANDS[name]), name
    written = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, words in re.findall(r"`?invoke ([a-z]+\.[a-z]+)((?:(?!invoke )[^`\n])*)", written):
        words = words.partition("#")[0]
        assert set(re.findall(r"(?<= )--[a-z-]+", words)) <= options(COMMANDS[name]), words


def test_every_guard_has_a_row() -> None:
    code = re.compile(r"\bG\d\d\b")
    sources = (ROOT / "twolane").rglob("*.py")
    named = {found for path in sources for found in code.findall(path.read_text(encoding="utf-8"))}
    assert {row[1:4] for row in rows("guards.md") if row != "code"} == named


def test_the_example_of_the_settings_is_valid_and_names_them_all(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "settings.md").read_text("utf-8"), re.S)
    (tmp_path / "pyproject.toml").write_text(example, encoding="utf-8")
    assert config.load(tmp_path).prove.shared
    table = tomllib.loads(example)["tool"]["twolane"]

    def keys(settings: Mapping[str, object]) -> set[str]:
        return set(settings)

    assert keys(table) == keys(settings.SETTINGS)
    assert keys(table["check"]) == keys(settings.OF_CHECK)
    assert keys(table["prove"]) == keys(settings.OF_PROVE)
    assert keys(table["targets"]["staging"]) == keys(settings.OF_TARGET)


# As an editor's schema has them; the rest of what a reader refuses is told when it reads.
IN_A_SCHEMA: Mapping[object, Mapping[str, object]] = {
    settings._text: {"type": "string"},
    settings._texts: {"type": "array", "items": {"type": "string"}},
    settings._flag: {"type": "boolean"},
    settings._expressions: {"type": "object", "additionalProperties": {"type": "string"}},
}


def test_the_schema_for_editors_has_each_setting_that_the_engine_reads() -> None:
    schema = json.loads((ROOT / "template/.twolane.schema.json").read_text("utf-8"))
    taplo = tomllib.loads((ROOT / "template/.taplo.toml").read_text("utf-8"))
    (rule,) = taplo["rule"]
    assert (ROOT / "template" / rule["schema"]["path"]).samefile(
        ROOT / "template/.twolane.schema.json"
    )
    top = schema["properties"]["tool"]["properties"]["twolane"]
    target = top["properties"]["targets"]["additionalProperties"]
    for table, readers in (
        (top, settings.SETTINGS),
        (top["properties"]["check"], settings.OF_CHECK),
        (top["properties"]["prove"], settings.OF_PROVE),
        (target, settings.OF_TARGET),
    ):
        assert table["additionalProperties"] is False, "an editor marks a misspelt key"
        assert table["properties"].keys() == readers.keys()
        for key, reader in readers.items():
            expected = IN_A_SCHEMA.get(reader, {})
            assert expected.items() <= table["properties"][key].items(), key
            assert table["properties"][key]["description"]
    assert top["properties"]["postgres"]["oneOf"][0]["enum"] == [16, 17, 18]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if target.suffix != ".md":
            continue
        titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
        anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, link


def test_the_readmes_path_to_a_first_push_is_that_of_the_first_hour() -> None:
    """Which is played: the same table, the same commands in the same order."""
    readme, hour = (
        path.read_text("utf-8") for path in (ROOT / "README.md", DOCS / "first-hour.md")
    )
    (model,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    assert model in hour
    path = readme[readme.index(model) :].partition("```sh\n")[2].partition("```")[0]
    commands = [line.partition("#")[0].strip() for line in path.splitlines()]
    played = re.findall(r"^\$ (invoke [^|\n]*?) *(?:\|.*)?$", hour, re.M)
    assert [command for command in played if command in commands] == commands


def test_the_readme_shows_a_refusal_as_the_guards_page_does() -> None:
    (shown,) = re.findall(
        r"^```\n(\$ .*?)```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S
    )
    assert shown in (DOCS / "guards/G03.md").read_text("utf-8")


def test_the_matrix_is_that_of_the_first_hour() -> None:
    (matrix,) = re.findall(
        r"^```\npublic.notes   tenant: user_id\n(.*?)```",
        (DOCS / "tenancy.md").read_text("utf-8"),
        re.M | re.S,
    )
    assert matrix in (DOCS / "first-hour.md").read_text("utf-8")


def test_the_index_has_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(([\w-]+\.md)\)", index)) == TOP - {"README.md"}


def test_the_site_has_every_page_in_the_order_of_the_index() -> None:
    settings = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    named = re.findall(r'"([\w/-]+\.md)"', settings)
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)
    index = re.findall(r"\(([\w-]+\.md)\)", (DOCS / "README.md").read_text("utf-8"))
    assert [name for name in named if "/" not in name] == ["README.md", *index]


HOSTS = [
    "https://github.com/acme/twolane",
    "git@github.com:acme/twolane",
    "https://gitlab.com/acme/group/twolane",
    "https://git.example.org/x/twolane",
]
GITHUB = "https://github.com/acme/twolane/blob"
GITLAB = "https://gitlab.com/acme/group/twolane/-/blob"


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=M", "-c", "user.email=m@example.invalid"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the template, of which the README is all, and a commit after it."""
    folder = tmp_path_factory.mktemp("guide") / "twolane"
    (folder / "template").mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", folder)
    for name in ("README.md.jinja", "{{_copier_conf.answers_file}}.jinja"):
        shutil.copy(ROOT / "template" / name, folder / "template")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "tag", "0.1.0")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "two")
    return folder


def linked(repo: Path, folder: Path, source: str, ref: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The README of a service from that source."""
    settings = folder / "gitconfig"
    known = (f'[url "{repo}"]\n  insteadOf = "{h}{end}"\n' for h in HOSTS for end in ("", ".git"))
    settings.write_text("".join(known))
    monkeypatch.setenv("COPIER_CACHE_DIR", str(folder / "cache"))
    with plumbum.local.env(GIT_CONFIG_GLOBAL=str(settings)):
        copier.run_copy(source, folder / "crm", vcs_ref=ref, defaults=True, quiet=True)
    return (folder / "crm/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "guide"),
    [
        ("gh:acme/twolane", f"{GITHUB}/0.1.0/docs/"),
        ("https://github.com/acme/twolane.git", f"{GITHUB}/0.1.0/docs/"),
        ("git@github.com:acme/twolane.git", f"{GITHUB}/0.1.0/docs/"),
        ("gl:acme/group/twolane", f"{GITLAB}/0.1.0/docs/"),
    ],
)
def test_a_service_links_the_guide_of_its_own_version(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, guide: str
) -> None:
    text = linked(repo, tmp_path, source, "0.1.0", monkeypatch)
    links = re.findall(r"\((https://[^)]+)\)", text)
    assert set(links) == {f"{guide}{name}" for name in TOP - {"README.md"}}


def test_a_version_between_releases_is_linked_by_its_commit(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = linked(repo, tmp_path, "gh:acme/twolane", "HEAD", monkeypatch)
    assert f"({GITHUB}/{git(repo, 'rev-parse', 'HEAD').strip()}/docs/lanes.md)" in text


@pytest.mark.parametrize("source", ["https://git.example.org/x/twolane.git", None])
def test_where_no_page_is_known_the_readme_names_the_file(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None
) -> None:
    text = linked(repo, tmp_path, source or str(repo), "0.1.0", monkeypatch)
    assert "- Lanes (`docs/lanes.md`): both of them" in text
    assert not re.search(r"\]\(", text)
