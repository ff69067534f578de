"""`db.why`: what makes an object and what changed it, out of the replay."""

import json
import re
import subprocess
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import own_sql
import pytest
from service import Service
from steps import add_sql
from terminal import Terminal

from twolane.facts.catalog import Change, as_text
from twolane.guards import checks
from twolane.guards.findings import Finding
from twolane.repo.locations import Place
from twolane.tasks import report as summary
from twolane.tasks import why as screens
from twolane.why import depends, links, names, report
from twolane.why.commits import Commit, Commits

RLS = "supabase/sql/02_rls_core_tables.sql"
DROP = """-- A column that nobody fills goes.
alter table contacts
    drop column if exists job_title;
do $$ begin
    execute 'create or replace view public.people with (security_invoker = on) as
        select id, ' || 'email from public.contacts';
end $$;
"""


def why(service: Service, name: str) -> Any:
    return json.loads(service.invoke("db.why", name, "--json").out)


def test_why_names_the_line_the_commit_and_what_depends_on_it(pushed: Service) -> None:
    pushed.git("remote", "add", "origin", "https://ada:secret@gitlab.example.com/acme/team/crm")
    pushed.git("update-ref", "refs/remotes/origin/main", "HEAD")
    add_sql(pushed, "10_people.sql", DROP)
    pushed.sql("alter table public.contacts add column fax text")

    with own_sql.recorded() as sent:
        email = why(pushed, "public.contacts.email")
    assert own_sql.faults(sent) == []
    (made,) = email["steps"]
    lines = (pushed.folder / made["file"]).read_text(encoding="utf-8").splitlines()
    assert "create table if not exists public.contacts" in lines[made["line"] - 1]
    assert (made["does"], made["file"]) == ("makes", "supabase/sql/00_core_tables.sql")
    assert made["commit"]["id"] in pushed.git("log", "--format=%h", "--", made["file"])
    site = f"https://gitlab.example.com/acme/team/crm/-/blob/{pushed.git('rev-parse', 'HEAD')}"
    assert made["url"] == f"{site.strip()}/{made['file']}#L{made['line']}"
    assert email["lane"] == "sql" and email["standing"]["how"] == "same"
    assert "view public.people" in email["dependents"]
    assert "constraint public.contacts.contacts_user_id_email_key" in email["dependents"]

    shown = pushed.invoke("db.why", "contacts_select_own").out
    text = (pushed.folder / RLS).read_text(encoding="utf-8")
    line = text[: text.index("create policy contacts_select_own")].count("\n") + 1
    assert f"Made by  {RLS}:{line}\n" in shown
    assert shown.endswith("✓ On target default it is as the repo makes it.\n")

    dropped = why(pushed, "contacts.job_title")
    assert dropped["lane"] is None
    assert [(s["does"], s["line"], s["commit"] is None) for s in dropped["steps"]] == [
        ("makes", made["line"], False),
        ("drops", 2, True),
    ]
    assert dropped["steps"][1]["url"] is None, "the site does not have the file"
    view = why(pushed, "people")
    assert [(s["does"], s["file"], s["line"], s["last"]) for s in view["steps"]] == [
        ("makes", "supabase/sql/10_people.sql", 4, 7)
    ], "a DO block's text does not say what it makes"
    assert view["standing"]["how"] == "pending"

    label = why(pushed, "dev_markers.label")
    assert (label["lane"], label["steps"][0]["title"]) == ("app", "add dev markers")

    used = pushed.invoke("db.why", "extension vector").out
    assert "column public.embeddings.embedding\n" in used

    fax = pushed.invoke("db.why", "public.contacts.fax").out
    assert "Made by  nothing in the repo\n" in fax
    assert "changed by hand (drift, a hotfix), and no file makes it so" in fax
    assert fax.endswith("Next     invoke db.capture\n")

    near = pushed.invoke("db.why", "contact.emial", code=1).err
    assert "The nearest: public.contacts.email" in near
    platform = pushed.invoke("db.why", "auth.users", code=1).err
    assert "auth.users is the platform's own" in platform
    assert "Name an object." in pushed.invoke("db.why", " ", code=1).err
    assert "Made by  Postgres, before any file\n" in pushed.invoke("db.why", "schema public").out
    several = pushed.invoke("db.why", "user_id", code=1).err
    assert "column public.contacts.user_id" in several


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:acme/crm.git", "https://github.com/acme/crm"),
        ("https://ada:secret@github.com/acme/crm", "https://github.com/acme/crm"),
        ("ssh://git@ssh.github.com:443/acme/crm.git", "https://github.com/acme/crm"),
        ("git@github.com-work:acme/crm.git", "https://github.com/acme/crm"),
        ("https://git.example.com/acme/crm", None),
        ("https://gitlab.example.com:8443/a/b/c.git", "https://gitlab.example.com:8443/a/b/c"),
        ("git@bitbucket.org:acme/crm.git", "https://bitbucket.org/acme/crm"),
        ("/srv/git/github.com/acme/crm.git", None),
        ("C:\\git\\crm", None),
    ],
)
def test_a_remote_leads_to_its_page_without_a_login(remote: str, address: str | None) -> None:
    found = links.site(remote)
    assert (found[0] if found else None) == address


