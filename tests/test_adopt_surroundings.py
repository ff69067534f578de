"""`db.adopt` in different surroundings: other histories, servers, roles, poolers, names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import shared_schemas
import warm
from adopting import adopt, expect_repeatable, listed, newcomer, sql_of, untouched
from conftest import NewDatabase
from pooler import transaction_pooler
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from servers import PostgresServer, Server, running
from service import ROOT, Service

from twolane.postgres import session

LINKS = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import mapped_column

from .base import AppBase, UUIDKey
from .introspected import Albums


class Links(UUIDKey, AppBase):
    __tablename__ = "links"

    to = mapped_column(ForeignKey(Albums.id), index=True)
"""
ALBUMS = "create table public.albums (id bigint generated always as identity primary key);"

ALEMBIC = "create table public.alembic_version (version_num varchar(32) primary key);"
DRIZZLE = """
create schema drizzle;
create table drizzle.__drizzle_migrations (
  id serial primary key, hash text not null, created_at bigint);
"""
PRISMA = """
create table public._prisma_migrations (
  id varchar(36) primary key, checksum varchar(64) not null, migration_name varchar(255) not null);
"""
SUPABASE = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key);
"""

# What a file has to get through: names and texts that look like something else.
HOSTILE = """
create schema "Bad; drop table x; --";
create table "Bad; drop table x; --"."a
b" ("x
y" int primary key, "sel'ect" text default E'a\\r\\nb\\\\c''d', check ("x
y" <> 3));
alter table "Bad; drop table x; --"."a
b" enable row level security;
create policy "p
-- q" on "Bad; drop table x; --"."a
b" using ("sel'ect" <> '$$ end if; $do$');
create function public.from_windows() returns int language sql
  as E'select 1 -- x\\r\\n + length(''q\\\\'')\\r\\n';
create function public.looks_like_a_dump() returns text language sql as $x$select '
--
-- TOC entry 999 (class 1255 OID 1)
-- Name: evil; Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.evil() returns int language sql as $$select 1$$;

\\restrict abc
'$x$;
comment on function public.looks_like_a_dump() is E'line\\r\\none
-- TOC entry 998 (class 1255 OID 1)';
"""
# Functions need tables, tables need functions, views need both.
ENTANGLED = """
set check_function_bodies = off;
create table public."user" (id int primary key, "order" int, email text);
create function public.full_name(u public."user") returns text language sql stable
  as 'select u.email';
create table public.calls (
  id int primary key, caller public."user", name text default public.full_name(null));
create domain public.checked as int check (value is distinct from length(public.full_name(null)));
create table public.checks (c public.checked primary key);
create view public.named as select u.*, public.full_name(u) from public."user" u;
create view public.grouped as select u.id, u.email, count(*) from public."user" u group by u.id;
create function public.all_named() returns setof public.named language sql
  as 'select * from public.named';
create function public.peek() returns setof public.named language sql
  as 'select * from public.named where id in (select id from public.over)';
create view public.over as select * from public.all_named();
create materialized view public.stored as select * from public.over with no data;
create unique index stored_idx on public.stored (id);
create view public.round as select 1 as n;
create function public.round_n() returns setof public.round language sql
  begin atomic select * from public.round; end;
