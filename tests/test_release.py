"""`invoke release`: what it demands of a commit, and the tag that it makes."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from service import ROOT, clean_environment
from template_repo import Template

import releasing

NEXT = "0.9.0"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A repository like this one, on the verge of a release; 0.8.0 was the last."""
    repo = Template(tmp_path_factory.mktemp("maintained") / "twolane")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in ("template", "twolane"):
        shutil.copytree(ROOT / name, repo.folder / name, ignore=ignored)
    for name in (
        "copier.yml",
        "tasks.py",
        "releasing.py",
        "pyproject.toml",
        "README.md",
        ".gitignore",
    ):
        shutil.copy(ROOT / name, repo.folder)
    repo.edit(releasing.ENGINE, lambda text: re.sub('n__ = ".*"', f'n__ = "{NEXT}"', text))
    text = (
        f"# Changelog\n\n## {NEXT}\n\n- Better.\n\nUpgrading: nothing to do.\n\n## 0.8.0\n\nOld.\n"
    )
    (repo.folder / "CHANGELOG.md").write_text(text)
    repo.git("init", "--quiet", "--initial-branch=main")
    repo.git("config", "user.name", "Maintainer")
    repo.git("config", "user.email", "maintainer@example.invalid")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "Ready")
    repo.git("tag", "0.8.0")
    repo.git("tag", "nightly")
    return repo


@pytest.fixture
def repo(ready: Template, tmp_path: Path) -> Template:
    shutil.copytree(ready.folder, tmp_path / "twolane")
    return Template(tmp_path / "twolane")


def release(repo: Template, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", "release", *arguments],
        cwd=repo.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


def commit(repo: Template) -> None:
    repo.git("commit", "--quiet", "--all", "--message", "more")


def without_starters(repo: Template) -> None:
    """Renders and bootstraps none, which takes most of the time."""
    repo.edit("tasks.py", lambda text: re.sub(r"^STARTERS = .*", "STARTERS = ()", text, flags=re.M))
    commit(repo)


def test_a_ready_commit_is_tagged_with_its_section_and_nothing_is_pushed(repo: Template) -> None:
    without_starters(repo)
    tried = release(repo, NEXT, "--dry-run")
    assert tried.returncode == 0 and "No tag was made" in tried.stdout, tried.stderr
    assert repo.git("tag") == "0.8.0\nnightly"
    tagged = release(repo, NEXT)
    assert tagged.returncode == 0 and f"git push origin main {NEXT}" in tagged.stdout
    assert repo.git("cat-file", "-t", NEXT) == "tag"
    message = repo.git("tag", "--list", "--format=%(contents)", NEXT)
    assert message == f"twolane {NEXT}\n\n- Better.\n\nUpgrading: nothing to do."
    again = release(repo, NEXT)
    assert again.returncode == 1
    assert again.stderr == f"✗ {NEXT} is not greater than the last tag, {NEXT}.\n"


def test_stale_starters_are_not_released(repo: Template) -> None:
    for name in ("05_guardrails.sql", "00_core_tables.sql"):
        repo.edit(f"template/supabase/sql/{name}", lambda text: f"{text}\ncreate schema extra;\n")
        repo.replace(f"template/supabase/sql/{name}", "schema extra", "schema if not exists extra")
    commit(repo)
    refused = release(repo, NEXT)
    assert refused.returncode == 1 and repo.git("tag") == "0.8.0\nnightly"
    assert refused.stderr.splitlines() == [
        f"✗ template/starters/{starter}/schema.lock.json is stale: invoke render"
        for starter in ("omnicrm", "minimal")
    ], "the models are fresh: they show no empty schema"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("next", "is no version"),
        ("0.8", "is not greater than the last tag, 0.8.0"),
        ("0.8.0rc1", "is not greater than the last tag"),
        ("v0.9.0", "normalises it, without a local part: 0.9.0"),
        ("0.9.0+mine", "normalises it, without a local part: 0.9.0"),
        ("0.9.1", "twolane/__init__.py says version 0.9.0"),
    ],
)
def test_a_version_that_is_none_or_not_the_next_is_refused(
    ready: Template, version: str, said: str
) -> None:
    assert any(said in problem for problem in releasing.problems(ready.folder, version))
    assert releasing.problems(ready.folder, NEXT) == []


def section(body: str) -> Callable[[Template], None]:
    """Writes the newest section of CHANGELOG.md and commits."""

    def write(repo: Template) -> None:
        (repo.folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{body}\n\n## 0.8.0\n\nOld.\n")
        commit(repo)

    return write


def with_tasks(repo: Template) -> None:
    repo.edit("copier.yml", lambda text: f"{text}\n_migrations: []\n")
    commit(repo)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (section("## Unreleased\n\nUpgrading: x."), "newest section is Unreleased: it must be"),
        (section(f"## {NEXT}\n\n- Better."), f"section {NEXT} has no paragraph “Upgrading: …”"),
        (with_tasks, "copier.yml has _migrations: updates then need --trust"),
        (lambda repo: (repo.folder / "x").touch(), "not committed: ?? x."),
        (lambda repo: repo.git("checkout", "--quiet", "-b", "side"), "side is checked out"),
    ],
)
def test_a_commit_that_is_not_ready_is_refused(
    repo: Template, spoil: Callable[[Template], object], said: str
) -> None:
    spoil(repo)
    (problem,) = releasing.problems(repo.folder, NEXT)
    assert said in problem


def test_the_wheel_has_all_of_the_engine(ready: Template) -> None:
    assert releasing.wheel_problems(ready.folder, NEXT) == []


def test_an_engine_that_lacks_its_data_or_cant_be_built_is_not_released(repo: Template) -> None:
    packages = 'packages = ["twolane"]\n'
    repo.replace("pyproject.toml", packages, f'{packages}exclude = ["*.sql"]\n')
    commit(repo)
    lacks = releasing.wheel_problems(repo.folder, "0.9.1")
    assert lacks[0] == "The engine's wheel is twolane-0.9.0-py3-none-any.whl."
    assert "The engine's wheel lacks twolane/facts/sql/common.sql." in lacks
    assert all(
        re.fullmatch(r"The engine's wheel lacks twolane/.*\.sql\.", each) for each in lacks[1:]
    )
    repo.replace("pyproject.toml", 'license = "MIT"', "license = 7")
    commit(repo)
    refused = release(repo, NEXT)
    assert refused.returncode == 1 and "✗ The engine can't be built." in refused.stderr


def test_all_that_is_wrong_is_said_at_once(repo: Template) -> None:
    section("## Unreleased")(repo)
    (repo.folder / "x").touch()
    refused = release(repo, "0.7.0")
    assert refused.returncode == 1 and refused.stderr.count("✗ ") == 4
    assert "Traceback" not in refused.stderr


def test_a_version_that_needs_trust_may_be_released_if_the_note_says_why(repo: Template) -> None:
    with_tasks(repo)
    section(f"## {NEXT}\n\nUpgrading: files move: `copier update --trust`.")(repo)
    assert releasing.problems(repo.folder, NEXT) == []
