"""`db.doctor` without a server: variables, settings, `.env` and git, this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from doctors import SECRET, doctor, levels, status, subjects
from service import Service

from twolane.config import Prove, Target, load
from twolane.doctor import environment
from twolane.doctor import server as doctor_server
from twolane.doctor.environment import Disk, Embedded
from twolane.doctor.server import Clock
from twolane.errors import Failure
from twolane.testing import make_importable

# Variables, settings, git


def test_an_unset_variable_is_found(stranded: Service) -> None:
    toml = stranded.read("pyproject.toml")
    stranded.write(
        "pyproject.toml", toml + '\n[tool.twolane.targets.staging]\nenv = "STAGING_URL"\n'
    )
    assert subjects(doctor(stranded), "variables") == [("warning", "STAGING_URL")]
    config = replace(load(stranded.folder), environment={})
    assert levels(environment.variables(config)) == ["info", "warning"]
    config = replace(config, environment={"DATABASE_URL": "x", "STAGING_URL": "y"})
    assert levels(environment.variables(config)) == []


def test_a_target_that_is_not_there_leaves_the_rest_to_look_at(stranded: Service) -> None:
    report = doctor(stranded, "--target", "production")
    assert subjects(report, "target") == [("error", "production")]
    assert subjects(report, "shadow") == [("error", "production")]
    assert report["target"] == "production"
    skipped = {c["check"]: c["reason"] for c in report["checks"] if c["status"] == "skipped"}
    assert skipped["connection"] == "after target" and skipped["drafts"] == "after shadow"
    assert {status(report, name) for name in ("settings", "repeatable", "git")} == {"passed"}


def test_unknown_keys_of_the_settings_are_found(stranded: Service) -> None:
    toml = stranded.read("pyproject.toml")
    stranded.write(
        "pyproject.toml",
        toml.replace("[tool.twolane]\n", '[tool.twolane]\ntenant_colum = "owner"\n')
        + '\n[tool.twolane.targets.prod]\nenv = "PROD"\n'
        + "[tool.twolane.check]\nignor = []\n",
    )
    config = load(stranded.folder)
    said = [f"{f.message} {f.first}" for f in environment.settings(config)]
    assert len(said) == 2
    for key, like in (
        ("tenant_colum", "tenant_column"),
        ("ignor", "ignore"),
    ):
        assert any(f"`{key}`" in text and f"Write it `{like}`" in text for text in said)


def test_what_a_copy_into_a_repo_that_was_there_leaves_to_do_is_found(
    stranded: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pyproject.toml and .gitignore were kept; pytest finds the package all the same."""
    stranded.write(".gitignore", "__pycache__/\n")
    stranded.write("pyproject.toml", '[project]\nname = "shop"\ndependencies = ["SQLAlchemy"]\n')
    with pytest.raises(Failure, match=r"has the files of a twolane service, and no \[tool") as none:
        load(stranded.folder)
    assert 'a line `package = "…"`' in none.value.first

    whole = stranded.read("pyproject.toml") + '[tool.twolane]\npackage = "crm"\n'
    stranded.write("pyproject.toml", whole)
    config = load(stranded.folder)
    found = {f.subject: f.message for f in environment.settings(config)}
    assert found.keys() == {"dependencies", "twolane", "alembic"}
    assert "has no pgvector, psycopg, python-dotenv, which" in found["dependencies"]
    ignored = [f.subject for f in environment.secrets(environment.git(stranded.folder))]
    assert ignored == [".env", ".postgres/"]

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "crm", raising=False)
    make_importable(config)
    assert str(stranded.folder / "src") in sys.path


def test_every_setting_that_is_read_is_known(stranded: Service) -> None:
    before = load(stranded.folder)
    settings = f"""[tool.twolane]
package = "{before.package}_two"
postgres = 16
tenant_column = "owner_id"
targets.staging = {{ env = "STAGING", protected = true }}
check.ignore = ["G12:public.notes"]
prove = {{ shared = ["plans"], tenants = {{ notes = "owner" }}, rows.notes = {{ body = "''" }} }}
"""
    toml = stranded.read("pyproject.toml")
    stranded.write(
        "pyproject.toml", re.sub(r"\[tool\.twolane\]\n(?s:.*?)(?=\n\[|\Z)", settings, toml)
    )
    config = load(stranded.folder)
    assert list(environment.settings(config)) == []
    read = ("package", "postgres", "tenant_column", "targets", "ignore", "prove")
    assert [name for name in read if getattr(config, name) == getattr(before, name)] == []
    assert config.targets["staging"] == Target("staging", "STAGING", True)
    assert config.prove == Prove(("plans",), {"notes": "owner"}, {"notes": {"body": "''"}})