create or replace view public.round as select count(*)::int as n from public.round_n();
"""


Begin = Callable[..., Service]


@pytest.fixture
def begin(
    minimal_service: Service,
    new_database: NewDatabase,
    platform: str,
    server: PostgresServer,
    tmp_path: Path,
) -> Begin:
    """A fresh service whose database was there before it; without a URL, one with the stub."""

    def begin(statements: str = "", url: str = "") -> Service:
        url = url or new_database(platform)
        service = newcomer(minimal_service, tmp_path / "crm", url, server.get_uri())
        if statements:
            service.sql(statements)
        return service

    return begin


def build_on(service: Service) -> None:
    """Lane B adds a table with a foreign key into the adopted part."""
    service.invoke("db.apply")
    service.write("src/crm/db/schema/app.py", LINKS)
    service.invoke("db.gen", "-m", "links")
    service.invoke("db.push")
    assert "app.py, revisions and database agree" in service.invoke("db.status").out


# ── Histories ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statements", "file", "told"),
    [
        (
            ALEMBIC,
            "alembic/versions/1_first.py",
            "Alembic (public.alembic_version; alembic/versions/)",
        ),
        (DRIZZLE, "drizzle/0000_first.sql", "Drizzle (drizzle.__drizzle_migrations; drizzle/)"),
        (
            SUPABASE,
            "supabase/migrations/1_first.sql",
            "Supabase CLI (supabase_migrations.schema_migrations; supabase/migrations/)",
        ),
    ],
)
def test_the_history_of_another_tool_is_recognised_and_left_alone(
    begin: Begin, statements: str, file: str, told: str
) -> None:
    service = begin(ALBUMS + statements)
    (service.folder / file).parent.mkdir(parents=True)
    service.write(file, "-- by another tool\n")
    with untouched(service):
        adopted = service.invoke("db.adopt")
    assert f"Found, and left alone: {told}. See the guide: adopting.md" in adopted.out
    if statements == SUPABASE:
        page = (ROOT / "docs/adopting.md").read_text("utf-8")
        assert f"$ invoke db.adopt\n{adopted.out}```" in page
    assert "✓ Identical" in adopted.out
    assert service.read(file) == "-- by another tool\n"
    build_on(service)


def test_the_tables_of_other_histories_are_baseline(begin: Begin) -> None:
    service = begin(ALEMBIC + DRIZZLE + PRISMA)
    migration = service.folder / "prisma/migrations/20260101_init/migration.sql"
    migration.parent.mkdir(parents=True)
    migration.write_text("-- by another tool\n", "utf-8")
    assert adopt(service)["histories"] == [
        {"tool": "Alembic", "table": "public.alembic_version", "files": ""},
        {"tool": "Drizzle", "table": "drizzle.__drizzle_migrations", "files": ""},
        {
            "tool": "Prisma",
            "table": "public._prisma_migrations",
            "files": "prisma/migrations/",
        },
    ]
    models = service.read("src/crm/db/schema/introspected.py")
    assert "alembic_version" in models and "__drizzle_migrations" in models


def test_no_history_is_invented(begin: Begin) -> None:
    assert adopt(begin(ALBUMS))["histories"] == []


def test_an_existing_python_repo_takes_the_template_in(
    new_database: NewDatabase, platform: str, server: PostgresServer, tmp_path: Path
) -> None:
    """As the guide says: `copier copy --skip '*'`, then `[tool.twolane]`."""
    source, folder = tmp_path / "template", tmp_path / "shop"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", source / "template", ignore=ignored)
    shutil.copy(ROOT / "copier.yml", source)
    own = {
        "README.md": "# Shop\n",
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1.0"\n',
        "src/shop/__init__.py": "ANSWER = 42\n",
        "alembic/versions/1_first.py": "revision = '1'\n",
        ".gitignore": "*.log\n",
    }
    for name, text in own.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    answers = ["project_name=Shop", "package_name=shop", "starter=minimal", "ci=false"]
    data = [part for answer in answers for part in ("--data", answer)]
    copier = ["-m", "copier", "copy", "--quiet", "--defaults", "--skip", "*"]
    warm.run([*copier, *data, str(source), str(folder)]).check_returncode()
    assert {name: (folder / name).read_text() for name in own} == own
    with (folder / "pyproject.toml").open("a") as file:
        file.write('\n[tool.twolane]\npackage = "shop"\n')
    env = {"DATABASE_URL": new_database(platform), "SHADOW_DATABASE_URL": server.get_uri()}
    service = Service(folder, env)
    service.sql(ALBUMS + ALEMBIC)
    assert adopt(service)["identical"]
    service.invoke("db.apply")
    service.write("src/shop/db/schema/app.py", LINKS)
    service.invoke("db.gen", "-m", "links")
    service.invoke("db.push")
    assert service.sql("select to_regclass('public.links') is not null") == [(True,)]


# ── Names, texts, secrets ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("statements", [HOSTILE, ENTANGLED], ids=["hostile", "entangled"])
def test_names_texts_and_dependencies_of_any_kind_come_in(begin: Begin, statements: str) -> None:
    service = begin(statements)
    found = adopt(service)
    assert found["identical"], found["left"]
    expect_repeatable(service)
    with untouched(service):
        service.invoke("db.apply")


def test_functions_that_need_tables_come_after_them_and_before_what_needs_both(
    begin: Begin,
) -> None:
    service = begin(ENTANGLED)
    adopt(service)
    names = [name.partition("_")[2] for name in listed(service)]
    assert names == ["tables.sql", "keys.sql", "functions_on_tables.sql", "views.sql", "grants.sql"]
    (late,) = (service.folder / "supabase/sql").glob("*_functions_on_tables.sql")
    made = late.read_text()
    assert made.index("public.full_name(") < made.index("public.calls (") < made.index("checks (")


def test_roles_that_rights_name_are_made_where_they_are_missing(begin: Begin) -> None:
    """Without login and password: those are not the repo's."""
    service = begin(
        ALBUMS
        + """
        do $$ begin create role "Odd reader" login password 'hush'; exception
          when duplicate_object then null; end $$;
        grant select on public.albums to "Odd reader";
        create policy odd on public.albums to "Odd reader" using (true);
        alter default privileges for role "Odd reader" grant select on tables to anon;
        """
    )
    assert adopt(service)["identical"]
    assert 'CREATE ROLE "Odd reader" NOLOGIN' in sql_of(service)
    assert "hush" not in sql_of(service)


