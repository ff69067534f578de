"""Whose a row is, as keys, names and policies tell; all of it pure."""

from collections.abc import Iterator
from typing import Any

import pytest

from twolane.config import Prove
from twolane.errors import Failure
from twolane.prove.mining import Source, Sources
from twolane.prove.owners import Owners
from twolane.prove.schema import USERS, Column, ForeignKey, Policy, Relation, Schema, Type
from twolane.prove.schema_reading import check_hints
from twolane.prove.variety import Variety

UUID = Type("uuid", "uuid", "b", "U", -1, None, [], [])
OWN = "(( SELECT auth.uid() AS uid) = user_id)"


class Sourced(list[Source]):
    """Counts how often somebody goes through all sources."""

    rounds = 0

    def __iter__(self) -> Iterator[Source]:
        self.rounds += 1
        return super().__iter__()


def relation(name: str, *columns: str, keys: Any = (), **foreign: str) -> Relation:
    return Relation(
        name=name,
        kind="table",
        exposed=name != USERS,
        owner="postgres",
        has_rls=True,
        published=False,
        policies=[Policy("own", "r", OWN, None)] if "user_id" in columns else [],
        columns=[Column(c, UUID, False, True, None, "", None, {}) for c in ("id", *columns)],
        checks=[],
        keys=[["id"], *keys],
        foreign_keys=[ForeignKey([c], parent, ["id"], True) for c, parent in foreign.items()],
        unique={},
        rights={},
    )


def owners(*relations: Relation, texts: Any = ()) -> tuple[Owners, Sourced]:
    schema = Schema({each.name: each for each in (relation(USERS), *relations)}, (), texts)
    sources = Sourced(schema.sources.all)
    vars(schema)["sources"] = Sources(sources)
    return Owners(schema, "user_id", {}), sources


def test_a_table_of_pairs_that_a_function_asks_has_the_members() -> None:
    members = relation(
        *("public.members", "user_id", "org_id"),
        keys=[["user_id", "org_id"]],
        user_id=USERS,
        org_id="public.orgs",
    )
    mine = "select org_id from public.members where user_id = (select auth.uid())"
    asked, _ = owners(relation("public.orgs"), members, texts=[("public.mine", mine)])
    assert asked.members["public.members"].key.parent == "public.orgs"
    assert asked.organizations == {"public.orgs"}
    silent, _ = owners(relation("public.orgs"), members)
    assert not silent.members


def test_more_tables_are_no_more_rounds_through_what_all_of_them_say() -> None:
    rounds = set()
    for size in (5, 10):
        many = [relation(f"public.t{n}", "user_id", user_id=USERS) for n in range(size)]
        found, sources = owners(*many)
        assert Variety(Sources(sources), found).count == 3
        assert [found.tenant(table) for table in many] == ["user_id"] * size
        rounds.add(sources.rounds)
    assert len(rounds) == 1


def test_a_misnamed_tenant_column_is_told_though_the_table_has_other_hints() -> None:
    notes = relation("public.notes", "user_id", "org_id")
    schema = Schema({USERS: relation(USERS), "public.notes": notes}, ())
    rows = {"public.notes": {"org_id": "null"}}
    check_hints(Prove(tenants={"public.notes": "org_id"}, rows=rows), schema)
    with pytest.raises(Failure, match=r"has no column orgid. Is org_id meant\?$"):
        check_hints(Prove(tenants={"public.notes": "orgid"}, rows=rows), schema)
