"""The models of both lanes, as the application imports them."""

from types import ModuleType

from sqlalchemy import MetaData
from sqlalchemy.orm import configure_mappers
from twolane.testing import models


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
