"""Two developers, two branches, three databases: whatever they do, all can be brought level.

After any history the mirror is what a bootstrap from nothing gives, and no row was lost without
consent.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, copy, database_name
from fleets import name_targets
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from service import Service
from steps import ORDER, SQL, add_sql, follow_hints

APP = "src/crm/db/schema/app.py"
MIRROR = ("supabase/schema.lock.json", "src/crm/db/schema/introspected.py")
WHO = ("ann", "ben")
DEEDS = ("column", "view", "policy", "retire", "merge", "deploy")
History = list[tuple[str, str]]
UNDO = "--allow undo:"
VIEW = """
drop view if exists public.{name};
create view public.{name} with (security_invoker = true) as select id from public.dev_markers;
"""
POLICY = """
drop policy if exists {who} on public.dev_markers;
create policy {who} on public.dev_markers for select to authenticated using (label <> '{n}');
"""


class World:
    """Clones of one repo: `main`, which deploys to staging, and one of each developer."""

    def __init__(self, service: Service, folder: Path, new_database: NewDatabase) -> None:
        template = database_name(service.env["DATABASE_URL"])
        service.write(".git/info/attributes", f"{APP} merge=union\n")
        self.main = service
        self.people = {}
        for name in WHO:
            there = folder / name
            shutil.copytree(service.folder, there)
            url = new_database(template)
            self.people[name] = Service(there, service.env | {"DATABASE_URL": url})
            self.people[name].git("remote", "add", "origin", str(service.folder))
            self.people[name].git("switch", "--quiet", "-c", name)
        self.count = 0

    def do(self, who: str, deed: str) -> None:
        self.count += 1
        service = self.people[who]
        match deed:
            case "column":
                column = f"    {who}_{self.count}: Mapped[str | None]\n"
                service.write(APP, service.read(APP).rstrip("\n") + f"\n{column}")
                service.invoke("db.gen", "-m", f"{who} {self.count}")
                follow_hints(service, "db.deploy", consents=UNDO)
            case "view":
                name = f"v_{who}_{self.count}"
                add_sql(service, f"4{self.count}_{name}.sql", VIEW.format(name=name), after=True)
                follow_hints(service, "db.deploy", consents=UNDO)
            case "policy":
                path = f"{SQL}/30_{who}.sql"
                text = POLICY.format(who=who, n=self.count)
                if not (service.folder / path).exists():
                    add_sql(service, f"30_{who}.sql", text, after=True)
                service.write(path, text)
                follow_hints(service, "db.deploy", consents=UNDO)
            case "retire":
                for view in sorted((service.folder / SQL).glob(f"4*_v_{who}_*.sql"))[:1]:
                    service.write(ORDER, service.read(ORDER).replace(f"{view.name}\n", ""))
                    view.unlink()
                    follow_hints(service, "db.deploy", consents=UNDO)
            case "merge":
                self.merge(who)
                return
            case _:
                follow_hints(self.main, "db.deploy", consents=UNDO)
                return
        service.invoke("db.sync")
        service.commit()

    def merge(self, who: str) -> None:
        """Brings main into the branch, makes the branch run, and main go on to it."""
        service = self.people[who]
        service.git("fetch", "--quiet", "origin")
        merged = subprocess.run(
            ["git", "merge", "--no-edit", "origin/main"],
            cwd=service.folder,
            capture_output=True,
            text=True,
        )
        if merged.returncode:
            conflicts = service.git("diff", "--name-only", "--diff-filter=U").splitlines()
            assert set(conflicts) <= set(MIRROR), merged.stdout
            service.git("checkout", "--theirs", "--", *conflicts)
        kept = [
            line
            for line in service.read(ORDER).splitlines()
            if not line.endswith(".sql") or (service.folder / SQL / line).exists()
        ]
        service.write(ORDER, "\n".join(kept) + "\n")  # a union brings lines back
        if heads(service) > 1:
            service.invoke("db.gen", "--merge", "-m", f"merge for {who}")
        follow_hints(service, "db.deploy", consents=UNDO)
        service.invoke("db.sync")
        service.commit()
        service.git("push", "--quiet", "origin", f"{who}:refs/heads/incoming")
        self.main.git("merge", "--quiet", "--ff-only", "incoming")
        self.main.git("branch", "--quiet", "-D", "incoming")


def heads(service: Service) -> int:
    texts = [path.read_text() for path in (service.folder / "migrations/versions").glob("*.py")]
    ids = {name for text in texts for name in re.findall(r'^revision: str = "(\w+)"', text, re.M)}
    downs = " ".join(line for text in texts for line in re.findall(r"^down_revision.*", text, re.M))
    return sum(name not in downs for name in ids)


histories = st.lists(
    st.tuples(st.sampled_from(WHO), st.sampled_from(DEEDS)), min_size=3, max_size=7
)


@settings(
    max_examples=1,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@example(
    [
        ("ann", "column"),
        ("ann", "view"),
        ("ben", "column"),
        ("ben", "policy"),
        ("ann", "merge"),
        ("ann", "deploy"),
        ("ben", "merge"),
        ("ann", "retire"),
        ("ann", "merge"),
    ]
)
@given(histories)
def test_whatever_two_developers_do_all_databases_can_be_brought_level(
    pushed_service: Service,
    lasting_database: NewDatabase,
    platform: str,
    tmp_path_factory: pytest.TempPathFactory,
    history: History,
) -> None:
    folder = tmp_path_factory.mktemp("world")
    main = copy(pushed_service, folder / "main", lasting_database)
    main.commit()
    main.sql("insert into dev_markers (label) values ('kept')")
    world = World(main, folder, lasting_database)
    for who, deed in history:
        world.do(who, deed)
    for who in (*WHO, *WHO):
        world.merge(who)
    name_targets(main, fresh=lasting_database(platform))
    main.invoke("db.bootstrap", "--target", "fresh")
    lock = main.git("diff", "--", *MIRROR)
    assert not lock, f"{history}: {lock}"
    follow_hints(main, "db.deploy", consents=UNDO)
    for service in (main, *world.people.values()):
        if service is not main:
            service.git("fetch", "--quiet", "origin")
            service.git("reset", "--quiet", "--hard", "origin/main")
        follow_hints(service, "db.deploy", consents=UNDO)
        said = main.invoke(
            "db.diff",
            "--source",
            main.env["FRESH_DATABASE_URL"],
            "--target",
            service.env["DATABASE_URL"],
            code=None,
        )
        assert said.out == "✓ No schema changes.\n", f"{history}: {said.out}"
        with psycopg.connect(service.env["DATABASE_URL"]) as connection:
            rows = connection.execute("select label from dev_markers").fetchall()
        assert rows == ([("kept",)] if service is main else rows)