def test_settings_that_cannot_be_read_are_one_error(stranded: Service) -> None:
    (stranded.folder / ".env").write_bytes(f"DATABASE_URL={SECRET}".encode("utf-16"))
    report = doctor(stranded)
    assert status(report, "settings") == "failed" and report["errors"] == 1
    assert {c["status"] for c in report["checks"][1:]} == {"skipped"}


def test_the_environment_goes_before_dotenv(stranded: Service) -> None:
    stranded.write(".env", "DATABASE_URL=postgresql://127.0.0.1:1/one\n")
    assert subjects(doctor(stranded), "override") == [("warning", "DATABASE_URL")]
    same = doctor(stranded, DATABASE_URL="postgresql://127.0.0.1:1/one")
    assert subjects(same, "override") == []


def secrets(service: Service) -> list[tuple[str, str]]:
    git = environment.git(service.folder)
    return [(f.level, f.subject) for f in environment.secrets(git)]


def test_a_committed_env_with_a_password_is_an_error(stranded: Service) -> None:
    assert secrets(stranded) == []
    stranded.write(".env", f"DATABASE_URL=postgresql://u:{SECRET}@127.0.0.1:1/x\n")
    assert secrets(stranded) == []  # ignored
    stranded.git("add", "--force", ".env")
    stranded.commit()
    report = doctor(stranded)
    assert subjects(report, "secrets") == [("error", ".env")]
    (finding,) = (f for f in report["findings"] if f["check"] == "secrets")
    assert "git rm --cached .env" in finding["first"] and "password" in finding["first"]

    stranded.git("rm", "--quiet", "--cached", ".env")
    stranded.commit()
    assert secrets(stranded) == [("warning", ".env")]  # in its history


def test_other_env_files_in_git_are_found(stranded: Service) -> None:
    stranded.write(".env.production", f"# a comment\nX=postgresql://u:{SECRET}@h/x\n")
    stranded.write(".env.test", "# X=postgresql://u:commented@h/x\nDEBUG=1\n")
    stranded.git("add", "--force", ".env.production", ".env.test")
    assert secrets(stranded) == [("error", ".env.production"), ("warning", ".env.test")]


def test_an_env_that_git_would_take_is_found(stranded: Service) -> None:
    stranded.write(".gitignore", ".postgres/\n")
    assert secrets(stranded) == [("warning", ".env")]


def history(folder: Path) -> list[str]:
    return [f.message for f in environment.history(environment.git(folder))]


def test_git_that_records_no_commit_is_explained(
    stranded: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert history(stranded.folder) == []
    stranded.git("checkout", "--quiet", "--detach")
    assert "HEAD is detached" in history(stranded.folder)[0]

    (tmp_path / "new").mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "new", check=True)
    assert "no commit yet" in history(tmp_path / "new")[0]

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    assert "no git repository" in history(tmp_path / "plain")[0]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert "There is no git" in history(stranded.folder)[0]


# This machine


def test_a_full_disk_is_found() -> None:
    mebibyte = 1024**2
    assert levels(environment.space(Disk(100 * mebibyte, 10**12))) == ["error"]
    assert levels(environment.space(Disk(1000 * mebibyte, 10**12))) == ["warning"]
    assert levels(environment.space(Disk(5000 * mebibyte, 10**12))) == []


def test_the_disk_is_the_one_of_the_services_folder(stranded: Service) -> None:
    usage = shutil.disk_usage(stranded.folder)
    found = environment.disk(load(stranded.folder))
    assert found.total == usage.total and 0 < found.free <= usage.total


def test_what_lies_in_the_embedded_servers_folder(tmp_path: Path) -> None:
    home = tmp_path / ".postgres"
    well = Embedded(home / "18", home / "18", True, [])
    assert levels(environment.leftovers(None)) == []
    assert levels(environment.leftovers(well)) == []
    assert levels(environment.leftovers(replace(well, owner=None, running=False))) == []
    assert levels(environment.leftovers(replace(well, running=False))) == ["info"]
    assert levels(environment.leftovers(replace(well, others=["16"]))) == ["info"]
    copied = replace(well, owner=tmp_path / "origin/.postgres/18")
    assert levels(environment.leftovers(copied)) == ["error"]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (Clock(100.0, 101.0, 102.0), []),
        (Clock(100.0, 104.0, 101.0), []),
        (Clock(100.0, 200.0, 160.0), ["warning"]),
        (Clock(100.0, 40.0, 101.0), ["warning"]),
        (Clock(100.0, 130.0, 160.0), []),
    ],
)
def test_a_clock_that_is_off_is_found(clock: Clock, expected: list[str]) -> None:
    class Server:
        target = "default"

    server = Server()
    server.clock = clock  # type: ignore[attr-defined]
    assert levels(doctor_server.clock(server)) == expected  # type: ignore[arg-type]