def test_secrets_of_servers_and_webhooks_are_not_written_and_told(begin: Begin) -> None:
    service = begin(
        ALBUMS
        + """
        create schema supabase_functions;
        create function supabase_functions.http_request() returns trigger language plpgsql
          as 'begin return new; end';
        create trigger hook after insert on public.albums for each row
          execute function supabase_functions.http_request('https://example.com', 'hush');
        create foreign data wrapper wrapper;
        create server away foreign data wrapper wrapper options (api_key 'hush');
        create user mapping for current_user server away options (password 'hush');
        """
    )
    found = adopt(service, code=3)
    everything = [p for p in service.folder.rglob("*") if p.is_file() and ".git" not in p.parts]
    assert not [path for path in everything if b"hush" in path.read_bytes()]
    reasons = {left["fact"]: left["reason"] for left in found["left"]}
    assert set(reasons) == {"server away", "trigger public.albums.hook"}
    assert all("secret" in reason for reason in reasons.values()), reasons
    build_on(service)


def test_what_the_stub_of_the_platform_lacks_is_left_out_and_told(begin: Begin) -> None:
    service = begin(
        ALBUMS
        + """
        create table auth.flow_state (id uuid primary key);
        create table public.visits (id int primary key, flow_id uuid references auth.flow_state);
        create view public.open_sessions as select id from auth.flow_state;
        create view public.counted as select count(*) from public.open_sessions;
        create function auth.lacking(int) returns boolean immutable language sql as 'select true';
        create table public.stays (z int, id int primary key, check (auth.lacking(z)));
        create table public.heir () inherits (public.stays);
        alter table only public.stays alter column z set statistics 500;
        alter table public.stays add constraint late check (id > 0) not valid;
        create table public.heiress () inherits (public.stays);
        create view public.on_stays as select id from public.stays;
        """
    )
    found = adopt(service, code=3)
    reasons = {left["fact"]: left["reason"] for left in found["left"]}
    assert (
        'relation "auth.flow_state" does not exist'
        in (reasons["constraint public.visits.visits_flow_id_fkey"])
    )
    assert {"view public.open_sessions", "view public.counted"} <= reasons.keys()
    assert "public.visits" in sql_of(service)
    assert "constraint public.stays.stays_z_check" in reasons
    assert not [fact for fact in reasons if "on_stays" in fact or "late" in fact], reasons
    made = sql_of(service)
    assert made.index("z integer") < made.index("id integer not null"), "in the order they have"
    with untouched(service):
        service.invoke("db.apply")
    build_on(service)


# ── Servers, roles, poolers ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["chinook", "supabase_slack_clone", "trigger_dev"])
def test_a_database_on_postgres_15_is_identical_on_the_shadow_of_18(
    begin: Begin, fifteen: Server, name: str
) -> None:
    service = begin(url=fifteen.new_database())
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:
        connection.execute(shared_schemas.script(name, 15))
    service.sql(
        ALBUMS
        + """
        grant all on public.albums to anon;
        grant all on all tables in schema public to service_role;
        alter default privileges in schema public grant all on tables to authenticated;
        create view public.both as select a.id from public.albums a where a.id > 1;
        alter table public.albums alter id set (n_distinct = -0.5);
        """
    )
    with untouched(service):
        found = adopt(service)
    assert found["identical"], found["left"]
    with untouched(service):
        service.invoke("db.apply")
    build_on(service)


