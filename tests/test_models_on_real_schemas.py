"""`render_models` on real databases: a torture schema, and schemas that other people wrote."""

import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import shared_schemas
import sqlalchemy as sa
from models_text import lint
from pgvector import SparseVector
from sample_values import VALUES
from sqlalchemy.orm import DeclarativeBase, Session, configure_mappers, selectinload

from twolane.facts import catalog, identities
from twolane.models import again, render

NewDatabase = Callable[..., str]

ROOT = Path(__file__).parents[1]
TORTURE = ROOT / "tests/schemas/torture.sql"
BASE = ROOT / "template/src/{{package_name}}/db/schema/base.py"
NAMES = ["torture", "nine_files", *shared_schemas.NAMES]
ON_SUPABASE = {"subscription_payments", "supabase_slack_clone", "supabase_todo"}


class Loaded:
    """A schema in a database, its snapshot, and the module that was made of it."""

    def __init__(self, name: str, folder: Path, conninfo: str) -> None:
        self.conninfo = conninfo
        with psycopg.connect(conninfo) as connection:
            if name == "torture":
                connection.execute(TORTURE.read_bytes())
            elif name in shared_schemas.NAMES:
                major = connection.info.server_version // 10_000
                connection.execute(shared_schemas.script(name, major))
        with psycopg.connect(conninfo) as connection:
            self.snapshot = catalog.read(connection)
        package = folder / f"models_of_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "base.py").write_text(BASE.read_text())
        self.file = package / "introspected.py"
        self.file.write_text(render.render_models(self.snapshot), encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.module: ModuleType = importlib.import_module(f"{package.name}.introspected")
            configure_mappers()
        self.engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(self.conninfo)
        )

    @property
    def classes(self) -> list[type[DeclarativeBase]]:
        members = [getattr(self.module, name) for name in self.module.__all__]
        return [m for m in members if isinstance(m, type)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(path))
    yield path
    sys.path.remove(str(path))


@pytest.fixture(scope="session")
def loaded(folder: Path, lasting_database: NewDatabase, request: pytest.FixtureRequest) -> Any:
    """Load a schema once for all tests that look at it."""
    done: dict[str, Loaded] = {}

    def load(name: str) -> Loaded:
        if name not in done:
            template = "template1"
            if name == "nine_files":
                template = request.getfixturevalue("bootstrapped")
            elif name in ON_SUPABASE:
                template = request.getfixturevalue("platform")
            done[name] = Loaded(name, folder, lasting_database(template))
        return done[name]

    return load


