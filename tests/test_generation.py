"""Lane B writes every change that `app.py` can say, both ways, and then has nothing to say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from generation import NO_CHANGES, assert_reversible, evolve, notes, write
from service import DEV_MARKERS, Service, clean_environment
from steps import add_sql


def definition(service: Service, name: str) -> str:
    ((found,),) = service.sql(
        "select coalesce((select pg_get_constraintdef(oid) from pg_constraint where conname = %s),"
        " (select indexdef from pg_indexes where indexname = %s))",
        name,
        name,
    )
    return str(found)


def default(service: Service, column: str) -> str:
    ((found,),) = service.sql(
        "select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on"
        " attrelid = adrelid and attnum = adnum where adrelid = 'notes'::regclass and attname = %s",
        column,
    )
    return str(found)


PERCENT = """
a: Mapped[str] = mapped_column(server_default=text("'50%'"))
b: Mapped[str | None] = mapped_column(server_default=func.concat("5%", "%%"))
c: Mapped[str | None] = mapped_column(Computed("a || '%'", persisted=True))
d: Mapped[str | None] = mapped_column(server_default="70% :of 12:30")
__table_args__ = (
    CheckConstraint("a <> '100%'", name="pct"),
    Index("by_b", "b", postgresql_where=text("a like '%x'")),
    Index("by_a", text("(a || '%')")),
)
"""


def test_percent_signs_and_colons_stay_what_they_are(service: Service) -> None:
    evolve(service, notes(PERCENT))
    assert [default(service, column) for column in "abcd"] == [
        "'50%'::text",
        "concat('5%', '%%')",
        "(a || '%'::text)",
        "'70% :of 12:30'::text",
    ]
    assert definition(service, "notes_pct_check") == "CHECK ((a <> '100%'::text))"
    assert "'%x'" in definition(service, "by_b") and "'%'" in definition(service, "by_a")

    write(service, notes("a: Mapped[str] = mapped_column(server_default=text(\"'60%'\"))"))
    service.invoke("db.gen", "-m", "drop them")
    plan = service.invoke("db.push", "--dry-run").out
    assert "set default '60%'::text" in plan and "%%" not in plan.partition("The facts")[0]
    assert_reversible(service)


def test_what_postgres_prints_alike_is_no_change(service: Service) -> None:
    add_sql(service, "15_codes.sql", "create sequence if not exists public.s;\n")
    service.invoke("db.apply")
    service.invoke("db.sync")
    defaults = {
        "str": ["md5(random()::text)", "to_char(clock_timestamp(), 'YYYY')"],
        "str | None": ["current_setting('app.tenant', true)", "auth.jwt() ->> 'sub'"],
        "int": ["nextval('public.s')", "1 + 1"],
        "float": ["random() * 10"],
        "datetime.datetime": ["now() + interval '1 day'"],
    }
    every = [(kind, words) for kind, each in defaults.items() for words in each]
    columns = "\n".join(
        f"c{n}: Mapped[{kind}] = mapped_column(server_default=text({words!r}))"
        for n, (kind, words) in enumerate(every)
    )
    evolve(service, notes(columns))
    assert len(service.revisions()) == 1


MONEY = """
n: Mapped[{type}] = mapped_column({kind}server_default="0")
status: Mapped[str] = mapped_column(sa.String(9), server_default="{status}")
total: Mapped[{type}] = mapped_column({kind}Computed("n * 2", persisted=True))
__table_args__ = (
    CheckConstraint("n >= {least}", name="n"),
    CheckConstraint("status in ('old', '{status}')", name="status"),
    CheckConstraint("total < {most}", name="total"),
    Index("by_total", "total", postgresql_where=text("n > {least}")),
    UniqueConstraint("n", "status"),
)
"""


def test_checks_defaults_and_what_hangs_on_a_type_are_written_both_ways(service: Service) -> None:
    first = MONEY.format(type="int", kind="", status="old", least=0, most=9)
    second = MONEY.format(type="Decimal", kind="Numeric(12, 2), ", status="late", least=1, most=9)
    evolve(service, notes(first))
    service.sql("insert into notes (n) values (3)")
    evolve(service, notes(second))
    assert default(service, "n") == "'0'::numeric"
    assert default(service, "status") == "'late'::character varying"
    assert "(1)::numeric" in definition(service, "notes_n_check")
    assert service.sql("select total::text from notes") == [("6.00",)]
    service.sql("delete from notes")
    evolve(service, notes("n: Mapped[str]\nstatus: Mapped[uuid.UUID | None]"))
    assert_reversible(service)


MOOD = """
mood: Mapped[Mood] = mapped_column(Enum(Mood, name="mood"), server_default="good")
moods: Mapped[list[Mood] | None] = mapped_column(postgresql.ARRAY(Enum(Mood, name="mood")))
fine: Mapped[bool | None] = mapped_column(Computed("mood = 'good'", persisted=True))
__table_args__ = (
    CheckConstraint("mood <> 'bad'", name="mood"),
    Index("by_mood", "mood", postgresql_where=text("mood = 'good'")),
    Index("by_fine", "fine"),
)
"""


def moods(*labels: str, body: str = MOOD) -> str:
    members = "".join(f'    {label} = "{label}"\n' for label in labels)
    return notes(body, f"class Mood(enum.Enum):\n{members}")


def test_labels_of_an_enum_come_get_another_name_and_go(service: Service) -> None:
    evolve(service, moods("good", "bad"))
    service.sql("insert into notes (moods) values ('{good,bad}')")
    added = evolve(service, moods("good", "soso", "bad"))
    assert "add value 'soso' after 'good'" in added.partition("def downgrade")[0]
    renamed = evolve(service, moods("great", "soso", "bad", body=MOOD.replace("good", "great")))
    assert "rename value 'good' to 'great'" in renamed and "drop" not in renamed
    used = MOOD.replace("<> 'bad'", "<> 'ugly'").replace("good", "great")
    evolve(service, moods("great", "soso", "bad", "ugly", body=used))
    evolve(service, moods("bad", "great", body=MOOD.replace("good", "great")))
    assert service.sql("select mood::text, moods::text, fine from notes") == [
        ("great", "{great,bad}", True)
    ]
    assert_reversible(service)


NEAR_MOODS = """
seen: Mapped[str] = mapped_column(Enum({seen}, name="seen"))
status: Mapped[str] = mapped_column(Enum({status}, name="status"))
kind: Mapped[str] = mapped_column(
    Enum("open", "done", name="status_kind"), server_default="{kind}"
)
level: Mapped[str] = mapped_column(Enum("{low}", "high", name="Level"), server_default="{low}")
levels: Mapped[list[str]] = mapped_column(
    postgresql.ARRAY(Enum("{low}", "high", name="Level")), server_default='{{"{low}",high}}'
)
least: Mapped[bool | None] = mapped_column(Computed("level = '{low}'", persisted=True))
"""
MORE = """
seen_by: Mapped[list[str]] = mapped_column(
    postgresql.ARRAY(Enum({seen}, name="seen")), server_default="{{}}"
)
"""


def test_a_label_that_is_a_part_of_another_name_lets_its_type_change_in_place(
    service: Service,
) -> None:
    first = {"seen": "'me'", "status": "'open'", "kind": "open", "low": "low"}
    evolve(service, notes(NEAR_MOODS.format(**first)))
    service.sql("insert into notes (seen, status) values ('me', 'open')")
    then = {"seen": "'me', 'public'", "status": "'open', 'done'", "kind": "done", "low": "at least"}
    made = evolve(service, notes((NEAR_MOODS + MORE).format(**then))).partition("def downgrade")[0]
    assert "alter type public.seen add value 'public' after 'me'" in made
    assert "alter type public.status add value 'done' after 'open'" in made
    assert "rename value 'low' to 'at least'" in made
    assert "__old" not in made and "drop" not in made and made.count("set default") == 1
    assert service.sql("select level::text, levels::text, least from notes") == [
        ("at least", '{"at least",high}', True)
    ]


WORDS = """
kind: Mapped[str] = mapped_column(sa.String({length}))
date: Mapped[str] = mapped_column(sa.String({length}))
lower: Mapped[str] = mapped_column(sa.String({length}))
month: Mapped[str] = mapped_column(sa.String({length}))
level: Mapped[str] = mapped_column(Enum({labels}, name="level"))
at: Mapped[datetime.datetime] = mapped_column(postgresql.TIMESTAMP)
body: Mapped[str]
a: Mapped[str | None] = mapped_column(Computed("lower(body) || ' kind'", persisted=True))
b: Mapped[str | None] = mapped_column(
    Computed("extract(month from at::date)::text", persisted=True)
)
c: Mapped[str | None] = mapped_column(Computed('upper("lower")', persisted=True))
__table_args__ = (
    CheckConstraint("body <> 'level'", name="words"),
    CheckConstraint("level <> 'low' and body <> ''", name="levels"),
    Index("level", "body"),
)
"""


def test_a_column_whose_name_is_a_word_of_another_expression_takes_nothing_along(
    service: Service,
) -> None:
    evolve(service, notes(WORDS.format(length=9, labels="'low', 'high'")))
    made = evolve(service, notes(WORDS.format(length=19, labels="'high', 'low'")))
    there = made.partition("def downgrade")[0]
    dropped = set(re.findall(r"drop (?:column|constraint|index) (\S+?)[\"\n]", there))
    assert dropped == {"c", "notes_levels_check"}


TYPES = """
class Money(TypeDecorator[Decimal]):
    impl = Numeric(10, 2)
    cache_ok = True

    def __init__(self, currency: str) -> None:
        self.currency = currency
        super().__init__()


