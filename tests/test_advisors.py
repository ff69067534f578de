"""Supabase's own advisors find nothing to object to in what a starter makes."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import BOOTSTRAP, run_files
from servers import Server, running

STARTERS = {
    "omnicrm": BOOTSTRAP,
    "minimal": ["01_extensions_and_vector.sql", "05_guardrails.sql"],
}
# An older project grants the data API's roles everything on what is new.
PROJECTS = {
    "new": "select",
    "older": "alter default privileges in schema public grant all on tables to anon, authenticated",
}


@pytest.fixture(scope="module")
def on_tcp() -> Iterator[Server]:
    """A server that the CLI can reach: it takes no Unix socket."""
    with running(18) as server:
        yield server


def advise(cli: Path, url: str, home: Path) -> list[dict[str, Any]]:
    """The advisors' findings of level ERROR and WARN."""
    done = subprocess.run(
        [
            *(cli, "db", "advisors", "--db-url", url, "--type", "all", "--level", "warn"),
            *("--output-format", "json", "--agent", "no", "--workdir", home),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("starter", STARTERS)
def test_the_advisors_find_nothing(
    cli: Path, on_tcp: Server, tmp_path: Path, starter: str, project: str
) -> None:
    url = on_tcp.new_database()
    with psycopg.connect(url) as connection:
        connection.execute(PROJECTS[project])
    run_files(url, *STARTERS[starter])
    assert advise(cli, url, tmp_path) == []


def test_the_advisors_do_find_what_is_wrong(cli: Path, on_tcp: Server, tmp_path: Path) -> None:
    url = on_tcp.new_database()
    run_files(url, *BOOTSTRAP)
    with psycopg.connect(url) as connection:
        connection.execute("alter table contacts disable row level security")
    found = {finding["name"] for finding in advise(cli, url, tmp_path)}
    assert "rls_disabled_in_public" in found
