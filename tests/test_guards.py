"""Guards of the target and of the repo: G01, G04, G09, G11."""

from pathlib import Path

import pytest
from service import DEV_MARKERS, Service
from steps import ORDER, SQL, add_sql, mirror, pushes, tables

from twolane.config import Config, Target
from twolane.postgres import reach
from twolane.repo import revisions

ENV = "migrations/env.py"
PRODUCTION = """
[tool.twolane.targets.production]
env = "PRODUCTION_DATABASE_URL"
protected = true
"""
ON_PRODUCTION = ("--target", "production")


@pytest.fixture
def production(waiting: Service) -> Service:
    """A service whose database is also the target `production`; a revision waits."""
    waiting.write("pyproject.toml", waiting.read("pyproject.toml") + PRODUCTION)
    waiting.env["PRODUCTION_DATABASE_URL"] = waiting.env["DATABASE_URL"]
    return waiting


def test_g01_a_protected_target_is_changed_only_by_its_name(production: Service) -> None:
    for command in ("db.push", "db.apply", "db.bootstrap"):
        result = production.invoke(command, *ON_PRODUCTION, code=2)
        assert f"✗ {command} refused · G01 target" in result.err
        assert "First:  repeat with --confirm production" in result.err
    statement = ("--command", "drop table contacts")
    assert "G01" in production.invoke("db.psql", *statement, *ON_PRODUCTION, code=2).err
    assert "G01" in production.invoke("db.push", *ON_PRODUCTION, "--confirm", "prod", code=2).err
    assert "contacts" in tables(production)
    assert pushes(production) == []

    for reading in ("db.status", "db.sync", "db.snapshot"):
        production.invoke(reading, *ON_PRODUCTION)
    production.invoke("db.push", *ON_PRODUCTION, "--confirm", "production")
    assert "dev_markers" in tables(production)


def test_g01_ci_never_changes_a_protected_target(production: Service) -> None:
    push = ("db.push", *ON_PRODUCTION, "--confirm", "production")
    assert "runs in CI" in production.invoke(*push, code=2, CI="true").err
    assert pushes(production) == []
    production.invoke(*push, CI="false")


def test_g01_a_protected_database_is_known_under_any_name(production: Service) -> None:
    twin = production.invoke("db.push", "--dry-run", code=2)  # the same URL as production's
    assert "protected as production" in twin.err
    add_sql(production, "10_fax.sql", "alter table contacts add column if not exists fax text;")
    production.invoke("db.apply", *ON_PRODUCTION, "--confirm", "production")

    unnamed = {"PRODUCTION_DATABASE_URL": ""}  # the label in the database is left
    result = production.invoke("db.push", code=2, **unnamed)
    assert "protected as production (reached as target default)" in result.err
    assert "G01" in production.invoke("db.push", "--confirm", "default", code=2).err
    assert "protected" in production.invoke("db.status").out
    production.invoke("db.sync")
    production.invoke("db.push", "--confirm", "production")


def test_g01_reset_drops_nothing_but_the_embedded_database(service: Service) -> None:
    result = service.invoke("db.reset", "--yes", code=2)
    assert "G01 target" in result.err
    assert "contacts" in tables(service)


def test_g04_a_table_belongs_to_one_lane(service: Service) -> None:
    body = DEV_MARKERS.replace("dev_markers", "contacts")
    service.write_app(body)

    result = service.invoke("db.gen", "-m", "add contacts", code=2)
    assert "✗ db.gen refused · G04 scope" in result.err
    assert "    public.contacts\n" in result.err
    assert service.revisions() == []

    elsewhere = '"contacts"\n    __table_args__ = {"schema": "private"}'
    service.write_app(body.replace('"contacts"', elsewhere))
    service.invoke("db.gen", "-m", "add private contacts")
    service.invoke("db.push")
    assert tables(service, "private") == {"contacts"}
    assert service.invoke("db.sync").out == "✓ No schema changes.\n"


def test_g04_alembic_compares_the_apps_metadata_and_no_other(service: Service) -> None:
    env = service.read(ENV)
    call = "target_metadata=app_metadata()"
    assert env.count(call) == 1
    other = 'importlib.import_module("crm.db.schema.base").IntrospectedBase.metadata'
    wrong = env.replace(call, f"target_metadata={other}").replace(
        "from", "import importlib\nfrom", 1
    )
    service.write(ENV, wrong)
    service.write_app(DEV_MARKERS)

    result = service.invoke("db.gen", "-m", "add dev markers", code=2)
    assert "✗ db.gen refused · G04 scope" in result.err
    assert "migrations/env.py" in result.err
    assert service.revisions() == []

    service.write(ENV, env.replace(call, "app_metadata()"))
    service.invoke("db.gen", "-m", "add dev markers")


def test_g09_folder_and_order_must_agree(waiting: Service) -> None:
    order = waiting.read(ORDER)
    commands = (("db.apply",), ("db.push",), ("db.gen", "-m", "x"), ("db.bootstrap",))

    waiting.write(f"{SQL}/10_new.sql", "select 1;")
    for command in commands:
        result = waiting.invoke(*command, code=2)
        assert f"✗ {command[0]} refused · G09 order" in result.err
        assert "10_new.sql: in supabase/sql, not in bootstrap.txt" in result.err
    (waiting.folder / SQL / "10_new.sql").unlink()

    waiting.write(ORDER, order.replace("00_core", "09_core"))
    result = waiting.invoke("db.push", code=2)
    assert "09_core_tables.sql: in bootstrap.txt, not in supabase/sql" in result.err
    assert "00_core_tables.sql: in supabase/sql, not in bootstrap.txt" in result.err

    waiting.write(ORDER, f"{order}00_core_tables.sql\n")
    result = waiting.invoke("db.push", code=2)
    assert "00_core_tables.sql: in bootstrap.txt more than once" in result.err
    assert pushes(waiting) == []

    waiting.write(ORDER, f"\n  # a comment\n{order}\n\n".replace("tables.sql", "tables.sql  # why"))
    waiting.write(f"{SQL}/notes.md", "not SQL")
    waiting.invoke("db.push")