class Bits(UserDefinedType[str]):
    cache_ok = True

    def __init__(self, length: int) -> None:
        self.length = length

    def get_col_spec(self, **_: object) -> str:
        return f"bit({self.length})"
"""
ODD = """
kind: Mapped[str] = mapped_column(
    Enum({kinds}, name="kind", native_enum=False, create_constraint=True)
)
price: Mapped[Decimal] = mapped_column(Money("eur"))
prices: Mapped[list[Decimal] | None] = mapped_column(postgresql.ARRAY(Money("eur")))
"""
CIRCLE = """
class A(UUIDKey, AppBase):
    __tablename__ = "a"

    b_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("b.id"))


class B(UUIDKey, AppBase):
    __tablename__ = "b"

    a_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("a.id"))
    bits: Mapped[str] = mapped_column(Bits(5), index=True)
"""


def test_a_revision_has_types_as_they_are_stored_and_keys_in_a_circle(service: Service) -> None:
    made = evolve(service, notes(ODD.format(kinds="'a', 'b'"), TYPES) + CIRCLE)
    assert "db.schema" not in made and "sa.Numeric(precision=10, scale=2)" in made
    assert "'b'" in definition(service, "notes_kind_check")
    evolve(
        service,
        notes(
            ODD.format(kinds="'a', 'b', 'cc'") + "bits: Mapped[str | None] = "
            "mapped_column(Bits(3))",
            TYPES,
        )
        + CIRCLE,
    )
    assert "'cc'" in definition(service, "notes_kind_check")
    evolve(service, "")
    assert_reversible(service)


THINGS = """
class Notes(AppBase):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    body: Mapped[str] = mapped_column(index=True, unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("notes.id"))

    __table_args__ = (CheckConstraint("length(body) > 1", name="body"),)


