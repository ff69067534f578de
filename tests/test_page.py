"""`db.page` in a real browser: what it shows, at two widths, and that names stay text."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote

import browser
import own_sql
import pytest
from service import Service
from steps import add_sql

from twolane import config
from twolane.page import compare, data, source, words
from twolane.repo import contents, kept
from twolane.why import trail

ODD_NAME = "שלום 🎉 'a/b#c?d"
POLICY = '"p </script> ""q"""'
EVIL = '</script><img src=x onerror="document.title=1">'
ODD = f"""
create table if not exists public."{EVIL.replace('"', '""')}" (
    id uuid primary key,
    "<b>bold</b>" text,
    contact_id uuid references public.contacts (id)
);
comment on table public."{EVIL.replace('"', '""')}" is
    E'<script>alert(1)</script> \\u202Edne\\nof it';
create table if not exists public."{ODD_NAME}" (id uuid primary key);
drop policy if exists {POLICY} on public."{ODD_NAME}";
create policy {POLICY} on public."{ODD_NAME}"
for select to authenticated using (id::text = '</script><b>x</b>');
create table if not exists public.bare (id uuid primary key);
alter table public.bare disable row level security;
"""
BLOCKS = {
    f"supabase/sql/{name}.sql"
    for name in ("01b_add_user_tenant_columns", "01_extensions_and_vector", "05_guardrails")
}
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


@pytest.fixture
def odd(pushed: Service) -> Service:
    """A service with a proof, a table of odd names, and a file that is not applied."""
    pushed.git("remote", "add", "origin", "git@github.com:acme/crm.git")
    pushed.git("update-ref", "refs/remotes/origin/main", "HEAD")
    kept.keep(config.load(pushed.folder), kept.PROVE, REPORT)
    add_sql(pushed, "10_odd.sql", ODD)
    pushed.invoke("db.apply")
    add_sql(pushed, "11_fax.sql", "alter table public.contacts add column if not exists fax text;")
    return pushed


