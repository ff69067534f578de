"""G14: what holds up a busy table is found at its line, the near miss is not."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from twolane.errors import Failure
from twolane.guards import locks
from twolane.guards.findings import ERROR, WARNING, Finding
from twolane.guards.locks import Text
from twolane.repo.revisions import Revision
from twolane.repo.sqlfiles import SqlFile


def of(sql: str, root: Path = Path("/")) -> list[Finding]:
    file = SqlFile("10_a.sql", sql, sha256(sql.encode()).hexdigest())
    return list(locks.find(root, [locks.of_file(file)]))


ERRORS = {
    "alter table t alter column a type bigint": "changing-column-type",
    "alter table t add column if not exists a int not null": "adding-required-field",
    "alter table t alter column a set not null": "adding-not-nullable-field",
    "alter table t add column a uuid default gen_random_uuid()": "adding-field-with-default",
    "alter table t add constraint k unique (a)": "disallowed-unique-constraint",
    "alter table t add primary key (a)": "adding-serial-primary-key-field",
    "reindex table t": "require-concurrent-reindex",
    "truncate t cascade": "ban-truncate-cascade",
}
WARNINGS = {
    "create index if not exists i on t (a)": "require-concurrent-index-creation",
    "drop index if exists i": "require-concurrent-index-deletion",
    "alter table t add foreign key (a) references u (id)": "adding-foreign-key-constraint",
    "alter table t add constraint c check (a > 0)": "constraint-missing-not-valid",
    "alter table t detach partition p": "require-concurrent-partition-detach",
}


@pytest.mark.parametrize("sql", [*ERRORS, *WARNINGS])
def test_g14_finds(sql: str) -> None:
    (found,) = of(f"select 1;\n-- so\n{sql};\n")
    rule = {**ERRORS, **WARNINGS}[sql]
    assert f"({rule})" in found.message
    assert found.level == (ERROR if sql in ERRORS else WARNING)
    assert found.place and (found.place.file, found.place.line) == ("supabase/sql/10_a.sql", 3)
    assert found.subject == "10_a.sql"
    assert f"-- squawk-ignore {rule}" in found.first


def test_every_rule_is_found_by_a_test() -> None:
    assert {*ERRORS.values(), *WARNINGS.values()} == locks.RULES.keys()


@pytest.mark.parametrize("rule", locks.RULES)
def test_squawk_knows_every_rule_by_its_name(rule: str) -> None:
    program = locks.program()
    assert program
    command = [program, "--exclude", rule]
    done = subprocess.run(command, input="select 1;", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_table_that_may_be_there_already_may_be_full() -> None:
    """The file was edited: its `create table if not exists` does nothing any more."""
    made = "create table if not exists t (id int);\n"
    (found,) = of(f"{made}alter table t\n  add column if not exists a int not null;")
    assert "adding-required-field" in found.message
    assert found.place and found.place.line == 3
    (found,) = of(f"{made}create index i on elsewhere.t (id)")
    assert "require-concurrent-index-creation" in found.message


NEAR_MISSES = [
    "create table public.t (id int primary key, a int unique references u);"
    "create index if not exists i on t (a); alter table public.t add unique (id, a);"
    "alter table t alter column a set not null; alter table t alter column a type bigint",
    "create table if not exists t (id int); create index if not exists i on public.t (a);"
    "alter table t add constraint c check (a > 0)",
    "alter table t add column if not exists a int",
    "alter table t add column a int not null default 0",
    "alter table t add constraint c check (a > 0) not valid",
    "alter table t validate constraint c",
    "alter table t drop column a; drop table u; alter table t rename to v",
    "create policy p on t using (true); alter table t enable row level security",
    "-- squawk-ignore changing-column-type\nalter table t alter column a type bigint",
    "select 'no closing quote",
]


@pytest.mark.parametrize("sql", NEAR_MISSES)
def test_g14_lets_pass(sql: str) -> None:
    assert of(sql) == []


def test_a_finding_in_a_migration_stands_at_the_line_that_runs_the_statement() -> None:
    path = Path("migrations/versions/2026_a.py")
    statements = [
        (20, "create table fresh (\n  id int\n)"),
        (24, "create index i on fresh (id);"),
        (30, "alter table t\n  add column b int,\n  alter column a type bigint"),
    ]
    revision = Revision("a", (), "a", path, "")
    (found,) = locks.find(Path("/"), [locks.of_revision(revision, statements)])
    assert found.place and (found.place.file, found.place.line) == (path.as_posix(), 30)
    assert found.first.endswith('add "G14:2026_a.py" to [tool.twolane.check] ignore')


def test_a_revision_that_runs_nothing_is_fine() -> None:
    revision = Revision("a", (), "a", Path("a.py"), "")
    assert list(locks.find(Path("/"), [locks.of_revision(revision, [])])) == []
    assert list(locks.find(Path("/"), [])) == []


def test_the_services_own_settings_of_squawk_count(tmp_path: Path) -> None:
    sql = "alter table t alter column a type bigint"
    assert of(sql, tmp_path)
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["changing-column-type"]\n')
    assert of(sql, tmp_path) == []

    (tmp_path / ".squawk.toml").write_text("excluded_rules = 1\n")
    with pytest.raises(Failure, match="squawk broke"):
        of(sql, tmp_path)


def test_findings_of_several_texts_keep_to_their_own() -> None:
    before = "select 1;\n"
    sql = [f"{before * n}reindex table t;" for n in range(3)]
    texts = [Text(f"{n}.sql", "{rule}", [(1, sql[n])], is_file=True) for n in range(3)]
    places = [finding.place for finding in locks.find(Path("/"), texts)]
    assert sorted((place.file, place.line) for place in places if place) == [
        ("0.sql", 1),
        ("1.sql", 2),
        ("2.sql", 3),
    ]
