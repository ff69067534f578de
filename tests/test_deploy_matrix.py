"""Whatever the state of a database and whatever the change in the repo: a command leads on.

For each pair, `db.deploy` ends in what the repo says, or in a refusal whose own hint, run as it is
printed, leads there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, copy, database_name
from fleets import name_targets
from service import DEV_MARKERS, Service
from steps import SQL, add_sql, follow_hints

STATES = ("empty", "level", "behind", "far behind", "drifted", "drifted and behind")
LATE = """
create or replace view public.marker_totals with (security_invoker = true) as
select label, count(*) as total from public.dev_markers group by label;
drop policy if exists p on public.dev_markers;
create policy p on public.dev_markers for select to authenticated using (label <> '');
create or replace function public.first_label() returns text language sql stable
set search_path = '' as 'select label from public.dev_markers limit 1';
revoke all on function public.first_label() from public;
"""
NOTE = DEV_MARKERS + "    note: Mapped[str | None]\n"


@dataclass(frozen=True)
class Change:
    """A change of the repo: a new `app.py` and its revision, by hand or not; files; a move."""

    app: str | None = None
    upgrade: str | None = None
    late: str | None = None
    early: str | None = None
    move: tuple[str, ...] = ()


ON_VIEW = "drop view if exists public.marker_totals;\ncreate or replace view"
CHANGES = {
    "table": Change(
        DEV_MARKERS + DEV_MARKERS.replace("DevMarkers", "Two").replace("dev_m", "m"),
    ),
    "column, and a view over it": Change(
        NOTE,
        late=LATE.replace("create or replace view", ON_VIEW).replace(
            "select label,", "select label, max(note) as note,"
        ),
    ),
    "view dropped": Change(
        late=re.sub(
            r"create or replace view.*?;",
            "drop view if exists public.marker_totals;",
            LATE,
            flags=re.S,
        )
    ),
    "function changed": Change(late=LATE.replace("limit 1", "order by label limit 1")),
    "policy changed": Change(late=LATE.replace("label <> ''", "label = 'x'")),
    "file and revision": Change(
        NOTE,
        early="create table if not exists public.tags (id uuid primary key);\n"
        "alter table public.tags enable row level security;",
    ),
    "column renamed": Change(
        DEV_MARKERS.replace("label:", "title:"),
        'op.alter_column("dev_markers", "label", new_column_name="title")',
        LATE.replace("select label,", "select title as label,")
        .replace("by label", "by title")
        .replace("(label", "(title")
        .replace("select label from", "select title from"),
    ),
    "table renamed": Change(
        DEV_MARKERS.replace('"dev_markers"', '"markers"'),
        'op.rename_table("dev_markers", "markers")\n'
        'op.execute("alter table markers rename constraint dev_markers_pkey to markers_pkey")',
        LATE.replace("dev_markers", "markers"),
    ),
    "column dropped": Change(
        DEV_MARKERS.replace("    label: Mapped[str]\n", ""),
        late=LATE.replace("create or replace view", ON_VIEW)
        .replace("select label, count(*) as total", "select id, count(*) as total")
        .replace("by label", "by id")
        .replace("label <> ''", "id is not null")
        .replace("select label from", "select id::text from"),
    ),
    "table dropped": Change(
        "\n",
        late="drop view if exists public.marker_totals;\n"
        "drop function if exists public.first_label();\n",
    ),
    "type under a view": Change(
        DEV_MARKERS.replace("Mapped[str]\n", "Mapped[str] = mapped_column(String(80))\n").replace(
            "class DevMarkers", "from sqlalchemy import String\n\n\nclass DevMarkers"
        ),
    ),
    "into the SQL lane": Change(move=("db.disown", "dev_markers")),
    "into the app's lane": Change(move=("db.own", "contacts")),
}
ABANDONED = ("table", "view dropped", "column renamed", "table renamed", "into the SQL lane")


def run(service: Service, *arguments: str) -> tuple[int, str, str]:
    done = service.invoke(*arguments, code=None)
    return done.code, done.out, done.err


def deploy(service: Service, target: str) -> list[str]:
    """Deploys by the hints; the commands that were run."""
    return follow_hints(service, "db.deploy", "--target", target)


@pytest.fixture(scope="module")
def origin(
    pushed_service: Service,
    lasting_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Service:
    """A service with objects of a file after the mark; `ABANDONED` in its environment has what a
    branch that is gone brought there besides."""
    service = copy(pushed_service, tmp_path_factory.mktemp("matrix") / "crm", lasting_database)
    add_sql(service, "30_t.sql", LATE, after=True)
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.sql("insert into dev_markers (label) values ('kept')")
    service.commit()
    abandoned = lasting_database(database_name(service.env["DATABASE_URL"]))
    service.git("switch", "--quiet", "--create", "side")
    service.write_app(NOTE + DEV_MARKERS.replace("DevMarkers", "Sides").replace("dev_m", "side_m"))
    service.invoke("db.gen", "-m", "side")
    add_sql(
        service,
        "40_side.sql",
        LATE.replace("dev_m", "side_m")
        .replace("view public.m", "view public.side_m")
        .replace("first_label", "side_label"),
        after=True,
    )
    service.commit()
    service.invoke("db.deploy", DATABASE_URL=abandoned)
    service.git("switch", "--quiet", "-")
    service.git("branch", "--quiet", "-D", "side")
    service.invoke("db.status")
    service.env["ABANDONED"] = abandoned
    return service


@pytest.fixture
def based(origin: Service, new_database: NewDatabase, tmp_path: Path) -> Service:
    return copy(origin, tmp_path / "crm", new_database)


def states(change: str) -> tuple[str, ...]:
    """Those that a change is tried with: all with the first; a column by hand on the SQL lane's."""
    found: tuple[str, ...] = STATES if change == "table" else STATES[:1] + STATES[2:4] + STATES[5:]
    found = found[:-1] if change == "into the app's lane" else found
    return (*found, "abandoned") if change in ABANDONED else found


