"""`db.page` in a real browser: what it shows, at two widths, and that names stay text."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import own_sql
import pytest
from service import Service
from steps import add_sql

from twolane import config
from twolane.page import words
from twolane.repo import kept

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
EVIL = '</script><img src=x onerror="document.title=1">'
ODD = f"""
create table if not exists public."{EVIL.replace('"', '""')}" (
    id uuid primary key,
    "<b>bold</b>" text,
    contact_id uuid references public.contacts (id)
);
comment on table public."{EVIL.replace('"', '""')}" is '<script>alert(1)</script>';
"""
CELL = {
    **{"object": "public.contacts", "kind": "table", "who": "user A", "rows": "other's"},
    **{"operation": "select", "verdict": "filtered", "detail": ""},
    "statement": "select * from public.contacts where true",
}
REPORT = {
    **{"database": "shadow", "proven": True, "findings": [], "gaps": [], "closed": []},
    "tables": [{"table": "public.contacts", "understood": "user_id"}],
    "matrix": [CELL],
}


class Text(HTMLParser):
    """What a reader sees of a page, without its script, style and data."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._hidden += tag in ("script", "style", "noscript")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "noscript")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)


def look(page: Path, view: str, width: int) -> Text:
    """The page in a browser, as it is once its script is done; the console stays empty."""
    command = [
        *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
        *(f"--window-size={width},800", "--virtual-time-budget=2000", "--dump-dom"),
        f"--user-data-dir={page.parent / 'profile'}",
        f"{page.as_uri()}#{view}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    text = Text()
    text.feed(done.stdout)
    return text


@pytest.fixture
def odd(pushed: Service) -> Service:
    """A service with a proof, a table of odd names, and a file that is not applied."""
    kept.keep(config.load(pushed.folder), kept.PROVE, REPORT)
    add_sql(pushed, "10_odd.sql", ODD)
    pushed.invoke("db.apply")
    add_sql(pushed, "11_fax.sql", "alter table public.contacts add column if not exists fax text;")
    return pushed


def test_a_page_loads_nothing_and_has_all_that_it_shows(odd: Service, tmp_path: Path) -> None:
    page = tmp_path / "schema.html"
    with own_sql.recorded() as sent:
        done = odd.invoke("db.page", "--output", str(page))
    assert own_sql.faults(sent) == []
    assert str(page) in done.out
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html), "it loads nothing"
    assert str(tmp_path) not in html, "it does not tell where the repo lies"
    found = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert found
    value = json.loads(found[1])
    assert value["name"] == "default" and value["proof"]["objects"]["public.contacts"]
    (table,) = (each for each in value["tables"] if EVIL in each["name"])
    assert [column[0] for column in table["columns"]] == ["id", "<b>bold</b>", "contact_id"]
    file, line, *_ = value["places"][table["at"][0]]
    assert (file, line) == ("supabase/sql/10_odd.sql", 2)
    lanes = {each["name"]: each["lane"] for each in value["tables"]}
    assert (lanes["public.dev_markers"], lanes["public.contacts"]) == ("app", "sql")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to look with")
def test_a_page_shows_lanes_tables_and_proof_and_names_stay_text(
    odd: Service, tmp_path: Path
) -> None:
    page = tmp_path / "schema.html"
    odd.invoke("db.page", "--output", str(page))
    overview = look(page, "overview", 1360)
    shown = " ".join(overview.found)
    assert "11_fax.sql" in shown and "1 file not applied" in shown
    assert "no break found" in shown and "closed, without a policy: " in shown

    evil = look(page, "table/public." + EVIL.replace("/", "%2F").replace('"', "%22"), 390)
    shown = " ".join(evil.found)
    assert f"public.{EVIL}" in shown and "<b>bold</b>" in shown
    assert "<script>alert(1)</script>" in shown and "10_odd.sql:2" in shown
    assert not {"img", "b"} & set(evil.tags)

    diagram = look(page, "diagram/public.contacts", 390)
    shown = " ".join(diagram.found)
    assert "Only its neighbours" in shown and "interactions" in shown and "RLS" in shown
    assert diagram.tags.count("svg") == 1

    tenancy = look(page, "tenancy", 1360)
    assert {"filtered", "tenant: user_id"} <= set(tenancy.found)

    odd.invoke("db.page", "--repo", "--against", "default", "--output", str(page))
    compared = " ".join(look(page, "compare", 1360).found)
    assert "repo and default" in compared and "fax" in compared and "− only here" in compared


def test_policies_are_told_in_words() -> None:
    own = "(( SELECT auth.uid() AS uid) = user_id)"
    told = words.policy({"for": "select", "to": ["authenticated"], "using": own})
    assert told == "Signed-in users may see rows whose user_id is their own id."
    both = {"for": "update", "to": ["anon", "authenticated"], "using": "true", "check": own}
    assert words.policy(both) == (
        "Visitors who are not signed in and signed-in users may change all rows; the new row must "
        "be one of: rows whose user_id is their own id."
    )
    more = f"({own} AND (status = 'new'::text))"
    told = words.policy({"for": "insert", "to": ["public"], "check": more, "restrictive": True})
    assert told == (
        "Every role may only add rows whose user_id is their own id, and that meet: "
        "(status = 'new'::text)."
    )
