"""Domains and the storage of tables in `app.py`: made, changed, dropped, and all the way back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from generation import NO_CHANGES, assert_reversible, evolve, notes, write
from service import APP, Service
from steps import add_sql

BASE = "BASE = postgresql.DOMAIN('base', sa.Integer, check='VALUE < 9')\n"
OPTIONS = "select relpersistence, coalesce(reloptions, '{}') from pg_class where relname = 'notes'"


def app(of: str, *lines: str, before: str = "", **table: Any) -> str:
    """`app.py` with a domain of that type, a column of it, and that storage."""
    columns = ["price: Mapped[Any] = mapped_column(AMOUNT)", *lines]
    prefixes = table.pop("prefixes", [])
    options = {f"postgresql_{name.rstrip('_')}": value for name, value in table.items()}
    columns.append(f"__table_args__ = ({{'prefixes': {prefixes!r}, **{options!r}}},)")
    domain = f"AMOUNT = postgresql.DOMAIN('amount', {of})\n"
    return notes("\n".join(columns), f"from typing import Any\n\n{before}{domain}")


def test_domains_and_storage_come_change_and_go(service: Service) -> None:
    made = evolve(
        service,
        app(
            "Numeric(12, 2), default=text('1.5'), check='VALUE > 0'",
            prefixes=["UNLOGGED"],
            with_={"fillfactor": 70, "toast.autovacuum_enabled": False},
        ),
    )
    assert "create domain public.amount as numeric(12,2) default 1.5" in made
    service.sql("insert into notes default values")
    assert service.sql("select price from notes") == [(Decimal("1.50"),)]
    assert service.sql(OPTIONS) == [("u", ["fillfactor=70"])]

    changed = evolve(
        service,
        app(
            "Numeric(12, 2), default=text('2'), check='VALUE >= 0', not_null=True",
            with_={"autovacuum_enabled": False},
        ),
    )
    assert "alter domain public.amount" in changed and "drop domain" not in changed
    assert service.sql(OPTIONS) == [("p", ["autovacuum_enabled=false"])]

    prices = "prices: Mapped[Any] = mapped_column(postgresql.ARRAY(AMOUNT), nullable=True)"
    wider = evolve(service, app("sa.Numeric(14, 3)", prices, before=BASE))
    assert "rename to amount__old" in wider and "base" not in wider
    assert service.sql(OPTIONS) == [("p", [])]
    service.sql("update notes set prices = '{3,4}'")
    nested = evolve(
        service,
        app("BASE", prices, "tier: Mapped[Any] = mapped_column(BASE, nullable=True)", before=BASE),
    )
    assert nested.index("create domain public.base") < nested.index("create domain public.amount")
    assert service.sql("select price, prices::int[], tier from notes") == [(2, [3, 4], None)]
    gone = evolve(service, notes("price: Mapped[int | None]"))
    assert gone.index("drop domain public.amount") < gone.index("drop domain public.base")
    assert_reversible(service)


def test_a_domain_that_is_not_the_models_stays_as_it_is(service: Service) -> None:
    """A revision made it by hand, and `app.py` says that it only uses it."""
    service.invoke("db.gen", "--empty", "-m", "by hand")
    path = service.revisions()[-1]
    text = path.read_text()
    made = text.replace(
        "def upgrade() -> None:\n    pass",
        "def upgrade() -> None:\n    op.execute('create domain amount as int default 3')\n"
        "    op.execute('create domain other as int')\n"
        "    op.execute('create function f(x other) returns int language sql return 1')",
    ).replace(
        "def downgrade() -> None:\n    pass",
        "def downgrade() -> None:\n    op.execute('drop function f')\n"
        "    op.execute('drop domain amount')\n    op.execute('drop domain other')",
    )
    assert made.count("create domain") == 2
    path.write_text(made)
    service.invoke("db.push")
    other = "other: Mapped[Any] = mapped_column(postgresql.DOMAIN('other', sa.Integer, "
    other += "create_type=False))"
    used = app("sa.Integer, create_type=False", other)
    made = evolve(service, used.replace("(AMOUNT)", "(AMOUNT, server_default=sa.FetchedValue())"))
    assert "domain" not in made
    gone = evolve(service, notes("price: Mapped[int | None]"))
    assert "drop domain public.amount" in gone and "drop domain public.other" not in gone
    assert_reversible(service)


OWNED = """
create domain level as integer default 3;
create table tenants (id integer primary key);
create table staff (
  tenant_id integer not null references tenants, id integer, boss_id integer, level level,
  primary key (tenant_id, id),
  constraint staff_boss_fkey foreign key (tenant_id, boss_id) references staff (tenant_id, id)
) with (fillfactor = 70, autovacuum_enabled = false);
"""


def test_an_owned_table_says_how_it_is_stored_and_what_its_domain_fills(service: Service) -> None:
    guarded = "do $$ begin if to_regclass('public.staff') is null then" + OWNED + "end if; end $$;"
    add_sql(service, "10_staff.sql", guarded)
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.commit()
    service.invoke("db.own", "staff")
    text = service.read(APP)
    assert '"postgresql_with": {"autovacuum_enabled": "false", "fillfactor": "70"}' in text
    assert "server_default=sa.FetchedValue()" in text and "primaryjoin=lambda" in text
    assert service.invoke("db.gen", "-m", "more").out == NO_CHANGES
    service.invoke("db.push")
    service.write(APP, text.replace('"fillfactor": "70"', '"fillfactor": "80"'))
    service.invoke("db.gen", "-m", "denser")
    service.invoke("db.push")
    assert service.invoke("db.gen", "-m", "more").out == NO_CHANGES
    assert service.sql(OPTIONS.replace("notes", "staff")) == [
        ("p", ["autovacuum_enabled=false", "fillfactor=80"])
    ]


def test_what_postgres_refuses_of_a_domain_is_located_in_app_py(service: Service) -> None:
    write(service, app("sa.Integer, check='VALEU > 0'"))
    told = service.invoke("db.gen", "-m", "wrong", code=1).err
    assert "src/crm/db/schema/app.py:" in told and "valeu" in told and "Traceback" not in told
    assert NO_CHANGES not in told