def test_g11_a_history_has_one_head(waiting: Service) -> None:
    first = waiting.revisions()[0]
    text = first.read_text()
    twin = text.replace('revision: str = "', 'revision: str = "f')
    second = first.with_name("twin.py")
    second.write_text(twin)

    for command in (("db.push",), ("db.gen", "-m", "x"), ("db.bootstrap",)):
        result = waiting.invoke(*command, code=2)
        assert f"✗ {command[0]} refused · G11 history" in result.err
        assert "several heads" in result.err
    assert pushes(waiting) == []

    revision = first.name.split("_")[4]
    line = next(x for x in twin.splitlines() if x.startswith("down_revision"))
    head, _, _ = line.partition(" = ")
    second.write_text(twin.replace(line, f'{head} = "{revision}"'))
    waiting.edit_revision('op.execute("create table second ()")')
    waiting.invoke("db.push")
    assert {"dev_markers", "second"} <= tables(waiting)


def test_g11_a_revision_that_the_repo_does_not_know(pushed: Service) -> None:
    path = pushed.revisions()[0]
    text = path.read_text()
    path.unlink()
    pushed.write_app("")

    for command in ("db.push", "db.gen", "db.sync"):
        result = pushed.invoke(command, code=2)
        assert f"✗ {command} refused · G11 history" in result.err
        assert path.name.split("_")[4] in result.err
        assert "git log --all -- migrations/versions" in result.err
    assert "dev_markers" in tables(pushed)

    path.write_text(text)
    pushed.write_app(DEV_MARKERS)
    assert "Nothing to push" in pushed.invoke("db.push").out


def test_g11_an_applied_revision_is_not_edited(pushed: Service) -> None:
    path = pushed.revisions()[0]
    text = path.read_text()
    pushed.edit_revision("pass")

    result = pushed.invoke("db.push", code=2)
    assert "✗ db.push refused · G11 history" in result.err
    assert "add dev markers" in result.err
    assert f"restore {path.name}" in result.err
    assert f"First:  git checkout -- migrations/versions/{path.name} " in result.err
    pushed.git("add", "migrations")
    staged = pushed.invoke("db.push", code=2).err
    assert f"First:  git checkout HEAD -- migrations/versions/{path.name} " in staged
    pushed.commit()
    result = pushed.invoke("db.push", code=2)
    assert "git checkout" not in result.err, "the last commit has the edited text, too"
    assert f"restore {path.name} as it was pushed (git log -p --all -- " in result.err
    assert "G11" in pushed.invoke("db.gen", "-m", "x", code=2).err
    assert "G11" in pushed.invoke("db.sync", code=2).err, "the table would pass for lane A's"
    assert "dev_markers" not in "".join(mirror(pushed))

    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert "Nothing to push" in pushed.invoke("db.push").out

    (revision,) = revisions.read(pushed.folder / "migrations")
    ((recorded,),) = pushed.sql("select digest from twolane.pushes")
    assert recorded == revision.digest != revision.older_digest
    pushed.sql("update twolane.pushes set digest = %s", revision.older_digest)
    assert "Nothing to push" in pushed.invoke("db.push").out, "as an earlier twolane recorded it"


POOLER = "postgresql://postgres.{}:x@aws-0-eu-central-1.pooler.supabase.com:{}/postgres"
DIRECT = "postgresql://postgres:x@db.{}.supabase.co:5432/postgres"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (POOLER.format("abcd", 6543), POOLER.format("efgh", 6543), False),
        (POOLER.format("abcd", 6543), POOLER.format("abcd", 5432), True),
        (POOLER.format("abcd", 6543), DIRECT.format("abcd"), True),
        (DIRECT.format("abcd"), DIRECT.format("efgh"), False),
        ("postgresql://a@h/x", "postgresql://b@h:5432/x", True),
        ("postgresql://a@h/x", "postgresql://a@h/y", False),
    ],
)
def test_g01_knows_a_protected_project_by_its_url(one: str, other: str, same: bool) -> None:
    """All projects of a region share the pooler's host; and the URL asked for is the one used."""
    production = Target("production", "P", protected=True)
    staging = Target("staging", "S")
    targets = {"production": production, "staging": staging}
    settings = Config(Path(), Path(), "crm", 18, targets, {"P": one, "S": other})
    found = reach.protected_twin(settings, staging)
    assert (found.protected, found.name) == ((True, "production") if same else (False, "staging"))
    assert found.variable == "S"


def test_g01_a_misspelt_protection_is_an_error(service: Service) -> None:
    wrong = PRODUCTION.replace("protected", "protectd")
    service.write("pyproject.toml", service.read("pyproject.toml") + wrong)
    said = service.invoke("db.status", code=1).err
    assert "`targets.production.protectd` is no setting: env, protected are" in said
    assert "First:  Is protected meant?" in said
