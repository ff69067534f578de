"""Each guard has a page in the guide: its code and name, a refusal as seen, the way on.

`UPDATE_TRANSCRIPTS=1 pytest tests/test_guard_pages.py` writes the transcripts anew.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest
from conftest import ROOT, NewDatabase, copy, database_name
from engine_texts import says
from service import Service
from test_guard_files import ELSEWHERE, FILES, texts
from transcripts import blocks, play

from twolane.guards import locks
from twolane.guards.findings import IGNORABLE
from twolane.state import hazards

PAGES = {path.stem: path for path in sorted((ROOT / "docs/guards").glob("*.md"))}
DOCS = [ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in FILES.values()]
NAMES = dict(doc.partition(":")[0].split() for doc in DOCS) | ELSEWHERE
SAID = {doc[:3]: texts(path) for doc, path in zip(DOCS, FILES.values(), strict=True)}
BY_HAND = ("G02", "G05", "G07", "G16")
ELSEWHERE_PLAYED = ("G15",)  # attacks take long: by test_prove_findings
OF_SQUAWK = "--reporter"  # no option of ours
NOTES = '''"""The app's tables."""

from sqlalchemy.orm import Mapped

from .base import AppBase, TenantOwned, Timestamps, UUIDKey


class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
'''


def text_of(code: str) -> str:
    return PAGES[code].read_text("utf-8")


def test_every_guard_has_a_page_and_every_page_a_guard() -> None:
    assert list(PAGES) == sorted(NAMES)
    index = (ROOT / "docs/guards.md").read_text("utf-8")
    for code, name in NAMES.items():
        assert f"\n| [{code} {name}](guards/{code}.md) | " in index


@pytest.mark.parametrize("code", PAGES)
def test_a_guards_page_shows_its_refusal_and_the_way_on(code: str) -> None:
    page = text_of(code)
    assert page.startswith(f"# {code} {NAMES[code]}\n\n")
    seen, _, way_on = page.partition("\n## As seen\n")[2].partition("\n## The way on\n")
    (refused, *_) = [b.text for b in blocks(seen) if f"{code} {NAMES[code]}" in b.text]
    assert f" refused · {code} " in refused or f"✗ {code} " in refused
    assert way_on


@pytest.mark.parametrize("code", PAGES)
def test_a_guards_page_has_the_consent_that_the_guard_takes_and_no_other(code: str) -> None:
    """The options in what a guard says, word for word; findings are switched off by their key."""
    page = text_of(code)
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(SAID.get(code, ()))))
    assert said - {OF_SQUAWK} <= set(re.findall(r"--[a-z][a-z-]+", page))
    assert (f'ignore = ["{code}:' in page) is (code in IGNORABLE)
    takes_one = bool(said & {"--allow", "--confirm"}) or code in (*IGNORABLE, "G15")
    assert ("There is no consent" in page) is not takes_one


@pytest.mark.parametrize("code", PAGES)
def test_what_a_guards_page_quotes_is_what_the_engine_says(code: str) -> None:
    for table in re.findall(r"^\| it says \|.*\n\|---.*\n((?:\|.*\n)+)", text_of(code), re.M):
        for row in table.splitlines():
            assert says(row.strip("| ").partition(" | ")[0]), row


def test_the_pages_name_every_hazard_and_every_rule() -> None:
    source = Path(hazards.__file__).read_text("utf-8")
    kinds = set(re.findall(r'Hazard\("([a-z-]+)"', source))
    page = text_of("G06")
    assert kinds >= set(hazards.CONSENT) - {"undo"}
    assert all(f"{kind}:" in page for kind in hazards.CONSENT)
    assert all(f"`{kind}`" in page for kind in kinds - set(hazards.CONSENT))

    rules = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.*) \|$", text_of("G14"), re.M)
    assert {rule: (level, way) for rule, level, way in rules} == locks.RULES


def test_the_pages_of_the_guards_show_what_the_commands_print(
    service: Service, new_database: NewDatabase, tmp_path: Path
) -> None:
    """Each page begins with the same service: the table `notes` is pushed.

    Where the page is about a revision that waits, an empty one does.
    """
    service.write("src/crm/db/schema/app.py", NOTES)
    service.invoke("db.gen", "-m", "add notes")
    service.invoke("db.push")
    service.commit()
    by_hand = copy(service, tmp_path / "by_hand", new_database)
    by_hand.invoke("db.gen", "--empty", "-m", "by hand")
    production = new_database(database_name(service.env["DATABASE_URL"]))

    shown, printed = {}, {}
    for code, path in PAGES.items():
        if code in ELSEWHERE_PLAYED:
            continue
        origin = by_hand if code in BY_HAND else service
        own = copy(origin, tmp_path / code, new_database)
        own.env["PRODUCTION_DATABASE_URL"] = production
        shown[code] = path.read_text("utf-8")
        printed[code] = play(shown[code], own)
        if os.environ.get("UPDATE_TRANSCRIPTS"):
            path.write_text(printed[code], "utf-8")
    assert printed == shown