def test_a_plain_postgres_without_supabase_comes_in(begin: Begin, fifteen: Server) -> None:
    """Its server has none of the roles of the shadow's stub."""
    with running(18) as plain:
        service = begin(ALBUMS, url=plain.new_database(platform=False))
        found = adopt(service)
        assert found["identical"], found["left"]
        with untouched(service):
            service.invoke("db.apply")
        build_on(service)


def test_schemas_of_ones_own_are_adopted_whatever_the_platform_calls_its_own(
    begin: Begin, new_database: NewDatabase
) -> None:
    """A Postgres that is not Supabase's has its own `auth`, `storage`, `cron`, `vault`, …"""
    service = begin(
        """
        create schema auth; create schema storage; create schema net; create schema cron;
        create schema vault; create schema realtime; create schema supabase_sync;
        create schema supabase_functions; create schema supabase_migrations;
        create table auth.accounts (id int primary key);
        create table auth.users (id bigint primary key, account int references auth.accounts);
        create function auth.stamp() returns trigger language plpgsql as 'begin return new; end';
        create trigger stamp before insert on auth.accounts
          for each row execute function auth.stamp('told');
        create function auth.uid() returns bigint language sql as 'select 1::bigint';
        create table supabase_functions.calls (id int primary key);
        create table supabase_migrations.moves (id int primary key);
        create table storage.files (id int primary key);
        create table net.hosts (id int primary key);
        create table cron.jobs (id int primary key);
        create table vault.keys (id int primary key);
        create table realtime.channels (id int primary key);
        create table supabase_sync.customers (id int primary key);
        """,
        url=new_database("template1"),
    )
    with untouched(service):
        found = adopt(service, "--record")
    assert found["identical"], found["left"]
    assert found["own_schemas"] == ["auth", "realtime", "storage", "vault"]
    assert found["left_out"] == []
    lock = service.read("supabase/schema.lock.json")
    for name in ("auth.users.account", "storage.files", "net.hosts", "cron.jobs", "vault.keys"):
        assert name in lock
    for name in ("auth.uid()", "supabase_functions.calls", "supabase_migrations.moves"):
        assert name in lock
    assert "stamp('told')" in sql_of(service)
    models = service.read("src/crm/db/schema/introspected.py")
    assert '"extend_existing": True' in models and '"exclude_properties"' in models
    assert "nothing to do" in service.invoke("db.status").out
    assert adopt_again(service)["own_schemas"] == found["own_schemas"]


def adopt_again(service: Service) -> dict[str, Any]:
    service.sql("drop schema twolane cascade")
    return adopt(service)


def test_rights_taken_from_what_an_extension_brought_are_named(begin: Begin) -> None:
    """Its functions are the superuser's who made it; `postgres` can't take rights on them."""
    service = begin(
        ALBUMS
        + """
        create extension vector with schema public;
        revoke execute on function public.vector_norm(public.vector) from public;
        grant execute on function public.vector_norm(public.vector) to service_role;
        """
    )
    found = adopt(service, code=3)
    assert not found["identical"]
    left = {each["fact"]: each["reason"] for each in found["left"]}
    reason = left["grant function public.vector_norm(public.vector) to public"]
    assert reason.startswith("an extension brought it, which a superuser made")
    with untouched(service):
        service.invoke("db.apply")


def test_what_stands_in_the_platforms_schemas_is_left_out_and_said(begin: Begin) -> None:
    service = begin(
        ALBUMS
        + """
        create function auth.tenant() returns uuid language sql as 'select auth.uid()';
        create table storage.extra (id int primary key);
        create sequence storage.counter;
        create type storage.pair as (a int, b int);
        grant select (email) on auth.users to authenticated;
        grant select on vault.decrypted_secrets to public;
        """
    )
    found = adopt(service)
    assert found["identical"] and found["own_schemas"] == []
    assert found["left_out"] == [
        "composite type storage.pair",
        "function auth.tenant()",
        "sequence storage.counter",
        "table storage.extra",
        "grant table auth.users to authenticated",
        "grant view vault.decrypted_secrets to public",
    ]
    assert "own_schemas" not in service.read("pyproject.toml")


