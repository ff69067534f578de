"""The stand-in for citext compares, sorts, finds and matches as the real one does."""

from __future__ import annotations

import psycopg
import pytest
from standins import Pair

WORDS = [
    "", "a", "A", "ab", "AB", "aB", "b", "É", "é", "ß", "SS", "ss", "Straße", "STRASSE", "İ", "i",
    "I", "ı", "Σ", "σ", "ς", "漢", "_", "a_b", "A%b", "a.b", "zz", "[", "a\\b", " a", "ab ",
]  # fmt: skip


@pytest.mark.parametrize("collation", ["", 'collate "C"', 'collate "C.utf8"'])
def test_citext_compares(pair: Pair, collation: str) -> None:
    operators = ["=", "<>", "<", "<=", ">", ">=", "~<~", "~<=~", "~>~", "~>=~"]
    compared = ", ".join(f"a {collation} {operator} b" for operator in operators)
    found = pair.same(
        f"""
        select a::text, b::text, {compared}, sign(citext_cmp(a {collation}, b)),
            sign(citext_pattern_cmp(a, b)), citext_smaller(a {collation}, b)::text,
            citext_larger(a {collation}, b)::text, strpos(a, b)
        from unnest(%(words)s::citext[]) a, unnest(%(words)s::citext[]) b
        order by a::text collate "C", b::text collate "C"
        """.replace("%(words)s", "%s"),
        WORDS,
        WORDS,
    )
    assert len(found) == len(WORDS) ** 2


def test_citext_hashes_to_the_same_numbers(pair: Pair) -> None:
    query = (
        "select a::text, citext_hash(a), citext_hash_extended(a, 42) from unnest(%s::citext[]) a"
    )
    assert len(pair.same(query, WORDS)) == len(WORDS)


@pytest.mark.parametrize("kind", ["citext", "text"])
def test_citext_matches_patterns(pair: Pair, kind: str) -> None:
    operators = ["~~", "~~*", "!~~", "!~~*", "~", "~*", "!~", "!~*"]
    matched = ", ".join(f"a {operator} p::{kind}" for operator in operators)
    patterns = ["a%", "A_", "%é", "[ab]", "^A", "s+", "ß", "a.b", "É|i"]
    pair.same(
        f"select {matched} from unnest(%s::citext[]) a, unnest(%s::text[]) p", WORDS, patterns
    )
    pair.same(f"select 'a'::citext ~ '('::{kind}")


def test_citext_has_the_functions_of_text(pair: Pair) -> None:
    calls = [
        "regexp_match(a, b)", "regexp_match(a, b, 'c')", "regexp_match(a, b, 'x')",
        "array(select regexp_matches(a, b)::text)",
        "array(select regexp_matches(a, b, 'gc')::text)",
        "regexp_replace(a, b, 'X')", "regexp_replace(a, b, '[\\&]', 'g')",
        "regexp_replace(a, b, 'X', 'gc')", "regexp_split_to_array(a, b)",
        "regexp_split_to_array(a, b, 'c')", "array(select regexp_split_to_table(a, b))",
        "array(select regexp_split_to_table(a, b, 'c'))", "replace(a, b, 'Y'::citext)",
        "replace(a, b, '\\1&'::citext)", "split_part(a, b, 1)", "split_part(a, b, 2)",
        "translate(a, b, 'xyz')",
    ]  # fmt: skip
    for call in calls:
        for looked_for in ("a", "É|i", "[ab]", "a.b", "b", ""):
            for at in ("aBAbc", "xAxa.bX", "ÉéßAb", ""):
                pair.same(
                    f"select {call} from (select %s::citext, %s::citext) as x (a, b)",
                    at,
                    looked_for,
                )
    pair.same(
        "select true::citext::text, '10.0.0.1/8'::inet::citext::text, 'ab '::char(5)::citext::text"
    )
    pair.same(
        "select 'Ab'::citext = 'aB'::text, 'Ab'::citext = 'aB', pg_typeof('a'::citext || 'b')::text"
    )


def test_citext_is_unique_whatever_its_case_and_found_by_its_index(pair: Pair) -> None:
    connection = pair.stand_in
    connection.execute(
        """
        create temporary table people (email citext unique, name citext);
        insert into people select 'User' || i || '@Example.com', i from generate_series(1, 2000) i;
        create index on people using hash (name);
        analyze people;
        """
    )
    with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
        connection.execute("insert into people values ('USER7@EXAMPLE.COM')")
    query = "select name::text from people where email = 'uSER7@example.com'"
    assert connection.execute(query.encode()).fetchall() == [("7",)]
    plan = connection.execute(f"explain (costs off) {query}".encode()).fetchall()
    assert plan[0] == ("Index Scan using people_email_key on people",)
    connection.execute(
        "insert into people values ('user7@EXAMPLE.com', 'x')"
        " on conflict (email) do update set name = 'y'"
    )
    assert connection.execute("select name::text from people where name = 'Y'").fetchall() == [
        ("y",)
    ]
