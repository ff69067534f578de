"""The models of both lanes, as the application imports them."""

import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import configure_mappers

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def schema() -> ModuleType:
    """The barrel, `<package>.db.schema`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return importlib.import_module(f"{settings['tool']['twolane']['package']}.db.schema")


def models(schema: ModuleType, metadata: MetaData) -> dict[str, type]:
    """The barrel's models on one of the two metadata objects, by their tables' names."""
    found = (getattr(schema, name) for name in schema.__all__)
    tables = {m.__table__.fullname: m for m in found if hasattr(m, "__table__")}
    return {name: model for name, model in tables.items() if name in metadata.tables}


def test_all_models_configure(schema: ModuleType) -> None:
    configure_mappers()


def test_the_barrel_has_every_table_of_both_lanes(schema: ModuleType) -> None:
    for base in (schema.IntrospectedBase, schema.AppBase):
        mapped = {mapper.local_table.fullname for mapper in base.registry.mappers}
        assert set(models(schema, base.metadata)) == mapped


def test_no_table_is_in_both_lanes(schema: ModuleType) -> None:
    def names(metadata: MetaData) -> set[tuple[str, str]]:
        return {(table.schema or "public", table.name) for table in metadata.tables.values()}

    both = names(schema.IntrospectedBase.metadata) & names(schema.AppBase.metadata)
    assert not both, f"in introspected.py and app.py: {both}"