def test_an_extension_that_the_shadow_lacks_is_named_with_what_needs_it(
    begin: Begin, fifteen: Server, sixteen: Server
) -> None:
    service = begin(url=fifteen.new_database())
    service.env["SHADOW_DATABASE_URL"] = sixteen.url()
    service.sql(
        """
        create extension hstore with schema extensions;
        create table public.tagged (
          id int primary key, tags extensions.hstore, more extensions.hstore[]);
        create index tagged_idx on public.tagged using gin (tags);
        """
    )
    failed = service.invoke("db.adopt", code=1)
    for named in (
        "hstore, for",
        "column tags of table public.tagged",
        "column more of table public.tagged",
        "index public.tagged_idx",
        "SHADOW_DATABASE_URL",
        "postgres = ",
    ):
        assert named in failed.err
    assert service.git("status", "--short") == ""


def test_an_extension_that_nothing_needs_is_written_for_servers_that_have_it(
    begin: Begin, fifteen: Server
) -> None:
    service = begin(ALBUMS, url=fifteen.new_database())
    service.sql("create extension sslinfo with schema extensions")
    found = adopt(service, code=3)
    assert [left["fact"] for left in found["left"]] == ["extension sslinfo"]
    assert "sslinfo" in sql_of(service)
    with untouched(service):
        service.invoke("db.apply")
    assert "Unmade" not in service.invoke("db.status").out
    assert "sslinfo" not in service.invoke("db.check", code=None).text
    build_on(service)


def test_a_password_travels_in_the_environment(begin: Begin) -> None:
    with running(18, password="hush-hush") as guarded:
        assert adopt(begin(ALBUMS, url=guarded.new_database(platform=False)))["identical"]


@pytest.fixture
def reader(begin: Begin) -> Service:
    """A service whose role may read some things and change nothing."""
    role = f"reader_{uuid4().hex}"
    service = begin(
        ALBUMS
        + f"""
        create table public.closed (id int primary key);
        create role {role} login;
        grant select on public.albums to {role};
        """
    )
    found: dict[str, Any] = conninfo_to_dict(service.env["DATABASE_URL"])
    url = f"postgresql://{role}@/{found['dbname']}?host={found['host']}"
    return Service(service.folder, service.env | {"DATABASE_URL": url})


def test_a_role_without_rights_is_told_which(reader: Service) -> None:
    failed = reader.invoke("db.adopt", code=1)
    assert "permission denied for table closed" in failed.err
    assert "the role that owns the tables" in failed.err
    assert reader.git("status", "--short") == ""


def test_a_role_that_may_only_read_can_adopt(reader: Service, server: PostgresServer) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        role = conninfo_to_dict(reader.env["DATABASE_URL"])["user"]
        connection.execute(
            sql.SQL("grant pg_read_all_data to {}").format(sql.Identifier(str(role)))
        )
    found = adopt(reader)
    assert found["identical"], found["left"]


def test_through_a_transaction_pooler_nothing_is_left_behind(begin: Begin) -> None:
    service = begin(ALBUMS)
    where: dict[str, Any] = conninfo_to_dict(service.env["DATABASE_URL"])
    with transaction_pooler(where["host"], where.get("port", 5432), where["dbname"]) as url:
        failed = service.invoke("db.adopt", code=1, DATABASE_URL=url)
        with psycopg.connect(url, prepare_threshold=None) as connection:
            assert connection.execute("show search_path").fetchone() != ("",)
            left = connection.execute("select count(*) from pg_prepared_statements").fetchone()
            assert left == (0,)
    assert "transaction pooler" in failed.err and "session" in failed.err
    assert service.git("status", "--short") == ""


@pytest.mark.parametrize(
    ("host", "port", "wanted"),
    [
        ("aws-0-eu-central-1.pooler.supabase.com", "6543", 5432),
        ("db.abcdefghijklmnop.supabase.co", "6543", 5432),
        ("aws-0-eu-central-1.pooler.supabase.com", "5432", "5432"),
    ],
)
def test_supabases_pooler_is_asked_for_a_session(
    server: PostgresServer, host: str, port: str, wanted: object
) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as direct:
        found, told = session.parameters({"host": host, "port": port}, direct)
    assert found == {"host": host, "port": wanted}
    assert bool(told) == (port == "6543")


