"""Tenant isolation: Alice and Bob have a row in every table; each sees and changes only their own.

Every table and view of `public` with a column `user_id` is tried; none need be named here.
"""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Engine, Row, text
from sqlalchemy.exc import DBAPIError

ALICE = "aaaaaaaa-0000-4000-8000-000000000001"
BOB = "bbbbbbbb-0000-4000-8000-000000000002"

Attempt = Callable[[str, str | None], int]

RELATIONS = """
select oid::regclass::text as name, relkind = 'v' as is_view, relrowsecurity as has_rls,
    exists (select from pg_attribute where attrelid = oid and attname = 'user_id') as is_tenant
from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
    and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
order by name
"""

# Row level security asks for little but `user_id`, so in this copy a row may consist of that.
LOOSEN = """
do $$
declare statement text;
begin
  for statement in
    select format('alter table %s drop constraint %I', conrelid::regclass, conname)
    from (select * from pg_constraint order by contype <> 'f') c
    where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u', 'x')
        and conrelid <> 0 and coninhcount = 0
    union all
    select format('alter table %s alter %I drop not null', attrelid::regclass, attname)
    from pg_attribute join pg_class c on c.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        and attnum > 0 and attnotnull and attidentity = '' and not attisdropped
    union all
    select format('alter table %s disable trigger user', oid::regclass)
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
  loop
    begin
      execute statement;
    exception when others then null; -- what stands in the way of a row shows when it is made
    end;
  end loop;
end $$
"""


@pytest.fixture(scope="module")
def relations(engine: Engine) -> list[Row[Any]]:
    """The tables and views of `public`, less those of extensions; in the tables a row of each user."""
    with engine.begin() as owner:
        found = list(owner.execute(text(RELATIONS)))
        owner.execute(text(LOOSEN))
        for table in [one.name for one in found if one.is_tenant and not one.is_view]:
            try:
                with owner.begin_nested():
                    owner.execute(text(f"delete from {table}"))
                    insert = text(f"insert into {table} (user_id) values (:user)")
                    owner.execute(insert, [{"user": ALICE}, {"user": BOB}])
            except DBAPIError as error:
                warnings.warn(f"{table} is not tried, it takes no row: {error.orig}", stacklevel=1)
    return found


@pytest.fixture
def attempt(engine: Engine, session_module: ModuleType) -> Attempt:
    """Run a statement as a user, or as `anon` without one: the rows concerned, none if refused."""

    def run(statement: str, user: str | None) -> int:
        role = "authenticated" if user else "anon"
        with session_module.user_session(engine, user, role) as session:
            try:
                return int(session.execute(text(statement), {"me": ALICE, "other": BOB}).rowcount)
            except DBAPIError as error:
                assert isinstance(error.orig, InsufficientPrivilege)
                return 0
            finally:
                session.rollback()

    return run


def test_every_table_has_row_level_security(relations: list[Row[Any]]) -> None:
    assert [one.name for one in relations if not one.is_view and not one.has_rls] == []


def test_a_user_sees_no_row_of_another(
    relations: list[Row[Any]], attempt: Attempt, subtests: pytest.Subtests
) -> None:
    seen = 0
    for name in [one.name for one in relations if one.is_tenant]:
        with subtests.test(name):
            assert attempt(f"select from {name} where user_id <> :me", ALICE) == 0
            seen += attempt(f"select from {name} where user_id = :me", ALICE)
    assert seen or not any(one.is_tenant for one in relations), "nobody sees anything at all"


def test_a_user_changes_no_row_of_another(
    relations: list[Row[Any]], attempt: Attempt, subtests: pytest.Subtests
) -> None:
    for name in [one.name for one in relations if one.is_tenant]:
        with subtests.test(name):
            # Without a condition, because a condition would bring in the policies for reading.
            assert attempt(f"update {name} set user_id = :me", ALICE) <= 1
            assert attempt(f"delete from {name}", ALICE) <= 1
            assert attempt(f"insert into {name} (user_id) values (:other)", ALICE) == 0


def test_anon_sees_nothing(
    relations: list[Row[Any]], attempt: Attempt, subtests: pytest.Subtests
) -> None:
    for name in [one.name for one in relations if one.is_tenant]:
        with subtests.test(name):
            assert attempt(f"select from {name}", None) == 0