@pytest.fixture(params=NAMES)
def schema(loaded: Any, request: pytest.FixtureRequest) -> Loaded:
    return loaded(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def torture(loaded: Any) -> Iterator[ModuleType]:
    yield loaded("torture").module


@pytest.fixture
def session(loaded: Any) -> Iterator[Session]:
    """A session on the torture schema; nothing of it is kept."""
    engine = loaded("torture").engine
    with engine.connect() as connection, Session(connection) as session:
        yield session


def test_every_class_can_be_selected(schema: Loaded) -> None:
    no_server = {i.removeprefix("foreign table public.") for i in schema.snapshot}
    with Session(schema.engine) as session:
        for view in (i for i in schema.snapshot if identities.kind(i) == "materialized view"):
            session.execute(sa.text(f"refresh {view}"))
        for cls in schema.classes:
            if getattr(cls, "__tablename__", "") in no_server:
                continue
            session.execute(sa.select(cls).limit(1)).all()


def test_every_relation_has_a_class(schema: Loaded) -> None:
    relations = [i for i in schema.snapshot if identities.kind(i) in identities.RELATION_KINDS]
    left_out = schema.file.read_text().count("# Not mapped")
    classes = [cls for cls in schema.classes if hasattr(cls, "__tablename__")]
    assert len(classes) == len(relations) - left_out
    assert left_out == (1 if "torture" in schema.file.parent.name else 0)


def test_columns_are_as_the_facts_say(schema: Loaded) -> None:
    """Names, nullability, types (as DDL spells them), primary keys."""
    facts = {
        identity.removeprefix("column "): catalog.definition(text)
        for identity, text in schema.snapshot.items()
        if identity.startswith("column ")
    }
    by_table: dict[tuple[str, str], dict[str, Any]] = {}
    for name, parts in facts.items():
        in_schema, of, column_name = map(identities.unquote, identities.split_name(name))
        by_table.setdefault((in_schema, of), {})[column_name] = parts
    for cls in schema.classes:
        table = sa.inspect(cls).local_table
        assert isinstance(table, sa.Table)
        columns = by_table.get((table.schema or "public", table.name), {})
        assert {c.name for c in table.c if not c.system} == set(columns)
        for column in table.c:
            if not column.system:
                parts = columns[column.name]
                assert column.nullable == ("not_null" not in parts), column
                assert (column.computed is not None) == ("generated" in parts)
                assert (column.identity is not None) == ("identity" in parts)


def test_the_tables_can_be_made_from_the_classes(loaded: Any, new_database: NewDatabase) -> None:
    """A second opinion on types: what the classes would create has the columns it came from."""
    original = loaded("chinook")
    conninfo = new_database()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    metadata = original.classes[0].metadata
    metadata.create_all(engine, [t for t in metadata.sorted_tables if t.schema is None])
    with psycopg.connect(conninfo) as connection:
        copy = catalog.read(connection)
    assert [
        change
        for change in catalog.diff(original.snapshot, copy)
        if identities.kind(change.identity) in ("table", "column", "constraint")
    ] == []


def test_lint(schema: Loaded) -> None:
    assert not lint(schema.file.read_text(encoding="utf-8"))


def test_types(loaded: Any, folder: Path) -> None:
    """One run of mypy over all of them."""
    for name in NAMES:
        with suppress(pytest.skip.Exception):
            loaded(name)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_annotation_has_to_be_evaluated(schema: Loaded) -> None:
    """For each that is a string SQLAlchemy copies the module's namespace, all classes in it."""
    annotations = [a for cls in schema.classes for a in vars(cls)["__annotations__"].values()]
    assert annotations and not any(isinstance(annotation, str) for annotation in annotations)


def test_an_unrelated_table_changes_no_other_line(schema: Loaded) -> None:
    before = schema.file.read_text().splitlines()
    new = {
        "table public.zzz_unrelated": "{}",
        "column public.zzz_unrelated.x": '{"type":"integer","not_null":true}',
    }
    after = set(render.render_models({**schema.snapshot, **new}).splitlines())
    assert [x for x in before if x not in after and not x.startswith("__all__")] == []


def test_classes_rendered_again_after_a_change_are_as_if_all_were_rendered(
    schema: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts that go and come back, a table with its keys, a column that takes another's name."""
    monkeypatch.setattr(again, "WORTH_IT", 9)
    facts = schema.snapshot
    parts = [i for i in facts if identities.kind(i) in ("constraint", "index", "policy")]
    table = next(i for i in facts if identities.kind(i) == "table").removeprefix("table ")
    of_table = {
        i for i in facts if identities.relation(i) == table or f'"references":"{table}"' in facts[i]
    }
    named = f"column {table}.{identities.own_name(parts[-1])}_"
    mutated: list[catalog.Snapshot] = [
        *({i: t for i, t in facts.items() if i != gone} for gone in parts[:: len(parts) // 3]),
        {i: t for i, t in facts.items() if i not in of_table},
        dict(sorted({**facts, named: '{"type":"inet"}'}.items())),
    ]
    made = []
    text = schema.file.read_text(encoding="utf-8")
    for after in mutated:
        whole = render.render_models(after)
        there = again.render_again(text, facts, after)
        back = again.render_again(whole, after, facts)
        assert there in (whole, None)
        assert back in (text, None)
        made += [there, back]
    assert any(made) or "overlaps=" in text


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_went(name: str, torture: ModuleType, session: Session) -> None:
    row = torture.AllTypes(**{name: VALUES[name]})
    session.add(row)
    session.flush()
    assert row.id >= 1000
    session.expire(row)
    found = getattr(row, name)
    if isinstance(VALUES[name], SparseVector):
        assert found.to_list() == VALUES[name].to_list()
    else:
        assert found == VALUES[name]
        assert isinstance(found, type(VALUES[name]))


def test_relationships(torture: ModuleType, session: Session) -> None:
    contact = torture.Contacts(email="a@b", Invoices="x")
    invoice = torture.BillingInvoices(contact=contact, total=Decimal("10.00"))
    boss = torture.Employees(id=1, name="boss", employees_by_manager=[])
    worker = torture.Employees(id=2, name="worker", manager=boss)
    session.add_all([contact, invoice, worker, torture.Profiles(contact=contact, bio="…")])
    contact.favourite_invoice = invoice  # each needs the other to be there first
    session.flush()
    session.expire_all()
    assert contact.billing_invoices == [invoice] and contact.billing_invoices_by_payer == []
    assert contact.profiles.bio == "…" and contact.badges is None and contact.lockers is None
    assert contact.interactions == 0 and contact.created_at.tzinfo
    assert invoice.with_tax == Decimal("12.00") and invoice.payer_name == "a:b"
    assert boss.employees_by_manager == [worker] and worker.manager is boss and boss.manager is None
    loading = selectinload(torture.Contacts.billing_invoices)
    assert session.scalars(sa.select(torture.Contacts).options(loading)).one() is contact
    session.delete(contact)  # ON DELETE CASCADE, which is the database's to carry out
    session.flush()
    assert session.scalar(sa.select(sa.func.count()).select_from(torture.BillingInvoices)) == 0
    assert session.scalar(sa.select(sa.func.count()).select_from(torture.Profiles)) == 0


def test_overlapping_foreign_keys_can_be_read(torture: ModuleType, session: Session) -> None:
    tenant = torture.Tenants(id=1)
    root = torture.Threads(tenant_id=1, id=1)
    child = torture.Threads(tenant_id=1, id=2, parent_id=1)
    message = torture.Messages(id=1, tenant_id=1, thread_id=2, reply_thread_id=1)
    for row in (tenant, root, child, message):
        session.add(row)
        session.flush()
    session.expire_all()
    assert message.tenant is tenant and message.thread is child and message.reply is root
    assert session.get(torture.Threads, (1, 2)) is child


def test_a_row_without_a_key_can_be_read(torture: ModuleType, session: Session) -> None:
    session.add(torture.RawPayloads(payload={"a": 1}))
    session.add(torture.UniqueOnly(a=1, b=2))
    session.flush()
    session.expunge_all()
    assert session.scalars(sa.select(torture.RawPayloads)).one().payload == {"a": 1}
    assert session.get_one(torture.UniqueOnly, (2, 1)).a == 1


def test_every_odd_name_can_be_written(torture: ModuleType, session: Session) -> None:
    values = {
        attribute.key: "v"
        for attribute in sa.inspect(torture.PythonNames).column_attrs
        if isinstance(attribute.columns[0].type, sa.Text)
    }
    assert len(values) > 30
    row = torture.PythonNames(**values)
    session.add(row)
    session.flush()
    session.expire(row)
    assert {name: getattr(row, name) for name in values} == values
    odd = torture.OddSchemaTableImportOs(id=1)
    session.add(odd)
    session.flush()
    assert odd.x_evil == '"""\\'


def test_names_and_keys_of_the_torture_schema(torture: ModuleType) -> None:
    def key(name: str) -> list[str]:
        return [c.name for c in sa.inspect(getattr(torture, name)).primary_key]

    assert key("Measurements202601") == ["id", "at"]
    assert key("UniqueIndexOnly") == ["B"]
    assert key("UniqueOnly") == ["b", "a"]
    assert key("Cats") == ["id", "lives", "name"]
    assert torture.MOOD.__tablename__ == "MOOD"
    uuid = uuid4()
    assert torture.Contacts(id=uuid).id == uuid
    assert sa.inspect(torture.Cats).inherits is None
    [foreign_key] = torture.Messages.__table__.c.thread_id.foreign_keys
    assert foreign_key.constraint.ondelete == "SET NULL (thread_id)"
    assert foreign_key.constraint.match == "FULL"
