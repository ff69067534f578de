"""The way from one state of the app's tables to another, as SQL."""

from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from conftest import FactsAfter, NewDatabase
from models_text import fact, foreign_key, table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from twolane.facts import catalog, identities
from twolane.migrations import enums
from twolane.migrations.alterations import Alterations
from twolane.migrations.declared_texts import settle
from twolane.migrations.generation import casting
from twolane.migrations.remade import columns_in
from twolane.migrations.wording import index, reparsable
from twolane.sql import literal


def test_a_type_changes_without_a_look_at_every_column_for_every_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, definition = 0, catalog.definition

    def counted(text: str) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return definition(text)

    monkeypatch.setattr(catalog, "definition", counted)
    counts = []
    for size in (10, 20):
        old = {
            identity: text
            for name in (f"public.t{n}" for n in range(size))
            for facts in (table(name, "a", "b"), foreign_key(name, "a", "public.t0"))
            for identity, text in facts.items()
        }
        before, new = looks, old | {"column public.t1.b": fact(type="integer")}
        way = Alterations(old, new, lambda old, new: "{0}::integer")
        assert [*way.first(), *way.columns(), *way.keys(), *way.last()] == [
            "alter table public.t1 alter column b type integer using b::integer"
        ]
        counts.append(looks - before)
    assert counts[1] <= 2 * counts[0]


CONDITIONS = [
    "n between 1 and 9 and name <> 'a(b'",
    "n not between 1 and 9 or n = 50",
    "(n, m) = (1, 2) and m > 0",
    "n between 1 and 9 and m between 1 and 9 and (n > 1 or m > 1 or n = m)",
    "n between symmetric 9 and 1 or m > 0",
    "not (n between 1 and 9 and m > 0) and name is not null",
    "case when n between 1 and 9 and m > 0 then name in ('a', 'b AND c') and m > 1 end",
    "name in ('a', 'b') and (n between 1 and 9 and m = 2) and m < 5",
]


def test_a_condition_is_written_so_that_postgres_prints_it_the_same(
    facts_after: FactsAfter,
) -> None:
    """The words that a fact has are what makes the same again."""
    made = 'create table notes (n int, m int, name varchar(9), "A AND B" boolean{})'
    first = facts_after(made.format("".join(f", check ({words})" for words in CONDITIONS)))
    printed = {i: t for i, t in first.items() if i.startswith("constraint public.notes.")}
    assert len(printed) == len(CONDITIONS)
    again = "".join(
        f", constraint {identities.own_name(i)} {reparsable(catalog.definition(t)['definition'])}"
        for i, t in printed.items()
    )
    assert facts_after(made.format(again)) == first


def test_a_value_becomes_an_array_of_one_and_an_array_json(new_database: NewDatabase) -> None:
    """Read as text, `x` is no array, and the empty array is an object of JSON."""
    tried: dict[tuple[str, str], list[tuple[str, str | None]]] = {
        ("text", "text[]"): [("'a,b'", '{"a,b"}'), ("null", None)],
        ("text", "integer[]"): [("'7'", "{7}")],
        ("integer", "bigint[]"): [("7", "{7}")],
        ("integer[]", "bigint"): [("'{7,8}'", "7"), ("'{}'", None)],
        ("text[]", "text"): [("'{a,b}'", "{a,b}")],
        ("text[]", "jsonb"): [("'{}'", "[]"), ("'{x,y}'", '["x", "y"]')],
        ("date", "jsonb"): [("'2026-01-02'", '"2026-01-02"')],
        ("text", "jsonb"): [("'{}'", "{}")],
        ("boolean", "json"): [("true", "true")],
    }
    with psycopg.connect(new_database("template1"), autocommit=True) as connection:
        casts, back = casting(connection), casting(connection, is_back=True)
        assert back("text[]", "text") == "{0}[1]::text" and back("text", "text[]") == "{0}::text[]"
        assert back("integer[]", "integer") == "{0}[1]::integer"
        for (old, new), rows in tried.items():
            using = casts(old, new).format("c")
            connection.execute(f"create temporary table t (c {old})".encode())
            for value, _ in rows:
                connection.execute(f"insert into t values ({value})".encode())
            words = f" using {using}" if using else ""
            connection.execute(f"alter table t alter c type {new}{words}".encode())
            got = [found for (found,) in connection.execute("select c::text from t")]
            assert got == [after for _, after in rows], (old, new, using)
            connection.execute("drop table t")


def test_a_colon_in_a_text_of_a_model_is_a_colon_and_how_an_index_is_built_no_part_of_it() -> None:
    clock = sa.text("a <> '12:30 \\:y :z' and n > :n and a::text <> ':z'").bindparams(n=5)
    table = sa.Table(
        "notes",
        sa.MetaData(),
        sa.Column("a", sa.Text, server_default=sa.text("':x'")),
        sa.Column("b", sa.Text, sa.Computed("a || ':x'")),
        sa.CheckConstraint(clock, name="c"),
        postgresql.ExcludeConstraint((sa.text("(a || ':x')"), "="), where=sa.text("a <> ':x'")),
    )
    index = sa.Index(
        "by_a",
        sa.func.lower(sa.text("a || ':x'")),
        _table=table,
        postgresql_where=sa.text("a <> ':x'"),
        postgresql_concurrently=True,
    )
    settle(table.metadata)
    settle(table.metadata)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = str(CreateTable(table).compile(dialect=dialect))
    assert "NULL" not in made and made.count("':x'") == 4
    assert "CHECK (a <> '12:30 :y :z' and n > 5 and a::text <> ':z')" in made
    assert str(CreateIndex(index).compile(dialect=dialect)) == (
        "CREATE INDEX by_a ON notes (lower(a || ':x')) WHERE a <> ':x'"
    )


