"""`db.rls --org`: the SQL files that open tables to the members of an organization."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import NewDatabase, copy, with_tables
from proofs import report, tried, verdicts
from service import Service
from steps import ORDER, SQL

from twolane.config import Config
from twolane.errors import Failure
from twolane.facts import catalog
from twolane.guards import locks
from twolane.prove import member_files, organizations, policy_files, policy_text
from twolane.repo.sqlfiles import SqlFile

MODELS = """
from sqlalchemy import CheckConstraint


class Organizations(UUIDKey, Timestamps, AppBase):
    __tablename__ = "organizations"

    name: Mapped[str]
    created_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(AuthUsers.id))


class Memberships(Timestamps, AppBase):
    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role in ('owner', 'admin', 'member')", name="role"),)

    org_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(Organizations.id, ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(AuthUsers.id, ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(server_default="member")


class Conversations(UUIDKey, Timestamps, AppBase):
    __tablename__ = "conversations"

    org_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Organizations.id, ondelete="CASCADE"))
    title: Mapped[str]


class ChatMessages(UUIDKey, Timestamps, AppBase):
    __tablename__ = "chat_messages"

    conversation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(Conversations.id, ondelete="CASCADE")
    )
    body: Mapped[str]


class Papers(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "papers"

    org_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Organizations.id, ondelete="CASCADE"))
    conversation_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(Conversations.id))


class Invitations(UUIDKey, Timestamps, AppBase):
    __tablename__ = "invitations"

    org_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Organizations.id, ondelete="CASCADE"))
    email: Mapped[str]
    role: Mapped[str] = mapped_column(server_default="member")


class Settings(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "drafts"

    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Conversations.id))


class Clubs(UUIDKey, Timestamps, AppBase):
    __tablename__ = "clubs"


class Players(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "players"

    club_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(Clubs.id))
"""
TABLES = ["organizations", "memberships", "conversations", "invitations", "papers", "chat_messages"]
FILES = ["20_members_of_organizations.sql", *(f"20_rls_{name}.sql" for name in TABLES)]
USERS = [f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n in range(3)]


@pytest.fixture(scope="module")
def opened_up(
    ready_service: Service, lasting_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The tables of `MODELS` in the database, to be copied."""
    folder = tmp_path_factory.mktemp("orgs") / "crm"
    return with_tables(ready_service, MODELS, folder, lasting_database)


@pytest.fixture
def orgs(opened_up: Service, new_database: NewDatabase, tmp_path: Any) -> Service:
    return copy(opened_up, tmp_path / "crm", new_database)


def listed(service: Service) -> list[str]:
    return service.read(ORDER).partition("@migrations\n")[2].split()


def test_organizations_are_opened_to_their_members_and_proven(orgs: Service) -> None:
    result = orgs.invoke("db.rls", "--org", "memberships.org_id")

    assert "organizations: public.organizations\n" in result.out
    assert "members: public.memberships, its user_id a user, its org_id → " in result.out
    assert "roles: public.memberships.role; owner and admin may manage members\n" in result.out
    assert "public.drafts may be each user's own; if not: invoke db.rls public.drafts --org" in (
        result.text
    )
    assert sorted(listed(orgs)) == sorted(FILES)
    assert listed(orgs)[:3] == FILES[:3]
    texts = [SqlFile(name, orgs.read(f"{SQL}/{name}"), name) for name in FILES]
    holding = locks.find(orgs.folder, list(map(locks.of_file, texts)))
    assert {finding.level for finding in holding} == {"warning"}, "an index on a new table"
    lines = [line for file in texts for line in file.text.splitlines()]
    assert [line for line in lines if len(line) > 100 and "index" not in line] == []

    orgs.invoke("db.apply")
    orgs.invoke("db.apply", *(part for name in FILES for part in ("--file", name)))
    orgs.invoke("db.sync")
    assert orgs.invoke("db.gen").out == "✓ No schema changes.\n"
    assert json.loads(orgs.invoke("db.status", "--json").out)["next"] == "nothing to do"
    found = report(orgs)
    assert found["proven"] and not found["undecided"] and not found["uncalled"]
    understood = {table["table"]: table["understood"] for table in found["tables"]}
    assert understood["public.organizations"] == "its members in public.memberships"
    assert understood["public.papers"] == "org_id, of public.organizations"
    assert understood["public.chat_messages"] == "conversation_id, of public.conversations"
    own = {
        (cell["object"].removeprefix("public."), cell["operation"]): cell["verdict"]
        for cell in found["matrix"]
        if (cell["who"], cell["rows"]) == ("user A", "own")
    }
    for table in TABLES:
        commands = ["select", "update"] if table == "organizations" else [
            "select", "insert", "update", "delete"
        ]  # fmt: skip
        assert {own[table, command] for command in commands} == {"allowed"}, table
    assert own["organizations", "insert"] == own["organizations", "delete"] == "denied"

    again = orgs.invoke("db.rls", "--org", "memberships.org_id", code=1)
    assert "All 7 files for the members of public.organizations are there." in again.err
    named = orgs.invoke("db.rls", "--org", "memberships.org_id", "drafts", "--read-only")
    assert named.out.count("✓ Wrote") == 1 and listed(orgs)[-1] == "20_rls_drafts.sql"
    hurt = orgs.invoke("db.rls", "papers", "--org", "papers.org_id", code=1)
    assert "supabase/sql/20_rls_papers.sql exists already" in hurt.err
    roles(orgs)


