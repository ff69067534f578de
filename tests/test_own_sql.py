"""Nothing that somebody else made answers for Postgres in twolane's own statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from own_sql import ENGINE, Sent, faults, looked_at
from pglast.parser import ParseError
from service import Service

# What is written into files or shown, and is run there as others' SQL.
WRITTEN = (
    *("adopt/absent.py", "ddl/", "migrations/alterations.py", "migrations/generation.py"),
    *("migrations/renames.py", "migrations/wording.py", "models/", "prove/"),
)

# Each fits the arguments of twolane's statements better than Postgres's own does.
HOSTILE = """
create function public.bad() returns text language plpgsql as
    $$ begin raise 'somebody''s function runs'; end $$;
create function public.quote_ident(name) returns text return public.bad();
create function public.json_object_agg(text, text) returns text return public.bad();
create function public.format(text, name, name) returns text return public.bad();
create function public.joined(name, text) returns text return public.bad();
create operator public.|| (leftarg = name, rightarg = text, function = public.joined);
create function public.equals(oid, bigint) returns boolean return public.bad() = '';
create operator public.= (leftarg = oid, rightarg = bigint, function = public.equals);
create function public.same(name, varchar) returns boolean return public.bad() = '';
create operator public.= (leftarg = name, rightarg = varchar, function = public.same);
create function public.alike(varchar, varchar) returns boolean return public.bad() = '';
create operator public.= (leftarg = varchar, rightarg = varchar, function = public.alike);
"""


def test_functions_and_operators_of_others_do_not_answer(service: Service) -> None:
    service.sql(HOSTILE)
    assert "public.joined" in service.invoke("db.status", code=None).text
    service.invoke("db.snapshot")
    service.invoke("db.sync")
    service.invoke("db.doctor", code=None)
    service.write(
        "supabase/sql/05_guardrails.sql", service.read("supabase/sql/05_guardrails.sql") + "\n"
    )
    service.invoke("db.apply")


def texts() -> Iterator[tuple[str, str]]:
    """Module and text, of all strings in the engine."""
    for path in ENGINE.rglob("*.py"):
        name = path.relative_to(ENGINE).as_posix()
        if name.startswith(WRITTEN):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {
            id(value)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for value in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield (
                    name,
                    "".join(
                        str(v.value) if isinstance(v, ast.Constant) else " x.x "
                        for v in node.values
                    ),
                )
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in inner
            ):
                yield name, node.value


def test_every_statement_in_the_engine_names_schemas() -> None:
    found: list[tuple[str, str, str]] = []
    for name, text in texts():
        try:
            looked = looked_at(text) if "(" in text or "::" in text or " from " in text else None
        except ParseError:
            continue  # no statement, or a part of one; those that run are looked at as they run
        bare = {each for each in looked.bare if not each.startswith("relation ")} if looked else ()
        found += [(name, text.strip()[:60], each) for each in bare]
    assert found == []


@pytest.mark.parametrize(
    ("text", "path", "count"),
    [
        ("select json_object_agg(a, a) from x.y", "", 1),
        ("select a::text from x.y", "", 1),
        ("select from y", "", 1),
        ("select from x.y where a = 1", "public", 1),
        ("select from x.y where a = 1", "", 0),
        ("with y as (select) select pg_catalog.now()::pg_catalog.text from y", "public", 0),
    ],
)
def test_the_look_at_statements_finds_what_a_schema_could_answer_for(
    text: str, path: str, count: int
) -> None:
    assert len(faults([Sent(text, path, "a test")])) == count