ODD_LABELS = ["it's", 'a "b"', "c\\d", "{,}", "null", "", "two words", "Plain"]
ODD = """
create type "Mood" as enum ({labels}, 'stays');
create type "Moods" as enum ('Plain');
create domain humour as "Mood" default {one} check (value <> {one});
create table notes (
    a "Mood"[] default array[{labels}, 'stays']::"Mood"[], b humour, c "Moods" default 'Plain',
    d text default 'Plain' check (a[1] <> {one} and d <> 'x''::public."Mood"')
)
"""


def test_a_label_has_its_new_word_wherever_postgres_prints_it(facts_after: FactsAfter) -> None:
    def facts(end: str) -> catalog.Snapshot:
        labels = [literal(f"{label}{end}") for label in ODD_LABELS]
        return facts_after(ODD.format(labels=", ".join(labels), one=labels[0]))

    before, after = facts(""), facts(" now")
    for old, new in (before, after), (after, before):
        made = enums.with_new_labels(old, new)
        assert {i for i in new if made[i] != new[i]} == {'enum public."Mood"'}


ODD_NAMES = """
create table odd (
    kind varchar(9), date date, time time, zone text, "Name" text, "we ird" text, year int,
    "order" int, tags text[], j jsonb, "a.b" text, "q""q" int, hash text, room int, lower text,
    during tstzrange, month text generated always as (extract(month from date)::text) stored,
    check (kind <> 'date' and "Name" = any (array['kind', 'zone'])),
    check ("we ird" is not null or "order" between year and 3),
    check (tags[1] = 'kind' and j ->> 'zone' = "a.b" and "q""q" > extract(year from date)),
    check ((date::timestamp at time zone zone) > '2020-01-01'),
    check (coalesce(trim(both from zone), substring(hash from 1 for 2), "left"(zone, 2)) <> ''),
    check (make_interval(days => year) > '1 day' and zone collate "C" < 'b'),
    check (year::numeric(10, 2) > 1 and kind::character(3) = 'it''s "Name"'),
    exclude using hash (hash with =), check (room > 1), unique (kind, zone) include (hash)
);
create index odd_1 on odd using hash (hash) where zone is not null;
create unique index kind on odd (lower(kind) text_pattern_ops desc, zone collate "C")
    include (hash) with (fillfactor = 70) where "Name" = 'zone';
create index room on odd using gin (to_tsvector('simple', zone), j jsonb_path_ops);
"""
PRINTED = """
with printed (catalog, id, own, text) as (
    select 'pg_constraint', oid, 0, pg_get_constraintdef(oid) from pg_constraint
    union all select 'pg_class', indexrelid, 0, pg_get_indexdef(indexrelid) from pg_index
        where indexrelid not in (select conindid from pg_constraint)
    union all select 'pg_attrdef', oid, adnum, pg_get_expr(adbin, adrelid) from pg_attrdef
)
select text, array_agg(distinct quote_ident(attname)) from printed
join pg_depend on classid = catalog::regclass and objid = id and refobjsubid not in (0, own)
join pg_attribute on attrelid = refobjid and attnum = refobjsubid
where refobjid = 'odd'::regclass group by catalog, id, text
"""


def test_the_columns_of_a_definition_are_those_that_postgres_knows(
    new_database: NewDatabase,
) -> None:
    with psycopg.connect(new_database(), autocommit=True) as connection:
        connection.execute(ODD_NAMES.encode())
        made = connection.execute(
            "select quote_ident(attname) from pg_attribute where attrelid = 'odd'::regclass"
        )
        every = {name for (name,) in made}
        found = connection.execute(PRINTED).fetchall()
    assert len(found) == 14
    for text, known in found:
        assert every & set(columns_in(text)) == set(known), text


@pytest.mark.parametrize(
    ("printed", "made"),
    [
        ("a ON ONLY public.t USING btree (b)", "a ON public.t USING btree (b)"),
        ('"x ON ONLY y" ON ONLY public.t USING btree (b)', '"x ON ONLY y" ON public.t USING b'),
        ("a ON t USING btree (b) WHERE (b <> ' ON ONLY ')",) * 2,
        ('"x ON ONLY y" ON t USING btree (b)',) * 2,
    ],
)
def test_an_index_comes_to_all_partitions_and_its_texts_stay(printed: str, made: str) -> None:
    for start in "CREATE INDEX ", "CREATE UNIQUE INDEX ":
        assert index({"definition": f"{start}{printed}"}).startswith(f"{start}{made}")
