"""`app.py` is imported with the introspected classes that it asks for, and with no other."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from twolane.migrations import app_import
from twolane.migrations.app_import import app_metadata
from twolane.models import render

SCHEMA = Path(__file__).parents[1] / "template/src/{{package_name}}/db/schema"
TABLES = ("contacts", "letters", "stamps")
USES = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from .base import AppBase, UUIDKey
from .introspected import Letters


class Notes(UUIDKey, AppBase):
    __tablename__ = "notes"

    letter: Mapped[int] = mapped_column(ForeignKey(Letters.id))
"""

Package = Callable[[str, str], str]


def facts() -> dict[str, str]:
    """Each table refers to the one before it."""
    made = {}
    for before, name in zip((None, *TABLES), TABLES, strict=False):
        table = f"public.{name}"
        made[f"table {table}"] = "{}"
        made[f"column {table}.id"] = '{"type":"bigint","not_null":true}'
        made[f"constraint {table}.{name}_pkey"] = (
            '{"type":"primary key","columns":["id"],"definition":"PRIMARY KEY (id)"}'
        )
        if before:
            made[f"column {table}.up_id"] = '{"type":"bigint"}'
            made[f"constraint {table}.{name}_up_id_fkey"] = (
                f'{{"type":"foreign key","columns":["up_id"],"references":"public.{before}",'
                f'"referenced_columns":["id"],"definition":"FOREIGN KEY (up_id) REFERENCES'
                f' {before}(id)"}}'
            )
    return dict(sorted(made.items()))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def make(name: str, app: str) -> str:
        folder = tmp_path / name / "db/schema"
        shutil.copytree(SCHEMA, folder, ignore=shutil.ignore_patterns("*.jinja", "__pycache__"))
        (folder / "introspected.py").write_text(render.render_models(facts()))
        (folder / "app.py").write_text(app)
        names.append(name)
        return name

    yield make
    for name in names:
        app_import._forget(f"{name}.db.schema")


def classes(name: str) -> set[str]:
    base = import_module(f"{name}.db.schema.base").IntrospectedBase
    return {mapper.class_.__name__ for mapper in base.registry.mappers} - {"AuthUsers"}


def test_a_class_that_app_py_does_not_name_is_not_made(package: Package) -> None:
    metadata = app_metadata(package("few", USES))
    (key,) = metadata.tables["notes"].foreign_keys
    assert key.column.table.name == "letters"
    assert classes("few") == {"Letters"}


def test_who_asks_the_barrel_gets_all(package: Package) -> None:
    metadata = app_metadata(package("all_of_it", USES))
    barrel: Any = import_module("all_of_it.db.schema")
    assert barrel.AppBase.metadata is metadata
    assert {"Contacts", "Letters", "Stamps", "Notes"} <= {*barrel.__all__}
    barrel.IntrospectedBase.registry.configure(cascade=True)
    assert barrel.Stamps.up.property.mapper.class_ is barrel.Letters


@pytest.mark.parametrize(
    "line",
    [
        "from .introspected import *",
        "from sqlalchemy.orm import configure_mappers; configure_mappers()",
        "from sqlalchemy import select; statement = select(Letters.up)",
        "from . import introspected; asked = introspected.Contacts",
    ],
)
def test_an_app_py_that_needs_more_classes_has_them(package: Package, line: str) -> None:
    name = f"more_{abs(hash(line))}"
    assert set(app_metadata(package(name, f"{USES}\n\n{line}\n")).tables) == {"notes"}
    assert classes(name) >= {"Letters"}


def test_what_is_wrong_with_app_py_is_said_with_its_line(package: Package) -> None:
    with pytest.raises(ImportError, match="Leters") as wrong:
        app_metadata(package("wrong", USES.replace("import Letters", "import Leters")))
    assert str(wrong.value.path).endswith("introspected.py")
    with pytest.raises(ImportError):
        app_metadata("wrong")
    assert "wrong.db.schema.app" not in sys.modules
