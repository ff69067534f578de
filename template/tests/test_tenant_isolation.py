"""Tenant isolation: Alice and Bob have a row in every table; each sees and changes only their own.

The tests find and try every table and view of `public` with a column `user_id`.
"""

import warnings
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

ALICE = "aaaaaaaa-0000-4000-8000-000000000001"
BOB = "bbbbbbbb-0000-4000-8000-000000000002"

TABLES = """
select oid::regclass::text from pg_class -- less what extensions brought
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
"""
TENANT_SCOPED = """
    and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'user_id'
                and atttypid in ('uuid'::regtype, 'text'::regtype))
"""

# Policies rarely need more than `user_id`; so in this copy a row needs only that column.
LOOSEN = """
do $$
declare statement text;
begin
  for statement in
    select format('alter table %s drop constraint %I', conrelid::regclass, conname)
    from (select * from pg_constraint order by contype <> 'f') as foreign_keys_first
    where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u', 'x')
        and conrelid <> 0 and coninhcount = 0
    union all
    select format('alter table %s alter %I drop not null', attrelid::regclass, attname)
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnotnull
    union all
    select format('alter table %s disable trigger user', oid::regclass)
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
  loop
    begin execute statement;
    exception when others then null; end; -- if that matters, the insert fails
  end loop;
end $$
"""


@pytest.fixture(scope="module")
def tenant_scoped(engine: Engine) -> list[str]:
    """Tables and views with a `user_id`; each table gets one row of each user."""
    with engine.begin() as owner:
        tables = list(owner.scalars(text(TABLES + TENANT_SCOPED)))
        views = owner.scalars(text(TABLES.replace("'r', 'p'", "'v'") + TENANT_SCOPED))
        owner.execute(text(LOOSEN))
        for table in tables:
            both = text(f"insert into {table} (user_id) values ('{ALICE}'), ('{BOB}')")
            try:
                with owner.begin_nested():
                    owner.execute(text(f"delete from {table}"))
                    owner.execute(both)
            except DBAPIError as error:
                warnings.warn(f"{table} has no rows to try with: {error.orig}", stacklevel=1)
        return [*tables, *views]


def test_every_table_has_row_level_security(engine: Engine) -> None:
    with engine.begin() as owner:
        assert list(owner.scalars(text(f"{TABLES} and not relrowsecurity"))) == []


def test_a_user_sees_no_row_of_another(
    tenant_scoped: list[str], attempt: Callable[..., int], subtests: pytest.Subtests
) -> None:
    own = 0
    for name in tenant_scoped:
        with subtests.test(name):
            own += attempt(f"select from {name} where user_id = :me", ALICE, me=ALICE)
            assert attempt(f"select from {name} where user_id <> :me", ALICE, me=ALICE) == 0
    assert own or not tenant_scoped, "no user sees any row, so this proves nothing"


def test_a_user_changes_no_row_of_another(
    tenant_scoped: list[str], attempt: Callable[..., int], subtests: pytest.Subtests
) -> None:
    for name in tenant_scoped:
        with subtests.test(name):  # no WHERE: it would apply the policies for SELECT, too
            assert attempt(f"update {name} set user_id = :me", ALICE, me=ALICE) <= 1
            assert attempt(f"delete from {name}", ALICE) <= 1
            assert attempt(f"insert into {name} (user_id) values (:to)", ALICE, to=BOB) == 0


def test_anon_sees_nothing(
    tenant_scoped: list[str], attempt: Callable[..., int], subtests: pytest.Subtests
) -> None:
    for name in tenant_scoped:
        with subtests.test(name):
            assert attempt(f"select from {name}", None) == 0