def test_a_page_loads_nothing_and_has_all_that_it_shows(
    odd: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "schema.html"
    with own_sql.recorded() as sent:
        done = odd.invoke("db.page", "--output", str(page))
    assert own_sql.faults(sent) == []
    assert str(page) in done.out
    both = odd.invoke("db.page", "--repo", "--target", "default", code=1).err
    assert "First:  invoke db.page --target default" in both
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
    (core,) = (url for path, url in value["urls"].items() if "00_core" in path)
    head = odd.git("rev-parse", "HEAD").strip()
    assert core == f"https://github.com/acme/crm/blob/{head}/supabase/sql/00_core_tables.sql"
    assert file not in value["urls"], "the site does not have it"
    lanes = {each["name"]: each["lane"] for each in value["tables"]}
    assert (lanes["public.dev_markers"], lanes["public.contacts"]) == ("app", "sql")
    for name, url in odd.env.items():
        monkeypatch.setenv(name, url)
    _words_agree_with_the_replay(contents.read_repo(config.load(odd.folder)))


def _words_agree_with_the_replay(repo: contents.Repo) -> None:
    """In a repo too large to try each statement a page tells the lines by the files' words."""
    exact = trail.known(repo, lambda label: nullcontext())
    assert exact
    by_words, silent = data.Places(repo, None), set()
    made: dict[str, set[tuple[str, int | None]]] = {}
    for event in exact.events:
        line = None if event.revision else event.place.line
        made.setdefault(event.change.identity, set()).add((event.place.file, line))
    for identity in exact.facts.keys() & made.keys():
        told = {tuple(by_words.listed[number][:3]) for number in by_words(identity)}
        if told and identity.split()[0] not in ("owner", "rls"):
            assert made[identity] & {(f, None if r else line) for f, line, r in told}, identity
        elif not told:
            silent.add(identity)
    by_a_block = {i for i in silent if {f for f, _ in made[i]} & BLOCKS}
    assert {i.split()[0] for i in silent - by_a_block} <= {"owner", "grant"}
    assert len(silent) < len(made) / 4 and len(by_words.listed) > 40


@pytest.mark.skipif(browser.PATH is None, reason="no Chromium here to look with")
def test_a_page_shows_lanes_tables_and_proof_and_names_stay_text(
    odd: Service, tmp_path: Path
) -> None:
    page, other = tmp_path / "schema.html", tmp_path / "other.html"
    odd.invoke("db.page", "--output", str(page))
    odd.invoke("db.page", "--repo", "--against", "default", "--output", str(other))
    with browser.opened() as opened:
        for width, scheme in ((1360, "light"), (390, "dark")):
            _views(browser.window(opened, width, scheme), page, other)
        _keys(browser.window(opened, 1360, "dark"), page)


def _views(window: browser.Window, page: Path, compared: Path) -> None:
    shown = window.look(page, "overview").inner_text()
    assert "11_fax.sql" in shown and "1 file not applied" in shown
    assert "no break found" in shown and "closed, without a policy: " in shown

    evil = window.look(page, "table/" + quote(f"public.{EVIL}", safe=""))
    shown = evil.inner_text()
    assert f"public.{EVIL}" in shown and "<b>bold</b>" in shown
    assert "<script>alert(1)</script> \\u202edne\nof it" in shown, "nothing turns the words"
    assert evil.locator("img, b, script").count() == 0
    (line,) = set(evil.get_by_text("10_odd.sql:2").evaluate_all("all => all.map(a => a.href)"))
    assert re.fullmatch(r"file://.*/supabase/sql/10_odd.sql#L2", line)
    other = window.look(page, "table/" + quote(f"public.{ODD_NAME}", safe=""))
    other.locator("summary").click()
    assert f'create policy {POLICY} on public."{ODD_NAME}"' in other.inner_text()
    contacts = window.look(page, "table/public.contacts")
    line = contacts.get_by_text("00_core_tables.sql:").first.get_attribute("href") or ""
    assert re.fullmatch(r"https://github.com/acme/crm/blob/\w{40}/supabase/sql/.*#L\d+", line)

    shown = window.look(page, "diagram").inner_text()
    assert "RLS off" in shown and window.page.locator("svg").count() == 1
    diagram = window.look(page, "diagram/public.contacts")
    shown = diagram.inner_text()
    assert "Only its neighbours" in shown and "interactions" in shown
    assert diagram.locator("g.chosen title").inner_html().startswith("public.contacts: lane A")

    shown = window.look(page, "tenancy").inner_text()
    assert "filtered" in shown and "tenant: user_id" in shown
    assert "10_odd.sql" in window.look(page, "history").inner_text()
    assert "set_updated_at" in window.look(page, "others").inner_text()

    shown = window.look(compared, "compare").inner_text()
    assert "repo and default" in shown and "− only here" in shown
    row = window.page.locator("tr", has_text="column fax")
    assert row.locator("td").all_inner_texts() == [
        *("column fax", "− only here", "text", "not in default")
    ]


def _keys(window: browser.Window, page: Path) -> None:
    """Each view, each table and each cell can be had without a mouse."""
    window.look(page, "overview")
    keys = window.page.keyboard

    def press(*names: str) -> str:
        for name in names:
            keys.press(name)
        return str(window.page.evaluate("decodeURIComponent(location.hash)")).lstrip("#/")

    press("Tab", "Enter")
    assert window.page.evaluate("document.activeElement.id") == "main"
    assert press("2") == "diagram"
    press("/")
    keys.type("contacts")
    assert press("ArrowDown", "ArrowUp", "Enter") == "diagram/public.contacts"
    assert window.focused.startswith("Diagram of tables")
    while window.focused != "Only its neighbours":
        press("Tab")
    press("Enter")
    assert window.focused == "Show all"
    assert press("Escape") == "diagram"
    press("/")
    keys.type("interactions.contact_id")
    assert press("3") == "diagram", "a digit in the search is text"
    press("Backspace", "Escape", "3", "/")
    keys.type("interactions.contact_id")
    assert press("Enter") == "table/public.interactions"
    press("5")
    while window.focused != "○filtered":
        press("Tab")
    press("Enter")
    assert "select * from public.contacts" in window.page.locator("main").inner_text()
    window.page.get_by_label("Switch to light").press("Enter")
    assert window.page.get_by_label("Switch to dark").count() == 1


def test_of_many_differences_a_table_that_one_lacks_is_one_row() -> None:
    facts = {
        fact: "{}"
        for n in range(200)
        for fact in (f"table public.t{n}", f"column public.t{n}.a", f"column public.t{n}.b")
    }
    facts["column public.kept.a"] = "{}"
    for fact in ("index public.t9.a", "index public.t9.b", "policy public.t9.a"):
        facts[fact] = facts[f"{fact}_again"] = "{}"
    found = compare.compare(source.Source("a", facts, ()), source.Source("b", {}, ()))
    assert found["count"] == 607 and len(found["changes"]) == 201
    assert ["public.t7", "-", "table", "2 columns", ""] in found["changes"]
    row = ["public.t9", "-", "table", "2 columns, 4 indexes, 2 policies", ""]
    assert row in found["changes"]
    assert ["public.kept", "-", "column a", "there", ""] in found["changes"]
    few = compare.compare(
        source.Source("a", {}, ()), source.Source("b", dict(list(facts.items())[:6]), ())
    )
    assert len(few["changes"]) == 6
    assert few["changes"][0] == ["public.t0", "+", "table", "", "there"]


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
