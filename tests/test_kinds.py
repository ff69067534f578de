"""The table of the kinds of facts has every kind that the query can print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase
from mutations import ON_GROUND
from pglast import ast, parse_sql

from twolane.facts import catalog, identities


def leaves(query: Any) -> Iterator[Any]:
    """The queries that UNION ALL puts together."""
    if query.larg:
        yield from leaves(query.larg)
        yield from leaves(query.rarg)
    else:
        yield query


def constants(node: Any) -> Iterator[str]:
    """The texts that an expression can have: of itself, or of a CASE's branches."""
    kind = type(node)
    if kind is ast.A_Const:
        yield node.val.sval
    elif kind is ast.CaseExpr:
        for branch in node.args:
            yield from constants(branch.result)
        yield from constants(node.defresult)


def parts_of_the_query() -> dict[str, Any]:
    """The query's named parts, by name, and its result."""
    query: Any = parse_sql(catalog.query().decode())[-1].stmt
    named = {part.ctename: part.ctequery for part in query.withClause.ctes}
    return {**named, "result": query}


@pytest.fixture(scope="module")
def named_by_postgres(lasting_database: NewDatabase, ground: str) -> set[str]:
    """The kinds that `pg_identify_object` prints: one row of each catalog tells its kind."""
    kinds = set()
    with (
        psycopg.connect(lasting_database(ground), autocommit=True) as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(
            """create subscription remote connection '' publication p
                with (connect = false, slot_name = none)"""
        )
        for leaf in leaves(parts_of_the_query()["other"]):
            (name,) = constants(leaf.targetList[0].val.arg)
            row = connection.execute(
                f"""select i.type from (select oid from {name} limit 1) o,
                    pg_identify_object('{name}'::regclass, o.oid, 0) i""".encode()
            ).fetchone()
            assert row, f"the ground has no object of {name}"
            kinds.add(row[0])
    return kinds


def printed(parts: dict[str, Any]) -> set[str]:
    """The kinds that stand in the query itself."""
    facts = [leaf.targetList[3].val for leaf in leaves(parts["fact"])]
    others = [leaf.targetList[2].val for leaf in leaves(parts["part"])]
    kinds = {kind for value in (*facts, *others) for kind in constants(value)}
    assert sum(not list(constants(value)) for value in facts) == 1, "but for pg_identify_object's"
    return kinds


def test_every_kind_that_the_query_can_print_is_in_the_table(named_by_postgres: set[str]) -> None:
    kinds = printed(parts_of_the_query()) | named_by_postgres
    assert len(kinds) > 45
    about = set(re.findall(r"'([a-z ]+) ' \|\| (?:f\.)?kind", catalog.query().decode()))
    assert about == {"owner", "grant", "comment", "security label"}
    assert kinds | about == set(identities.KINDS)


@pytest.mark.parametrize("kind", identities.KINDS)
def test_the_kind_of_a_fact_is_all_its_words(kind: str) -> None:
    assert identities.kind(f"{kind} x for y") == kind
    if kind not in ("owner", "grant", "comment", "security label"):
        assert identities.kind(f"owner {kind} x") == "owner"
        assert identities.kind(str(identities.about(f"grant {kind} x to y"))) == kind


def test_every_fact_of_a_mutation_has_a_kind_of_the_table() -> None:
    texts = {text for m in ON_GROUND.values() for text in re.split(r",\s+(?=[-+~] )", m.facts)}
    named = {" ".join(text.split())[2:] for text in texts if text.strip()}
    assert len(named) > 300
    assert {identities.kind(identity) for identity in named} <= {*identities.KINDS}
