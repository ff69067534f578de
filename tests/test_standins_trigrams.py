"""The stand-in for pg_trgm: the real one's similarities, and indexes that do no harm."""

from __future__ import annotations

import random

import psycopg
import pytest
from conftest import NewDatabase
from standins import Pair


def test_similarities_of_texts(pair: Pair) -> None:
    chance = random.Random(15)
    pieces = [*"abc1Z_-.é É漢ö🎉İ\n", "  ", "ab", "the", "word", "words"]
    needles, texts = [], []
    for _ in range(600):
        needle = "".join(chance.choices(pieces, k=chance.randrange(20)))
        rest = "".join(chance.choices(pieces, k=chance.randrange(40)))
        needles.append(needle)
        texts.append(rest + needle + rest[:3] if chance.random() < 0.3 else rest)
    operators = ["%%", "<%%", "%%>", "<<%%", "%%>>", "<->", "<<->", "<->>", "<<<->", "<->>>"]
    found = pair.same(
        f"""
        select show_trgm(a), show_trgm(b), similarity(a, b), word_similarity(a, b),
            word_similarity(b, a), strict_word_similarity(a, b), strict_word_similarity(b, a),
            {", ".join(f"a {operator} b" for operator in operators)}
        from unnest(%s::text[], %s::text[]) as t (a, b)
        """,
        needles,
        texts,
    )
    assert len(found) == 600


def test_thresholds(pair: Pair) -> None:
    query = """
        select show_limit(), array_agg(a % b), array_agg(a <% b), array_agg(a <<% b),
            array_agg(b %> a), array_agg(b %>> a)
        from unnest('{abc,abd abc,abcd the,xyz,word,two words}'::text[]) a,
            unnest('{abc,abd abc,abcd the,xyz,word,two words}'::text[]) b
        """
    try:
        pair.same(query)
        for limit in (0.3, 0.33333334, 0, 1, 1.5, -0.1):
            pair.same("select set_limit(%s)", limit)
            pair.same(query)
        for setting in ("similarity", "word_similarity", "strict_word_similarity"):
            for value in ("0.2", "0.5", "0.8", "1"):
                pair.execute(f"set pg_trgm.{setting}_threshold = {value}")
                pair.same(query)
        pair.stand_in.execute("set pg_trgm.similarity_threshold = 2")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="outside the valid range"):
            pair.stand_in.execute("select 'a' % 'b'")
    finally:
        pair.execute("reset all")


ROWS = """
insert into {0} select i, repeat(md5(i::text), i % 4), 'M' || i, array[(i % 50)::text],
    left(md5(i::text), i % 9) from generate_series(1, 6000) i;
insert into {0} (id, name) values (null, null), (1, ''), (2, repeat('x', 100000));
update {0} set name = name || 'é' where id % 3 = 0;
delete from {0} where id % 7 = 0;
"""
INDEXES = """
create index on indexed using gin (name gin_trgm_ops);
create index on indexed using gin (tags, name gin_trgm_ops, mail gin_trgm_ops)
    with (fastupdate = off);
create index on indexed using gin (lower(name) gin_trgm_ops) where id > 5;
create index on indexed using gist (name gist_trgm_ops);
create index on indexed using gist (short gist_trgm_ops (siglen = 256), mail gist_trgm_ops)
    where id > 5;
create index on indexed using gist (name gist_trgm_ops) include (id)
    with (buffering = on, fillfactor = 20);
create index on indexed using gist (int4range(id, id + 1), name gist_trgm_ops);
"""
QUERIES = [
    "select count(*) from {} where name like '%abc%'",
    "select count(*) from {} where name ilike '%ABC%' and id > 5",
    "select count(*) from {} where name ~ 'a.c' and tags @> array['7']",
    "select count(*), sum(id) from {} where id > 5",
    "select count(*) from {} where name is null",
    "select count(*) from {} where int4range(id, id + 1) && int4range(10, 99) and name ~ 'a'",
    "select count(*) from {} where name = ''",
    "select id from {} where short % 'c4ca' order by short <-> 'c4ca', id limit 5",
]


def test_indexes_take_rows_and_give_every_answer(new_database: NewDatabase, offered: str) -> None:
    """Beside other operator classes and types, partial, with options; after updates, deletes,
    vacuum, and when they are built anew."""
    columns = "(id int, name text, mail citext, tags text[], short varchar(20))"
    with psycopg.connect(new_database(), options=offered, autocommit=True) as connection:

        def run(statement: str) -> list[tuple[object, ...]]:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

        run("create extension citext; create extension pg_trgm")
        run(f"create table plain {columns}; create table indexed {columns}; {INDEXES}")
        run(ROWS.format("plain") + ROWS.format("indexed"))
        run("set enable_seqscan = off; set min_parallel_table_scan_size = 0")
        for upkeep in ("vacuum analyze", "reindex table concurrently", "vacuum full"):
            run(f"{upkeep} indexed")
            for query in QUERIES:
                assert run(query.format("indexed")) == run(query.format("plain")), (upkeep, query)
        named = "from pg_opclass where opcname ~ 'trgm|citext'"
        assert run(f"select count(*), bool_and(amvalidate(oid)) {named}") == [(5, True)]


def test_no_query_uses_them_but_those_of_other_columns(
    new_database: NewDatabase, offered: str
) -> None:
    with psycopg.connect(new_database(), options=offered, autocommit=True) as connection:
        connection.execute(
            """
            create extension pg_trgm;
            create table notes (name text, tags text[]);
            create index alone on notes using gin (name gin_trgm_ops);
            create index near on notes using gist (name gist_trgm_ops);
            create index shared on notes using gin (tags, name gin_trgm_ops);
            set enable_seqscan = off;
            """
        )
        for query, used in [
            ("select from notes where name like '%abc%'", None),
            ("select from notes where name % 'abc'", None),
            ("select from notes order by name <-> 'abc'", None),
            ("select from notes where tags @> array['a'] and name ~ 'abc'", "shared"),
        ]:
            plan = str(connection.execute(f"explain {query}".encode()).fetchall())
            assert (used in plan) if used else (" using " not in plan), plan
            assert "Index Scan on alone" not in plan and "Index Scan on near" not in plan, plan
