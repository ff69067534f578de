"""What the guide shows of a command is what the command prints.

`UPDATE_TRANSCRIPTS=1 pytest tests/test_transcripts.py` writes the pages anew.
"""

import os
from pathlib import Path

import pytest
from conftest import ROOT, NewDatabase, database_name
from service import Service
from transcripts import has_commands, play

PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if has_commands(path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_transcripts_of_the_guide_are_what_the_commands_print(
    page: Path, service: Service, new_database: NewDatabase
) -> None:
    service.env["STAGING_DATABASE_URL"] = new_database(database_name(service.env["DATABASE_URL"]))
    text = page.read_text("utf-8")
    played = play(text, service)
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        page.write_text(played, "utf-8")
    assert played == text
