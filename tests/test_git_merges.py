"""Two branches that each add something merge in git, by the template's own `.gitattributes`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from service import Service, owned

from twolane.facts.lock import dump_lock, load_lock

ATTRIBUTES = Path(__file__).parents[1] / "template/.gitattributes"
LOCK, ORDER = "supabase/schema.lock.json", "supabase/bootstrap.txt"
BASE = {"table public.b": "{}", "table public.m": "{}"}


@pytest.fixture
def repo(tmp_path: Path) -> Service:
    (tmp_path / "supabase").mkdir()
    shutil.copy(ATTRIBUTES, tmp_path)
    service = Service(tmp_path)
    service.write(LOCK, dump_lock(BASE))
    service.write(ORDER, "00_b.sql\n@migrations\n")
    return owned(tmp_path)


def on_branch(repo: Service, name: str, facts: dict[str, str], file: str) -> None:
    repo.git("switch", "-q", "-c", name, "main")
    repo.write(LOCK, dump_lock(dict(sorted(facts.items()))))
    repo.write(ORDER, repo.read(ORDER) + f"{file}\n")
    repo.commit()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"table public.y": "{}"}, {"table public.z": "{}"}),
        ({"table public.a": "{}"}, {"table public.z": "{}"}),
        ({"table public.a": "{}"}, {"table public.a2": "{}"}),
        ({"table public.n": "{}", "table public.z": "{}"}, {"table public.o": "{}"}),
        ({"table public.z": "{}"}, {"table public.z": "{}"}),
    ],
)
def test_what_two_branches_add_is_merged(
    repo: Service, one: dict[str, str], other: dict[str, str]
) -> None:
    on_branch(repo, "one", BASE | one, "10_one.sql")
    on_branch(repo, "other", BASE | other, "11_other.sql")
    repo.git("merge", "-q", "--no-edit", "one")
    merged = load_lock(repo.read(LOCK))
    assert merged == BASE | one | other
    assert list(merged) == sorted(merged)
    assert set(repo.read(ORDER).split()) == {
        "00_b.sql",
        "@migrations",
        "10_one.sql",
        "11_other.sql",
    }


def test_one_fact_that_two_branches_change_is_said(repo: Service) -> None:
    for name, text in (("one", '{"as":"x"}'), ("other", '{"as":"y"}')):
        on_branch(repo, name, BASE | {"table public.m": text}, f"{name}.sql")
    subprocess.run(["git", "merge", "-q", "--no-edit", "one"], cwd=repo.folder, check=True)
    with pytest.raises(ValueError, match=r"two things of table public\.m"):
        load_lock(repo.read(LOCK))
