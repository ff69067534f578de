"""A local database for each git branch, `branch_databases = true`."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from service import Service, owned
from test_embedded import NewService, new_service, query, up

from twolane import git
from twolane.config import Config
from twolane.postgres import branches

__all__ = ["new_service"]


@pytest.fixture
def repo(tmp_path: Path) -> Service:
    """A repo with one commit on `main`."""
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "README").write_text("one\n")
    return owned(folder)


def settings(repo: Service) -> Config:
    return Config(repo.folder, repo.folder, "crm", 18, {}, {}, branch_databases=True)


def test_the_default_branch_and_what_is_on_no_branch_have_the_local_database(
    repo: Service, tmp_path: Path
) -> None:
    config = settings(repo)
    assert (branches.current(config), branches.database(config)) == ("main", "local")
    repo.git("switch", "-q", "-c", "work")
    assert branches.database(config) == branches.named("work")
    assert branches.database(replace(config, branch_databases=False)) == "local"
    repo.git("switch", "-q", "--detach")
    assert (branches.current(config), branches.database(config)) == (None, "local")

    bare = tmp_path / "none"
    bare.mkdir()
    assert branches.database(replace(config, root=bare)) == "local"
    subprocess.run(["git", "init", "-q", "-b", "dev", bare], check=True)
    assert branches.database(replace(config, root=bare)) == "local", "no commit yet"


def test_the_remote_says_which_branch_is_the_default_one(repo: Service, tmp_path: Path) -> None:
    repo.git("branch", "-m", "trunk")
    clone = owned_clone(repo, tmp_path / "clone")
    clone.git("switch", "-q", "-c", "main")
    assert branches.database(settings(clone)) == branches.named("main")
    clone.git("switch", "-q", "trunk")
    assert branches.database(settings(clone)) == "local"


def owned_clone(repo: Service, folder: Path) -> Service:
    subprocess.run(["git", "clone", "-q", repo.folder, folder], check=True)
    return Service(folder)


def test_a_branch_s_database_has_a_plain_short_name_of_its_own(repo: Service) -> None:
    names = ["feature/x", "feature-x", "Feature/x", "größe/日本", "日本", "x" * 200]
    found = [branches.named(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(name.isascii() and name.islower() and len(name) < 45 for name in found)
    assert found[0].startswith("branch_feature_x_")
    repo.git("switch", "-q", "-c", "größe/日本")
    assert branches.database(settings(repo)) == branches.named("größe/日本")
    assert branches.gone(settings(repo), [*found, "local", "shadow_1"]) == sorted(
        set(found) - {branches.named("größe/日本")}
    )


def test_a_branch_comes_from_where_it_was_started(repo: Service) -> None:
    """By the reflogs; a parent without a database leads on to its own parent."""
    config = settings(repo)
    repo.git("switch", "-q", "-c", "base")
    repo.git("switch", "-q", "-c", "between")
    repo.git("switch", "-q", "-c", "leaf")
    there = {"local", branches.named("base")}
    assert branches.origin(config, there.__contains__) == branches.named("base")
    there |= {branches.named("between")}
    assert branches.origin(config, there.__contains__) == branches.named("between")
    assert branches.origin(config, {"local"}.__contains__) == "local"
    assert branches.origin(config, set[str]().__contains__) is None

    repo.git("branch", "named", "base")
    repo.git("switch", "-q", "named")
    assert branches.origin(config, there.__contains__) == branches.named("base")
    repo.git("branch", "-m", "renamed")
    there |= {branches.named("named")}
    assert branches.origin(config, there.__contains__) == branches.named("named")


def test_without_a_reflog_the_nearest_branch_is_the_origin(repo: Service) -> None:
    config = settings(repo)
    for name in ("near", "leaf"):
        repo.git("switch", "-q", "-c", name)
        repo.git("commit", "-q", "--allow-empty", "-m", name)
    repo.git("branch", "far", "main")
    repo.git("reflog", "expire", "--expire=now", "--all")
    there = {"local", branches.named("far"), branches.named("near")}
    assert branches.origin(config, there.__contains__) == branches.named("near")


def test_a_rebase_is_at_work_on_its_branch(repo: Service) -> None:
    repo.git("switch", "-q", "-c", "work")
    repo.write("README", "two\n")
    repo.commit()
    repo.git("switch", "-q", "main")
    repo.write("README", "three\n")
    repo.commit()
    with pytest.raises(subprocess.CalledProcessError):
        repo.git("rebase", "-q", "main", "work")
    assert git.branch(repo.folder) == "work"


def test_each_branch_has_its_rows_and_a_gone_one_is_pruned(new_service: NewService) -> None:
    service = new_service()
    project = service.read("pyproject.toml")
    with_branches = project.replace("[tool.twolane]\n", "[tool.twolane]\nbranch_databases = true\n")
    service.write("pyproject.toml", with_branches)
    service.commit()
    main = up(service)
    query(main, "create table kept (id int); insert into kept values (1)")

    service.git("switch", "-q", "-c", "feature/x")
    with psycopg.connect(main, application_name="my app"):
        said = service.invoke("db.up", code=1).err
    assert (
        "database of branch feature/x is to be a copy of local, which is in use by my app" in said
    )
    shown = service.invoke("db.up").out
    assert "is up, with the database of branch feature/x." in shown
    branch = shown.splitlines()[-1]
    assert "/branch_feature_x_" in branch
    query(branch, "insert into kept values (2)")
    assert query(main, "select count(*) from kept") == [(1,)]
    assert "Target   local, branch feature/x (Postgres" in service.invoke("db.status").out
    (listed, *_) = json.loads(service.invoke("db.targets", "--json").out)
    assert listed == {
        "name": "local",
        "variable": None,
        "set": True,
        "protected": False,
        "branch": "feature/x",
    }
    assert "branch feature/x" in service.invoke("db.targets").out
    service.invoke("db.reset", "--yes")
    assert query(branch, "select to_regclass('kept')") == [(None,)]

    service.git("switch", "-q", "main")
    assert up(service) == main
    assert query(main, "select count(*) from kept") == [(1,)]
    service.git("branch", "-D", "feature/x")
    assert list(service.folder.glob(".postgres/shadow/*.json"))
    pruned = service.invoke("db.down", "--prune").out
    assert pruned.startswith("✓ Dropped branch_feature_x_")
    assert re.search(r"✓ Dropped [1-9]\d* shadows, [1-9]\d* MB", pruned)
    assert not list(service.folder.glob(".postgres/shadow/*.json"))
    assert up(service) == main
    assert "No branch with a database is gone." in service.invoke("db.down", "--prune").out