def test_a_commit_is_read_whatever_its_author_and_its_lines_have_in_them(tmp_path: Path) -> None:
    def git(*arguments: str | bytes) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet", ".")
    (tmp_path / "a.sql").write_text("one\x0c\n" + "f" * 40 + " \u2028" + "e" * 40 + " 1\ntwo\n")
    git("add", ".")
    author = ("-c", b"user.name=Ren\xe9 <x>", "-c", "user.email=r@example.com")
    git(*author, "commit", "--quiet", "--message", "feat: lines")
    (tmp_path / "a.sql").write_text((tmp_path / "a.sql").read_text() + "three\n")
    found = [Commits(tmp_path).of(Place("a.sql", line), None) for line in (1, 2, 3, 4)]
    titles = [commit.title if commit else None for commit in found]
    assert titles == ["feat: lines"] * 3 + [None]
    (tmp_path / "b.sql").write_text("new\n")
    assert Commits(tmp_path).of(Place("b.sql", 1), None) is None


def test_a_terminal_gets_colours_and_lines_that_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    policy, own = "policy public.contacts.own", "(( SELECT auth.uid() AS uid) = user_id)"
    parts = {"for": "update", "to": ["authenticated"], "using": own, "check": own}
    made = Change(policy, None, as_text(parts))
    ada = Commit("2ee8413", "2026-03-02", "Ada Lovelace", "feat(db): " + "contacts, " * 6)
    steps = [report.Step(Place(RLS, 40), 43, None, None, "adds to it", [made], ada)]
    standing = report.Standing("local", report.DRIFT, [made], report.CAPTURE)
    view = "view public.people_" + "x" * 40
    table = "table public.contacts"
    found = report.Why(table, "sql", {}, steps, [view], [], standing)
    with redirect_stdout(Terminal()) as screen:
        screens.show(found)
        finding = Finding("x", "public.contacts", "It is open.", "invoke db.rls contacts")
        summary.collect([checks.Result(checks.Check(iter, "x", "looks"), (finding,))], 9)
    shown = screen.getvalue()
    assert "\x1b[1mtable public.contacts\x1b[0m" in shown and "\\x1b" not in shown
    plain = re.sub(r"\x1b\[\d+m", "", shown)
    assert max(map(len, plain.splitlines())) <= 80
    assert " ".join(plain.split()).count(f"using: {own}, check: ") == 2
    assert "+ policy own   for: update" in plain


def test_an_object_is_found_by_each_way_to_write_it() -> None:
    known = [
        "table public.a",
        'column public.a."E mail"',
        "rls public.a",
        "comment table public.a",
        'policy public.a."own, rows"',
        "function public.f(integer, text)",
        "function public.f(integer)",
        "schema public",
    ]
    for words in ("public.a", "a", "A", "table a", "table public.a"):
        assert names.find(words, known) == ["table public.a"], words
    for words in ('public.a."E mail"', "a.E mail", "E mail", "column public.a.E mail"):
        assert names.find(words, known) == ['column public.a."E mail"'], words
    assert names.find("own, rows", known) == ['policy public.a."own, rows"']
    assert len(names.find("f", known)) == 2
    assert names.find("f(integer)", known) == ["function public.f(integer)"]
    columns = ["column public.contacts.email", "table public.threads"]
    assert names.near("contact.emial", columns) == ["public.contacts.email"]
    assert names.belongs("rls public.a", "table public.a")
    assert not names.belongs("table public.a", 'column public.a."E mail"')


def test_what_is_no_fact_itself_stands_for_what_it_is_a_part_of() -> None:
    table, rule, view = (1, 10, 0), (2, 20, 0), (1, 30, 0)
    column, default, function = (1, 10, 3), (3, 40, 0), (4, 50, 0)
    addresses = {
        table: "table public.t",
        column: "column public.t.c",
        view: "view public.v",
        function: "function public.f()",
    }
    found = depends.edges(
        addresses,
        [
            *((rule, view, "i"), (rule, column, "n"), (rule, table, "n")),
            *((default, column, "a"), (default, function, "n")),
        ],
    )
    assert found["column public.t.c"] == {"view public.v"}
    assert found["function public.f()"] == {"column public.t.c"}
    assert depends.on("table public.t", found) == ["view public.v"]
    assert depends.on("function public.f()", found) == ["column public.t.c", "view public.v"]