class Lines(AppBase):
    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id"))
"""


def test_a_rename_keeps_the_rows_and_renames_what_carries_the_name(service: Service) -> None:
    evolve(service, THINGS)
    service.sql("insert into notes (body) values ('kept'); insert into lines values (1, 1)")
    column = THINGS.replace("body", "words")
    write(service, column)
    told = service.invoke("db.gen", "-m", "say it").out
    again = f"rm migrations/versions/{service.revisions()[-1].name} && invoke db.gen -m 'say it'"
    assert f"{again} --rename notes.body:notes.words\n" in told
    assert "! drop:notes.body   its data are lost for good; needs --allow drop:notes.body" in told
    service.revisions()[-1].unlink()

    made = evolve(service, column, "--rename", "notes.body:words")
    assert 'op.alter_column("notes", "body", new_column_name="words")' in made
    assert "import sqlalchemy" not in made and "please adjust" not in made
    table = column.replace('"notes', '"jottings').replace("class Notes", "class Jottings")
    both = table.replace("words", "body")
    evolve(service, both, "--rename", "notes:jottings", "--rename", "notes.words:jottings.body")
    assert service.sql("select id, body from jottings") == [(1, "kept")]
    names = service.sql(
        "select conname from pg_constraint where conrelid = 'jottings'::regclass and contype <> 'n'"
        " union all select indexname from pg_indexes where tablename = 'jottings'"
        " union all select pg_get_serial_sequence('jottings', 'id') order by 1"
    )
    assert {name for (name,) in names} == {
        "jottings_body_check",
        "jottings_body_idx",
        "jottings_parent_id_fkey",
        "jottings_pkey",
        "public.jottings_id_seq",
    }
    assert_reversible(service)


def test_another_name_of_an_index_and_a_check_is_a_change(service: Service) -> None:
    said = """
        a: Mapped[str] = mapped_column(unique=True)
        __table_args__ = (Index("NAME", "a"), CheckConstraint("a <> ''", name="NAME"))
    """
    evolve(service, notes(said.replace("NAME", "one")))
    text = evolve(service, notes(said.replace("NAME", "two")))
    assert text.count("rename") == 4 and "alter index public.one rename to two" in text
    assert definition(service, "two") and definition(service, "notes_two_check")
    assert_reversible(service)


def test_an_identity_in_place_of_a_serial_counts_on_and_so_does_the_serial_again(
    service: Service,
) -> None:
    body = """