def make(change: Change, service: Service) -> None:
    """The change, as its author makes it: through both lanes of the first database."""
    if change.move:
        service.invoke(*change.move)
    if change.late:
        service.write(f"{SQL}/30_t.sql", change.late)
    if change.early:
        add_sql(service, "20_early.sql", change.early)
    if change.app and change.upgrade:
        service.invoke("db.gen", "--empty", "-m", "change")
        service.edit_revision(change.upgrade)
        service.write_app(change.app)
    if change.early:
        deploy(service, "default")
        service.invoke("db.sync")
    if change.app and not change.upgrade:
        service.write_app(change.app)
        service.invoke("db.gen", "-m", "change")
    deploy(service, "default")
    service.invoke("db.sync")
    assert run(service, "db.gen", "-m", "more")[:2] == (0, "✓ No schema changes.\n")
    service.commit()


def expect_what_the_repo_says(service: Service, state: str, lock: str) -> None:
    """The database equals one made from nothing, but for what was changed by hand."""
    target = state.replace(" ", "-")
    code, out, _ = run(service, "db.diff", "--source", "reference", "--target", target)
    if "drift" in state:
        assert "fax" in out and "1 fact" in out, f"{state}: {out}"
        assert "fax" in service.read("supabase/schema.lock.json")
        service.git("checkout", "--quiet", ".")
    else:
        assert code == 0, f"{state}: {out}"
        assert run(service, "db.sync", "--check", "--target", target)[0] == 0
        assert "Next     nothing to do" in service.invoke("db.status", "--target", target).out
    assert service.read("supabase/schema.lock.json") == lock


@pytest.mark.parametrize("name", CHANGES)
def test_every_state_is_led_to_what_the_repo_says(
    name: str, based: Service, ready_service: Service, new_database: NewDatabase, platform: str
) -> None:
    change, service = CHANGES[name], based
    own = database_name(service.env["DATABASE_URL"])
    urls = {
        "empty": new_database(platform),
        "reference": new_database(platform),
        "behind": new_database(own),
        "far behind": new_database(database_name(ready_service.env["DATABASE_URL"])),
        "drifted and behind": new_database(own),
        "abandoned": new_database(database_name(service.env["ABANDONED"])),
    }
    make(change, service)
    urls |= {"level": new_database(own), "drifted": new_database(own)}
    for state in ("drifted", "drifted and behind"):
        with psycopg.connect(urls[state], autocommit=True) as connection:
            connection.execute("alter table contacts add column fax text")
    name_targets(service, **{state.replace(" ", "_"): url for state, url in urls.items()})
    service.commit()
    service.invoke("db.bootstrap", "--target", "reference")
    lock = service.read("supabase/schema.lock.json")
    for state in states(name):
        deploy(service, state.replace(" ", "-"))
        expect_what_the_repo_says(service, state, lock)
        if (
            state in ("level", "behind", "drifted", "drifted and behind", "abandoned")
            and name != "table dropped"
        ):
            table = "markers" if name == "table renamed" else "dev_markers"
            with psycopg.connect(urls[state]) as connection:
                assert connection.execute(f"select count(*) from {table}").fetchone() == (1,)
