"""`db.check` as CI runs it: the repo alone, no database, no environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checks import add_revision, alone, found, of, report
from servers import PostgresServer
from service import ROOT, Service, clean_environment, render
from steps import add_sql

CHECKS = {
    "order": "G09",
    "history": "G11",
    "scope": "G04",
    "replay": None,
    "idempotent": "G08",
    "baseline": "G05",
    "sql-only": "G07",
    "reversible": None,
    "app": None,
    "mirror": None,
    "conventions": "G12",
    "exposed": "G13",
    "locks": "G14",
}


@pytest.fixture
def repo(ready_service: Service, server: PostgresServer, tmp_path: Path) -> Service:
    """A bootstrapped service's folder; its database can't be reached."""
    return alone(ready_service, server.get_uri(), tmp_path / "crm")


@pytest.mark.parametrize("starter", ["omnicrm", "minimal"])
def test_a_starter_is_clean_and_no_database_is_asked(
    starter: str, server: PostgresServer, tmp_path: Path
) -> None:
    service = render(tmp_path / "crm", starter=starter)
    service.env = {"SHADOW_DATABASE_URL": server.get_uri()}
    result = service.invoke("db.check", DATABASE_URL="nonsense", CI="true")
    assert result.out.endswith("✓ Nothing found.\n")
    assert "skipped" not in result.out
    assert service.git("status", "--short") == "", "a check writes nothing"
    assert service.invoke("db.check").out == result.out


def test_json_has_the_shape_that_is_documented(repo: Service) -> None:
    assert report(repo, 0) == {
        "errors": 0,
        "warnings": 0,
        "checks": [
            {"check": name, "code": code, "status": "passed", "reason": None}
            for name, code in CHECKS.items()
        ],
        "findings": [],
    }


BAD = """
-- a table without anything
create table if not exists public.bare (user_id uuid);
alter table public.bare disable row level security;
alter table public.contacts add column if not exists must text not null;
"""


def test_findings_stand_at_their_lines_and_can_be_switched_off(repo: Service) -> None:
    add_sql(repo, "10_bare.sql", BAD)
    table = "id uuid primary key default gen_random_uuid()"
    up = f'op.execute("create table by_app ({table})")'
    add_revision(repo, 1, f"{up}\n    op.execute('alter table contacts alter email type text')")
    result = repo.invoke("db.check", "--json", code=2, GITHUB_ACTIONS="true")
    findings = json.loads(result.out)["findings"]
    places = {
        (f["code"], f["subject"], f["line"]) for f in findings if f["code"] in ("G12", "G13", "G14")
    }
    assert places == {
        ("G12", "public.bare", 3),
        ("G13", "public.bare", 3),
        ("G14", "10_bare.sql", 5),
        ("G12", "public.by_app", 10),
        ("G14", "01_revision.py", 11),
    }
    assert result.err.count("::error file=supabase/sql/10_bare.sql,line=3,title=G12") == 3
    assert "::warning file=migrations/versions/01_revision.py,line=10,title=G12" in result.err

    entries = ["G12:public.b*", "G13:public.bare", "G14:10_bare.sql", "G14:01_revision.py", "G13:x"]
    settings = repo.read("pyproject.toml")
    repo.write("pyproject.toml", f"{settings}\n[tool.twolane.check]\nignore = {entries}\n")
    left = found(repo, 1)
    assert not [f for f in left if f["code"] in ("G12", "G13", "G14")]
    (idle,) = of(left, "ignore").values()
    assert idle["subject"] == "G13:x"
    assert idle["file"] == "pyproject.toml"


def test_an_entry_is_not_called_idle_while_its_check_is_skipped(repo: Service) -> None:
    settings = repo.read("pyproject.toml")
    repo.write("pyproject.toml", f'{settings}\n[tool.twolane.check]\nignore = ["G12:x"]\n')
    add_sql(repo, "10_wrong.sql", "select nothing_of_that_name();")
    assert not of(found(repo, 1), "ignore")

    repo.write("pyproject.toml", f"{settings}\n[tool.twolane.check]\nignore = 3\n")
    assert "`check.ignore` must be a list of strings" in repo.invoke("db.check", code=1).err


def test_without_squawk_the_check_says_so_and_goes_on(repo: Service) -> None:
    """The same packages, run by the Python beside which no squawk is installed."""
    packages = os.pathsep.join([str(Path(pytest.__file__).parents[1]), str(ROOT)])
    python = Path(sys.base_prefix) / "bin" / "python3"
    add_sql(repo, "10_slow.sql", "reindex table public.contacts;")
    done = subprocess.run(
        [python, "-m", "invoke", "db.check"],
        cwd=repo.folder,
        env=clean_environment() | repo.env | {"PYTHONPATH": packages, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "- G14 locks" in done.stdout
    assert "skipped: squawk is not installed: pip install -e '.[dev]'" in done.stdout
    assert "✗ G14 locks" in repo.invoke("db.check", code=2).out