class Orders(AppBase):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(sa.BigInteger, MORE primary_key=True)
    note: Mapped[str]
"""
    insert = "insert into orders (note) values ('x') returning id"
    evolve(service, body.replace("MORE ", ""))
    assert service.sql(insert) == [(1,)]
    evolve(service, body.replace("MORE", "Identity(always=True),"))
    assert service.sql(insert) == [(2,)]
    assert_reversible(service)
    service.invoke("db.downgrade", "--to", "-1")
    assert service.sql(insert) == [(3,)]
    service.invoke("db.push")
    assert service.sql(insert) == [(4,)]


def test_a_rename_that_does_not_fit_is_refused_in_words(pushed: Service) -> None:
    for asked, said in {
        "dev_markers.nix:dev_markers.title": "no table or column dev_markers.nix",
        "dev_markers.label:dev_markers.title": "app.py has no column dev_markers.title",
        "dev_markers.label:label": "is there before and after",
        "dev_markers": "names no pair",
    }.items():
        result = pushed.invoke("db.gen", "-m", "x", "--rename", asked, code=1)
        assert said in result.err, result.err
    assert len(pushed.revisions()) == 1


def test_what_postgres_refuses_is_located_in_app_py(service: Service) -> None:
    for line, said in {
        'b: Mapped[str] = mapped_column(server_default=text("nix()"))': "nix() does not exist",
        '__table_args__ = (CheckConstraint("nix > 0", name="n"),)': 'column "nix" does not exist',
        '__table_args__ = (Index("i", text("nix")),)': 'column "nix" does not exist',
        '__table_args__ = {"schema": "nix"}': "an SQL file, above @migrations",
    }.items():
        write(service, notes(f"a: Mapped[int]\n{line}"))
        number = service.read("src/crm/db/schema/app.py").splitlines().index(f"    {line}") + 1
        result = service.invoke("db.gen", "-m", "x", code=1)
        assert f"src/crm/db/schema/app.py:{number}: " in result.err and said in result.err


def test_an_empty_and_a_merged_revision_pass_the_services_own_linter(pushed: Service) -> None:
    pushed.invoke("db.gen", "--empty", "-m", "one")
    one = pushed.revisions()[-1]
    kept = one.read_text()
    one.unlink()
    pushed.invoke("db.gen", "--empty", "-m", "other")
    one.write_text(kept)
    pushed.invoke("db.gen", "--merge", "-m", "one again")
    for arguments in (("check",), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "migrations"],
            cwd=pushed.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
    pushed.invoke("db.push")
    assert pushed.invoke("db.gen", "-m", "x").out == NO_CHANGES


def test_a_consent_given_at_the_push_is_not_asked_for_again(service: Service) -> None:
    evolve(service, notes("n: Mapped[str]"))
    write(service, notes("n: Mapped[int]"))
    told = service.invoke("db.gen", "-m", "more").out
    assert "! narrow:notes.n " in told and "! rewrite:notes " in told
    assert locks(service) == ["error"]
    service.invoke("db.push", "--allow", "narrow:notes.n", "--allow", "rewrite:notes")
    assert locks(service) == []
    assert "Nothing to push" in service.invoke("db.push").out


def locks(service: Service) -> list[str]:
    """The levels of what G14 finds in the revisions."""
    told = json.loads(service.invoke("db.check", "--json", code=None).out)
    return [f["level"] for f in told["findings"] if f["code"] == "G14"]


EVENTS = """
class Events(AppBase):
    __tablename__ = "{name}"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[{body}] = mapped_column(index=True)

    __table_args__ = ({{"postgresql_partition_by": "RANGE (day)"}},)