def roles(service: Service) -> None:
    """What each role of a member may do, tried by hand; nobody may call the functions."""
    owner, admin, member = USERS
    with psycopg.connect(service.env["DATABASE_URL"]) as connection:

        def tried(user: str, statement: str) -> int | str:
            with connection.transaction(force_rollback=True):
                connection.execute("set local role authenticated")
                connection.execute("select set_config('request.jwt.claim.sub', %s, true)", [user])
                try:
                    with connection.transaction():
                        return connection.execute(statement.encode()).rowcount
                except psycopg.errors.InsufficientPrivilege as error:
                    return str(error.diag.message_primary).split(" ")[0]

        for user in USERS:
            connection.execute("insert into auth.users (id) values (%s)", [user])
        connection.execute("insert into organizations (name) values ('a'), ('b')")
        for user, role in zip(USERS, ("owner", "admin", "member"), strict=True):
            connection.execute(
                "insert into memberships (org_id, user_id, role)"
                " select id, %s, %s from organizations where name = 'a'",
                [user, role],
            )
        promote = "update memberships set role = '{}' where user_id = '{}'"
        assert tried(member, "select from memberships") == 3
        assert tried(member, "select from organizations") == 1
        assert tried(member, promote.format("admin", member)) == 0
        assert tried(admin, promote.format("admin", member)) == 1
        assert tried(admin, promote.format("owner", admin)) == "new"
        assert tried(admin, promote.format("member", owner)) == 0
        assert tried(owner, promote.format("owner", admin)) == 1
        assert tried(member, "delete from memberships") == 1, "who leaves takes nobody along"
        assert tried(admin, "delete from memberships") == 2, "not the owner"
        insert = "insert into invitations (org_id, email) select id, 'x' from organizations"
        assert tried(member, insert) == "new"
        assert tried(admin, insert) == 1
        assert (
            tried(admin, insert.replace("email)", "email, role)").replace("'x'", "'x', 'owner'"))
            == "new"
        )
        assert tried(owner, "select private.my_organizations()") == "permission"
        connection.rollback()


@pytest.mark.parametrize(
    ("org", "message", "first"),
    [
        ("membership.org_id", "no table membership; near it: public.memberships.",
         "invoke db.rls --org public.memberships.org_id"),
        ("memberships.orgid", "public.memberships has no column orgid",
         "invoke db.rls --org public.memberships.org_id"),
        ("memberships.user_id", "says which user, not which organization",
         "invoke db.rls --org public.memberships.org_id"),
        ("papers.user_id", "says which user", "invoke db.rls --org public.papers.org_id"),
        ("conversations.title", "public.conversations.title refers to no organization",
         "--org public.conversations.org_id"),
        ("clubs.id", "public.players has user_id and club_id, but is not unique in both",
         'UniqueConstraint("club_id", "user_id")'),
        ("chat_messages.id", "No table has the members of public.chat_messages", "app.py"),
    ],
)  # fmt: skip
def test_what_is_no_organization_says_why(
    opened_up: Service, org: str, message: str, first: str
) -> None:
    result = opened_up.invoke("db.rls", "--org", org, code=1)
    assert message in result.err
    assert first in result.err.partition("First:")[2]
    assert listed(opened_up) == []