def test_owners_and_a_public_made_anew_come_in_and_stay(
    begin: Begin, new_database: NewDatabase, platform: str
) -> None:
    """`public` was dropped and made by a role; objects have several owners."""
    role = f"app_{uuid4().hex[:8]}"
    service = begin(
        f"create role {role}; grant {role} to current_user; drop schema public cascade;"
        f"create schema public; alter schema public owner to {role};"
        "grant usage on schema public to anon, authenticated, service_role;"
        f"create role {role}_b;"
        + ALBUMS
        + f"create view public.seen as select id from public.albums;"
        f"alter view public.seen owner to {role}; grant select on public.albums to {role};"
    )
    found = adopt(service, "--record")
    assert found["identical"], found["left"]
    lock = service.read("supabase/schema.lock.json")
    service.invoke("db.sync")
    theirs = new_database(platform)
    service.invoke("db.bootstrap", DATABASE_URL=theirs)
    service.invoke("db.sync", DATABASE_URL=theirs)
    assert service.read("supabase/schema.lock.json") == lock, "it does not flip"
    service.invoke("db.sync")
    assert service.read("supabase/schema.lock.json") == lock
    service.sql("alter table public.albums owner to " + role)
    service.invoke("db.sync")
    assert "Mirror   fresh" in service.invoke("db.status").out


def test_procedures_that_differ_in_what_goes_out_and_grants_to_the_owner_come_in(
    begin: Begin, new_database: NewDatabase, platform: str
) -> None:
    role = f"other_{uuid4().hex[:8]}"
    service = begin(
        f"create role {role};"
        + ALBUMS
        + f"""
        create procedure public.act(a int, b int) language sql as 'select 1';
        create procedure public.act(a int, out b int) language sql as 'select 1';
        revoke all on procedure public.act(in int, in int) from public;
        comment on procedure public.act(in int, out int) is 'out';
        create table public.theirs (id int primary key);
        alter table public.theirs owner to {role};
        grant select on public.theirs to current_user;
        """
    )
    found = adopt(service)
    assert found["identical"], found["left"]
    owned = "grant select on table public.theirs to postgres"
    assert owned not in sql_of(service).lower(), "the files make it its owner's"
    with untouched(service):
        service.invoke("db.apply")
    service.sql("drop procedure public.act(in int, in int)")
    service.sql("grant execute on procedure public.act(in int, out int) to anon")
    service.invoke("db.capture", "--name", "99_act")
    service.invoke("db.apply")
    service.invoke("db.sync")
    assert "nothing to do" in service.invoke("db.status").out


def test_an_apply_that_another_owner_stops_ends_in_a_recorded_adoption(begin: Begin) -> None:
    role = f"app_{uuid4().hex[:8]}"
    service = begin(
        f"create role {role} login; grant all on schema public to {role};"
        f"grant anon, authenticated, service_role, pg_read_all_data to {role};"
        "create function public.of_another() returns int language sql as 'select 1';"
    )
    database = service.sql("select current_database()")[0][0]
    service.sql(f"grant create on database {database} to {role}; set role {role};" + ALBUMS)
    service.env["DATABASE_URL"] = service.env["DATABASE_URL"].replace("//postgres:", f"//{role}:")
    told = service.invoke("db.adopt").out
    assert "Next:  invoke db.adopt --record" in told
    failed = service.invoke("db.apply", code=1)
    assert "must be owner of function of_another" in failed.err
    assert "First:  invoke db.adopt --record" in failed.err
    adopt(service, "--record", code=0)
    assert "every SQL file is applied" in service.invoke("db.status").out
    assert "G11 history" in service.invoke("db.adopt", code=2).err


def test_a_public_that_a_reset_made_anew_comes_in(begin: Begin) -> None:
    service = begin(
        "drop schema public cascade; create schema public;"
        "grant all on schema public to postgres, anon, authenticated, service_role;" + ALBUMS
    )
    found = adopt(service)
    assert found["identical"], found["left"]