"""
PART = "create table {exists} public.events_{n} partition of public.events for values from ({n}) to"


def test_partitions_follow_their_table_whoever_makes_them(service: Service) -> None:
    evolve(service, EVENTS.format(name="events", body="str"))
    service.invoke("db.gen", "--empty", "-m", "a part")
    service.edit_revision(f'op.execute("{PART.format(exists="", n=1)} (2)")')
    path = service.revisions()[-1]
    path.write_text(
        path.read_text().replace("    pass\n", '    op.execute("drop table events_1")\n')
    )
    service.invoke("db.push")
    add_sql(service, "20_part.sql", PART.format(exists="if not exists", n=2) + " (3);", after=True)
    service.invoke("db.apply")
    assert service.invoke("db.sync").out == NO_CHANGES
    evolve(service, EVENTS.format(name="events", body="str | None"))
    assert service.invoke("db.status").out.endswith("nothing to do\n")

    service.sql(PART.format(exists="", n=3) + " (4)")
    refused = service.invoke("db.gen", "-m", "x", code=2).err
    assert "G10" in refused and "partitions = [" in refused
    settings = service.read("pyproject.toml")
    named = '[tool.twolane]\npartitions = "events_*"\n'
    service.write("pyproject.toml", settings.replace("[tool.twolane]\n", named, 1))
    evolve(service, EVENTS.format(name="events", body="int | None"))
    assert service.invoke("db.sync", "--check").out == NO_CHANGES
    service.sql("drop table events_3")
    assert service.invoke("db.status").out.endswith("nothing to do\n")
    service.write("supabase/sql/20_part.sql", "select 1;\n")
    service.invoke("db.apply")
    evolve(service, "")
    assert_reversible(service)


def test_on_a_terminal_gen_asks_whether_a_rename_is_meant(pushed: Service) -> None:
    pushed.write_app(DEV_MARKERS.replace("label:", "title:"))
    keyboard, terminal = os.openpty()
    os.write(keyboard, b"y\n")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "db.gen", "-m", "title"],
        cwd=pushed.folder,
        env=clean_environment() | pushed.env,
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=120,
    )
    os.close(keyboard)
    os.close(terminal)
    assert "Is dev_markers.title what was dev_markers.label, renamed? [y/N]" in done.stdout
    assert 'new_column_name="title"' in pushed.revisions()[-1].read_text()