AUTH = "uuid not null references auth.users"
SHAPES = {
    # Numbers as keys, a flag, and odd names; a column that says who made it.
    "flag": (
        'create table "Clubs" (id bigint generated always as identity primary key,'
        f" user_id {AUTH}, name text);"
        'create table "Club members" (club bigint references "Clubs",'
        f" user_id {AUTH}, is_admin boolean not null default false, unique (user_id, club));"
        'create table games (id serial primary key, club bigint not null references "Clubs",'
        f' guest bigint references "Clubs", user_id {AUTH}, score int);',
        '"Club members".club',
    ),
    # No role; profiles stand for users, and have an organization that they like best.
    "plain": (
        "create table groups (id uuid primary key default gen_random_uuid(), name text);"
        "create table profiles (id uuid primary key references auth.users,"
        " default_group uuid references groups);"
        "create table group_users (group_id uuid references groups, profile_id uuid references"
        " profiles, primary key (profile_id, group_id));"
        "create table posts (id uuid primary key default gen_random_uuid(), group_id uuid not null"
        " references groups, author uuid not null references profiles, text text);",
        "groups.id",
    ),
    # An enum in capitals, a chain of parents, a table that takes a role.
    "roles": (
        "create type rank as enum ('VIEWER', 'ADMIN', 'OWNER');"
        "create table teams (id uuid primary key default gen_random_uuid(), parent uuid references"
        f" teams); create table staff (team uuid references teams, user_id {AUTH}, role rank not"
        " null default 'VIEWER', primary key (team, user_id));"
        "create table boards (id uuid primary key default gen_random_uuid(), team uuid not null"
        " references teams on delete cascade);"
        "create table cards (id uuid primary key default gen_random_uuid(), board uuid not null"
        " references boards on delete cascade, above uuid references cards);"
        "create table notes (card uuid not null references cards, board uuid not null references"
        " boards, text text not null);",
        "staff",
    ),
}


REFUSED = {
    "wide_members.org": ("part of a key of several columns (tenant, org)", "key of one column"),
    "two.id": ("public.two has several tables of members: public.two_a.two or", "public.two_a.two"),
    "two_a.two": ("", ""),
    "two_a": ("", ""),
    "nothing": ("There is no table nothing.", "invoke db.rls --org memberships.org_id"),
    "loose": ("public.loose alone does not say which of its columns", "public.loose.two_id"),
}


def test_what_is_not_plain_is_asked_for(new_database: NewDatabase, platform: str) -> None:
    with psycopg.connect(new_database(platform), autocommit=True) as connection:
        connection.execute(
            "create table wide (tenant int, id int, primary key (tenant, id));"
            f"create table wide_members (tenant int, org int, user_id {AUTH},"
            " foreign key (tenant, org) references wide, primary key (tenant, org, user_id));"
            "create table two (id uuid primary key); create table loose (two_id uuid references"
            " two);"
            f"create table two_a (two uuid references two, user_id {AUTH}, primary key (two,"
            f" user_id)); create table two_b (two uuid references two, user_id {AUTH},"
            " unique (two, user_id))".encode()
        )
        around = surroundings(connection)
    for org, (message, first) in REFUSED.items():
        if not message:
            assert organizations.find(org, around).members.name == "public.two_a"
            continue
        with pytest.raises(Failure) as refused:
            organizations.find(org, around)
        assert message in refused.value.message and first in refused.value.first
    lane_a = replace(around, app=frozenset())
    with pytest.raises(Failure, match="all are lane A's, and so are their policies"):
        member_files.of("two_a.two", [], lane_a, None, False, ())
    with pytest.raises(Failure, match=r"private\.my_two\(\) is there already"):
        member_files.of("two_a.two", [], around, None, False, ["function private.my_two()"])
    with pytest.raises(Failure, match=r"Nothing leads from public\.wide to public\.two"):
        member_files.of("two_a.two", ["wide"], around, None, False, ())


CLOSED = {(name, "insert"): "denied" for name in ('public."Clubs"', "public.groups",
          "public.group_users", "public.teams")}  # fmt: skip


def surroundings(connection: psycopg.Connection[Any]) -> policy_text.Surroundings:
    config = Config(Path(), Path(), "crm", 18, {}, {})
    facts = catalog.read(connection)
    named = policy_files.read(config, connection, facts, frozenset())
    return replace(named, app=frozenset(table.name for table in named.schema.tables))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_holds(new_database: NewDatabase, platform: str, shape: str) -> None:
    sql, org = SHAPES[shape]
    database = new_database(platform)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.encode())
        around = surroundings(connection)
        files = member_files.of(org, [], around, None, False, ())
        for text in [*files.texts.values(), *files.texts.values()]:
            connection.execute(f"begin;{text};commit".encode())
    found = tried(database, "select")
    assert [found[name] for name in ("findings", "gaps", "undecided", "uncalled")] == [[]] * 4
    opened = {name.partition("_rls_")[2] for name in files.texts if "_rls_" in name}
    shown = {t["table"] for t in found["tables"]} - set(found["closed"])
    assert len(shown) == len(opened)
    for table in shown:
        own = verdicts(found, table, "own")
        assert own["select"] == "allowed", table
        assert own["insert"] == CLOSED.get((table, "insert"), "allowed"), table
