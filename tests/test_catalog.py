"""The snapshot: every kind of object is seen, and nothing but what changed is said to have changed.

Each mutation is applied to a database and taken back: the difference must name exactly the facts
concerned, and then none. The comparison and the lock file are tested as pure functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from conftest import NewDatabase, database_name
from hypothesis import given
from hypothesis import strategies as st

from tasks import catalog
from tasks.catalog import Change

GROUND = """
create table public.t (
  id bigint generated always as identity primary key,
  a int, b text, c numeric(10, 2) default 1.5, body jsonb, during tstzrange
);
create table public.child (id int primary key, t_id bigint);
create table public.parted (id int, k int not null, label text) partition by list (k);
create table public.part_1 partition of public.parted for values in (1);
create table public.base (id int, label text);
create table public.heir (more int) inherits (public.base);
create table public.typed_later (a int, b text);
create table public."Odd.T ""x"" y" ("Col.umn" int, "to b" int);
create view public.v as select id, a from public.t;
create materialized view public.mv as select a, count(*) as n from public.t group by a;
create index mv_a_idx on public.mv (a);
create index t_b_idx on public.t (b);
create unique index t_a_key on public.t (a);
create sequence public.s;
create type public.mood as enum ('sad', 'happy');
create domain public.email as text;
create type public.pair as (x int, y text);
create type public.span as range (subtype = float8);
create function public.f(x int) returns int language sql as 'select x';
create function public.touch() returns trigger language plpgsql as 'begin return new; end';
create function public.on_ddl() returns event_trigger language plpgsql as 'begin end';
create function public.later(x anyelement, y anyelement) returns boolean
  language sql immutable as 'select true';
create function public.pair_text(p public.pair) returns text
  language sql immutable as 'select p.y';
create procedure public.p() language sql as 'select 1';
create trigger t_touch before update on public.t for each row execute function public.touch();
create rule t_rule as on delete to public.child do instead nothing;
create policy t_all on public.t to authenticated using (a = 1);
create statistics public.st (dependencies) on a, b from public.t;
create foreign data wrapper nowhere;
create server elsewhere foreign data wrapper nowhere;
create foreign table public.ft (id int) server elsewhere;
create publication pub;
create text search configuration public.cfg (copy = simple);
create text search dictionary public.dict (template = simple);
create collation public.coll (locale = 'C');
create schema side;
alter table public.child add constraint child_t_fkey foreign key (t_id) references public.t (id);
comment on table public.t is 'before';
"""


@dataclass(frozen=True)
class Mutation:
    """Statements, their undoing, and the facts that differ: `+ added`, `- removed`, `~ changed`."""

    apply: str
    undo: str
    facts: str


M = Mutation
MUTATIONS = {
    # Tables
    "table": M(
        "create table public.n (id int)",
        "drop table public.n",
        "+ column public.n.id, + table public.n",
    ),
    "table rename": M(
        "alter table public.typed_later rename to renamed",
        "alter table public.renamed rename to typed_later",
        """- column public.typed_later.a, - column public.typed_later.b, - table public.typed_later,
        + column public.renamed.a, + column public.renamed.b, + table public.renamed""",
    ),
    "unlogged": M(
        "alter table public.base set unlogged",
        "alter table public.base set logged",
        "~ table public.base",
    ),
    "storage parameter": M(
        "alter table public.t set (fillfactor = 70)",
        "alter table public.t reset (fillfactor)",
        "~ table public.t",
    ),
    "toast parameter": M(
        "alter table public.t set (toast.autovacuum_enabled = false)",
        "alter table public.t reset (toast.autovacuum_enabled)",
        "~ table public.t",
    ),
    "replica identity": M(
        "alter table public.t replica identity full",
        "alter table public.t replica identity default",
        "~ table public.t",
    ),
    "clustered on an index": M(
        "alter table public.t cluster on t_b_idx",
        "alter table public.t set without cluster",
        "~ index public.t.t_b_idx",
    ),
    "clustered on a key": M(
        "alter table public.child cluster on child_pkey",
        "alter table public.child set without cluster",
        "~ constraint public.child.child_pkey",
    ),
    "table of a type": M(
        "create table public.typed of public.pair",
        "drop table public.typed",
        "+ table public.typed, + column public.typed.x, + column public.typed.y",
    ),
    "table to another schema": M(
        "alter table public.typed_later set schema side",
        "alter table side.typed_later set schema public",
        """- column public.typed_later.a, - column public.typed_later.b, - table public.typed_later,
        + column side.typed_later.a, + column side.typed_later.b, + table side.typed_later""",
    ),
    # Columns
    "column": M(
        "alter table public.t add d date",
        "alter table public.t drop d",
        "+ column public.t.d",
    ),
    "column rename": M(
        "alter table public.t rename body to content",
        "alter table public.t rename content to body",
        "- column public.t.body, + column public.t.content",
    ),
    "column type": M(
        "alter table public.t alter c type numeric(12, 2)",
        "alter table public.t alter c type numeric(10, 2)",
        "~ column public.t.c",
    ),
    "column default": M(
        "alter table public.t alter c set default 2",
        "alter table public.t alter c set default 1.5",
        "~ column public.t.c",
    ),
    "not null": M(
        "alter table public.t alter b set not null",
        "alter table public.t alter b drop not null",
        "~ column public.t.b",
    ),
    "column collation": M(
        'alter table public.base alter label type text collate "C"',
        "alter table public.base alter label type text",
        "~ column public.base.label, ~ column public.heir.label",
    ),
    "column storage": M(
        "alter table public.t alter b set storage external",
        "alter table public.t alter b set storage extended",
        "~ column public.t.b",
    ),
    "column statistics": M(
        "alter table public.t alter b set statistics 500",
        "alter table public.t alter b set statistics -1",
        "~ column public.t.b",
    ),
    "column options": M(
        "alter table public.t alter b set (n_distinct = 5)",
        "alter table public.t alter b reset (n_distinct)",
        "~ column public.t.b",
    ),
    "column compression": M(
        "alter table public.t alter b set compression pglz",
        "alter table public.t alter b set compression default",
        "~ column public.t.b",
    ),
    "generated column": M(
        "alter table public.t add twice int generated always as (a * 2) stored",
        "alter table public.t drop twice",
        "+ column public.t.twice",
    ),
    "generated column to a plain one": M(
        """alter table public.t add twice int generated always as (a * 2) stored;
        alter table public.t alter twice drop expression""",
        "alter table public.t drop twice",
        "+ column public.t.twice",
    ),
    "identity kind": M(
        "alter table public.t alter id set generated by default",
        "alter table public.t alter id set generated always",
        "~ column public.t.id",
    ),
    "identity options": M(
        "alter table public.t alter id set increment 10",
        "alter table public.t alter id set increment 1",
        "~ column public.t.id",
    ),
    "identity dropped": M(
        "alter table public.t alter id drop identity",
        "alter table public.t alter id add generated always as identity",
        "~ column public.t.id",
    ),
    "view column default": M(
        "alter view public.v alter a set default 7",
        "alter view public.v alter a drop default",
        "~ column public.v.a",
    ),
    # Constraints
    "check": M(
        "alter table public.t add constraint positive check (a > 0)",
        "alter table public.t drop constraint positive",
        "+ constraint public.t.positive",
    ),
    "check not valid": M(
        """alter table public.t add constraint positive check (a > 0);
        alter table public.t drop constraint positive;
        alter table public.t add constraint positive check (a > 0) not valid""",
        "alter table public.t drop constraint positive",
        "+ constraint public.t.positive",
    ),
    "check on a parent": M(
        "alter table public.base add constraint positive check (id > 0)",
        "alter table public.base drop constraint positive",
        "+ constraint public.base.positive",
    ),
    "unique": M(
        "alter table public.t add constraint one unique nulls not distinct (b)",
        "alter table public.t drop constraint one",
        "+ constraint public.t.one",
    ),
    "primary key of a partitioned table": M(
        "alter table public.parted add constraint parted_pkey primary key (k)",
        """alter table public.parted drop constraint parted_pkey;
        alter table public.part_1 alter k set not null""",
        "+ constraint public.parted.parted_pkey",
    ),
    "exclusion": M(
        "alter table public.t add constraint apart exclude using gist (during with &&)",
        "alter table public.t drop constraint apart",
        "+ constraint public.t.apart",
    ),
    "foreign key action": M(
        """alter table public.child drop constraint child_t_fkey;
        alter table public.child add constraint child_t_fkey foreign key (t_id)
          references public.t (id) on delete cascade""",
        """alter table public.child drop constraint child_t_fkey;
        alter table public.child add constraint child_t_fkey foreign key (t_id)
          references public.t (id)""",
        "~ constraint public.child.child_t_fkey",
    ),
    "deferrable": M(
        "alter table public.child alter constraint child_t_fkey deferrable initially deferred",
        "alter table public.child alter constraint child_t_fkey not deferrable",
        "~ constraint public.child.child_t_fkey",
    ),
    "foreign key of a partitioned table": M(
        "alter table public.parted add constraint fk foreign key (id) references public.child",
        "alter table public.parted drop constraint fk",
        "+ constraint public.parted.fk",
    ),
    "constraint rename": M(
        "alter table public.child rename constraint child_pkey to child_key",
        "alter table public.child rename constraint child_key to child_pkey",
        "- constraint public.child.child_pkey, + constraint public.child.child_key",
    ),
    "fillfactor of a key's index": M(
        "alter index public.child_pkey set (fillfactor = 50)",
        "alter index public.child_pkey reset (fillfactor)",
        "~ constraint public.child.child_pkey",
    ),
    # Indexes
    "index": M(
        "create index t_lower_idx on public.t (lower(b) desc nulls last) include (a) where a > 1",
        "drop index public.t_lower_idx",
        "+ index public.t.t_lower_idx",
    ),
    "index of a partitioned table": M(
        "create index parted_label_idx on public.parted (label)",
        "drop index public.parted_label_idx",
        "+ index public.parted.parted_label_idx",
    ),
    "index of a partition alone": M(
        "create index part_label_idx on public.part_1 (label)",
        "drop index public.part_label_idx",
        "+ index public.part_1.part_label_idx",
    ),
    "index statistics": M(
        """create index t_sum_idx on public.t ((a + 1));
        alter index public.t_sum_idx alter column 1 set statistics 300""",
        "drop index public.t_sum_idx",
        "+ index public.t.t_sum_idx",
    ),
    "index of a materialized view": M(
        "drop index public.mv_a_idx",
        "create index mv_a_idx on public.mv (a)",
        "- index public.mv.mv_a_idx",
    ),
    "replica identity by an index": M(
        """alter table public.t alter a set not null;
        alter table public.t replica identity using index t_a_key""",
        """alter table public.t replica identity default;
        alter table public.t alter a drop not null""",
        "~ column public.t.a, ~ index public.t.t_a_key",
    ),
    # RLS, policies, triggers, rules
    "rls": M(
        "alter table public.t enable row level security",
        "alter table public.t disable row level security",
        "+ rls public.t",
    ),
    "rls forced": M(
        "alter table public.t force row level security",
        "alter table public.t no force row level security",
        "+ rls public.t",
    ),
    "policy": M(
        "create policy mine on public.t as restrictive for update using (a = 2) with check (a = 3)",
        "drop policy mine on public.t",
        "+ policy public.t.mine",
    ),
    "policy roles": M(
        "alter policy t_all on public.t to authenticated, anon",
        "alter policy t_all on public.t to authenticated",
        "~ policy public.t.t_all",
    ),
    "policy expression": M(
        "alter policy t_all on public.t using (a = 2)",
        "alter policy t_all on public.t using (a = 1)",
        "~ policy public.t.t_all",
    ),
    "policy on a platform table": M(
        "create policy mine on storage.objects to authenticated using (true)",
        "drop policy mine on storage.objects",
        "+ policy storage.objects.mine",
    ),
    "trigger": M(
        """create constraint trigger late after insert on public.t deferrable initially deferred
        for each row when (new.a > 1) execute function public.touch()""",
        "drop trigger late on public.t",
        "+ trigger public.t.late",
    ),
    "trigger disabled": M(
        "alter table public.t disable trigger t_touch",
        "alter table public.t enable trigger t_touch",
        "~ trigger public.t.t_touch",
    ),
    "trigger on a platform table": M(
        """create trigger welcome after insert on auth.users
        for each row execute function public.touch()""",
        "drop trigger welcome on auth.users",
        "+ trigger auth.users.welcome",
    ),
    "trigger on a partitioned table": M(
        """create trigger late after insert on public.parted
        for each row execute function public.touch()""",
        "drop trigger late on public.parted",
        "+ trigger public.parted.late",
    ),
    "event trigger": M(
        """create event trigger ddl on ddl_command_end when tag in ('CREATE TABLE')
        execute function public.on_ddl()""",
        "drop event trigger ddl",
        "+ event trigger ddl",
    ),
    "event trigger disabled": M(
        """create event trigger ddl on ddl_command_end execute function public.on_ddl();
        alter event trigger ddl disable""",
        "drop event trigger ddl",
        "+ event trigger ddl",
    ),
    "rule": M(
        "create rule quiet as on insert to public.child where new.id < 0 do instead nothing",
        "drop rule quiet on public.child",
        "+ rule public.child.quiet",
    ),
    "rule disabled": M(
        "alter table public.child disable rule t_rule",
        "alter table public.child enable rule t_rule",
        "~ rule public.child.t_rule",
    ),
    # Views
    "view": M(
        "create view public.w with (security_invoker) as select a from public.t",
        "drop view public.w",
        "+ column public.w.a, + view public.w",
    ),
    "view definition": M(
        "create or replace view public.v as select id, a from public.t where a > 1",
        "create or replace view public.v as select id, a from public.t",
        "~ view public.v",
    ),
    "view options": M(
        "alter view public.v set (security_invoker = true)",
        "alter view public.v reset (security_invoker)",
        "~ view public.v",
    ),
    "view options with a check": M(
        "create view public.w as select a from public.t where a > 1 with local check option",
        "drop view public.w",
        "+ column public.w.a, + view public.w",
    ),
    "materialized view": M(
        "drop materialized view public.mv",
        """create materialized view public.mv as select a, count(*) as n from public.t group by a;
        create index mv_a_idx on public.mv (a)""",
        """- column public.mv.a, - column public.mv.n, - index public.mv.mv_a_idx,
        - materialized view public.mv""",
    ),
    # Routines
    "function body": M(
        "create or replace function public.f(x int) returns int language sql as 'select x + 1'",
        "create or replace function public.f(x int) returns int language sql as 'select x'",
        "~ function public.f(integer)",
    ),
    "function settings": M(
        "alter function public.f(int) security definer stable set search_path = ''",
        "alter function public.f(int) security invoker volatile reset search_path",
        "~ function public.f(integer)",
    ),
    "function overload": M(
        "create function public.f(x text, variadic y text[]) returns int language sql return 1",
        "drop function public.f(text, text[])",
        """+ function public.f(text, text[]),
        + grant function public.f(text, text[]) to public""",
    ),
    "procedure": M(
        "drop procedure public.p()",
        "create procedure public.p() language sql as 'select 1'",
        "- procedure public.p(), - grant procedure public.p() to public",
    ),
    "aggregate": M(
        "create aggregate public.total (int) (sfunc = int4pl, stype = int, initcond = '0')",
        "drop aggregate public.total (int)",
        """+ aggregate public.total(integer), + grant aggregate public.total(integer) to public""",
    ),
    # Types
    "enum": M(
        "create type public.size as enum ('s', 'm')",
        "drop type public.size",
        "+ enum public.size, + grant enum public.size to public",
    ),
    "enum label renamed": M(
        "alter type public.mood rename value 'sad' to 'blue'",
        "alter type public.mood rename value 'blue' to 'sad'",
        "~ enum public.mood",
    ),
    "domain check": M(
        "alter domain public.email add constraint has_at check (value like '%@%')",
        "alter domain public.email drop constraint has_at",
        "+ constraint public.email.has_at",
    ),
    "domain default and not null": M(
        "alter domain public.email set default 'a@b'; alter domain public.email set not null",
        "alter domain public.email drop default; alter domain public.email drop not null",
        "~ domain public.email",
    ),
    "composite type": M(
        "alter type public.pair add attribute z date",
        "alter type public.pair drop attribute z",
        "~ composite type public.pair, + column public.pair.z",
    ),
    "composite type's attribute": M(
        "alter type public.pair alter attribute y type varchar(9)",
        "alter type public.pair alter attribute y type text",
        "~ column public.pair.y",
    ),
    "range type": M(
        "create type public.dates as range (subtype = date)",
        "drop type public.dates",
        "+ range type public.dates, + grant range type public.dates to public",
    ),
    "base type": M(
        "create type public.shell",
        "drop type public.shell",
        "+ type public.shell, + grant type public.shell to public",
    ),
    # Sequences
    "sequence": M(
        "alter sequence public.s increment 5 cycle",
        "alter sequence public.s increment 1 no cycle",
        "~ sequence public.s",
    ),
    "sequence owner column": M(
        "alter sequence public.s owned by public.child.id",
        "alter sequence public.s owned by none",
        "~ sequence public.s",
    ),
    # Partitions and inheritance
    "partition": M(
        "create table public.part_2 partition of public.parted for values in (2)",
        "drop table public.part_2",
        """+ table public.part_2, + column public.part_2.id, + column public.part_2.k,
        + column public.part_2.label""",
    ),
    "partition bound": M(
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 for values in (1, 3)""",
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 for values in (1)""",
        "~ table public.part_1",
    ),
    "inheritance": M(
        "alter table public.heir no inherit public.base",
        "alter table public.heir inherit public.base",
        "~ table public.heir, ~ column public.heir.id, ~ column public.heir.label",
    ),
    # The rest
    "schema": M("create schema extra", "drop schema extra", "+ schema extra"),
    "extension": M(
        "create extension vector with schema extensions",
        "drop extension vector",
        "+ extension vector",
    ),
    "publication": M(
        "alter publication pub set (publish = 'insert')",
        "alter publication pub set (publish = 'insert, update, delete, truncate')",
        "~ publication pub",
    ),
    "publication table": M(
        "alter publication pub add table public.child (id) where (id > 1)",
        "alter publication pub drop table public.child",
        "+ publication table pub public.child",
    ),
    "publication schema": M(
        "alter publication pub add tables in schema side",
        "alter publication pub drop tables in schema side",
        "+ publication schema pub side",
    ),
    "table in Supabase's publication": M(
        "alter publication supabase_realtime add table public.child",
        "alter publication supabase_realtime drop table public.child",
        "+ publication table supabase_realtime public.child",
    ),
    "statistics": M(
        "alter statistics public.st set statistics 400",
        "alter statistics public.st set statistics -1",
        "~ statistics object public.st",
    ),
    "foreign data wrapper": M(
        "alter foreign data wrapper nowhere options (a '1')",
        "alter foreign data wrapper nowhere options (drop a)",
        "~ foreign-data wrapper nowhere",
    ),
    "foreign server": M(
        "alter server elsewhere options (host 'x')",
        "alter server elsewhere options (drop host)",
        "~ server elsewhere",
    ),
    "foreign table": M(
        "alter foreign table public.ft options (name 'x')",
        "alter foreign table public.ft options (drop name)",
        "~ foreign table public.ft",
    ),
    "foreign table's column": M(
        "alter foreign table public.ft alter id options (name 'x')",
        "alter foreign table public.ft alter id options (drop name)",
        "~ column public.ft.id",
    ),
    "user mapping": M(
        "create user mapping for anon server elsewhere options (password 'hush')",
        "drop user mapping for anon server elsewhere",
        "+ user mapping anon on server elsewhere",
    ),
    "cast": M(
        "create cast (public.pair as text) with function public.pair_text(public.pair)",
        "drop cast (public.pair as text)",
        "+ cast (public.pair AS pg_catalog.text)",
    ),
    "operator": M(
        """create operator public.=== (leftarg = anyelement, rightarg = anyelement,
        function = public.later)""",
        "drop operator public.=== (anyelement, anyelement)",
        "+ operator public.===(pg_catalog.anyelement,pg_catalog.anyelement)",
    ),
    "operator class": M(
        "create operator class public.ints for type int4 using btree as operator 1 <",
        "drop operator family public.ints using btree",
        """+ operator class public.ints USING btree, + operator family public.ints USING btree,
        + operator of access method operator 1 (integer, integer) of public.ints USING btree""",
    ),
    "text search configuration": M(
        "alter text search configuration public.cfg drop mapping for email",
        "alter text search configuration public.cfg add mapping for email with simple",
        "~ text search configuration public.cfg",
    ),
    "text search dictionary": M(
        "alter text search dictionary public.dict (accept = false)",
        "alter text search dictionary public.dict (accept)",
        "~ text search dictionary public.dict",
    ),
    "text search parser and template": M(
        """create text search template public.tmpl (lexize = dsimple_lexize);
        create text search parser public.prs (start = prsd_start, gettoken = prsd_nexttoken,
          end = prsd_end, lextypes = prsd_lextype)""",
        "drop text search template public.tmpl; drop text search parser public.prs",
        "+ text search template public.tmpl, + text search parser public.prs",
    ),
    "collation": M(
        "create collation public.numeric_order (locale = 'POSIX')",
        "drop collation public.numeric_order",
        "+ collation public.numeric_order",
    ),
    "conversion": M(
        "create conversion public.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
        "drop conversion public.conv",
        "+ conversion public.conv",
    ),
    "access method": M(
        "create access method heap2 type table handler heap_tableam_handler",
        "drop access method heap2",
        "+ access method heap2",
    ),
    "language": M(
        "create language pl2 handler plpgsql_call_handler",
        "drop language pl2",
        "+ language pl2, + grant language pl2 to public",
    ),
    "transform": M(
        """create function public.into_sql(internal) returns internal
          language internal immutable as 'prsd_start';
        create transform for int language plpgsql
          (from sql with function public.into_sql(internal))""",
        """drop transform for int language plpgsql; drop function public.into_sql(internal)""",
        """+ transform for integer language plpgsql, + function public.into_sql(internal),
        + grant function public.into_sql(internal) to public""",
    ),
    # Grants, by kind of object
    "grant on a table": M(
        "grant select, insert on public.t to anon with grant option",
        "revoke all on public.t from anon; revoke all on public.t from current_user;"
        "grant all on public.t to current_user",
        "+ grant table public.t to anon",
    ),
    "grant on a column": M(
        "grant select (a) on public.t to anon",
        "revoke select (a) on public.t from anon",
        "+ grant column public.t.a to anon",
    ),
    "grant on a view": M(
        "grant select on public.v to anon",
        "revoke select on public.v from anon",
        "+ grant view public.v to anon",
    ),
    "grant on a sequence": M(
        "grant usage on sequence public.s to anon",
        "revoke usage on sequence public.s from anon",
        "+ grant sequence public.s to anon",
    ),
    "grant on an identity's sequence": M(
        "grant usage on sequence public.t_id_seq to anon",
        "revoke usage on sequence public.t_id_seq from anon",
        "+ grant sequence public.t_id_seq to anon",
    ),
    "grant on a function": M(
        "revoke execute on function public.f(int) from public",
        "grant execute on function public.f(int) to public",
        "- grant function public.f(integer) to public",
    ),
    "grant on a schema": M(
        "grant usage on schema side to anon",
        "revoke usage on schema side from anon",
        "+ grant schema side to anon",
    ),
    "grant on a type": M(
        "revoke usage on type public.mood from public",
        "grant usage on type public.mood to public",
        "- grant enum public.mood to public",
    ),
    "grant on a domain": M(
        "grant usage on domain public.email to anon",
        "revoke usage on domain public.email from anon",
        "+ grant domain public.email to anon",
    ),
    "grant on a foreign server": M(
        "grant usage on foreign server elsewhere to anon",
        "revoke usage on foreign server elsewhere from anon",
        "+ grant server elsewhere to anon",
    ),
    "grant on a wrapper": M(
        "grant usage on foreign data wrapper nowhere to anon",
        "revoke usage on foreign data wrapper nowhere from anon",
        "+ grant foreign-data wrapper nowhere to anon",
    ),
    "revoked from the owner": M(
        "revoke delete on public.t from current_user",
        "grant delete on public.t to current_user",
        "+ grant table public.t to postgres",
    ),
    "default privileges": M(
        "alter default privileges in schema public grant select on tables to anon",
        "alter default privileges in schema public revoke select on tables from anon",
        """+ default privileges for postgres in schema public on tables,
        + grant default privileges for postgres in schema public on tables to anon""",
    ),
    "default privileges everywhere": M(
        "alter default privileges revoke execute on functions from public",
        "alter default privileges grant execute on functions to public",
        """+ default privileges for postgres on functions,
        + grant default privileges for postgres on functions to postgres""",
    ),
    # Owners, comments
    "owner": M(
        "alter table public.t owner to anon",
        "alter table public.t owner to postgres",
        "+ owner table public.t",
    ),
    "owner of a function": M(
        "alter function public.f(int) owner to anon",
        "alter function public.f(int) owner to postgres",
        "+ owner function public.f(integer)",
    ),
    "owner of a schema": M(
        "alter schema side owner to anon",
        "alter schema side owner to postgres",
        "+ owner schema side",
    ),
    "comment": M(
        "comment on table public.t is 'after'",
        "comment on table public.t is 'before'",
        "~ comment table public.t",
    ),
    "comments on what is on a table": M(
        """comment on column public.t.a is 'x'; comment on policy t_all on public.t is 'x';
        comment on trigger t_touch on public.t is 'x'; comment on index public.t_b_idx is 'x';
        comment on constraint child_pkey on public.child is 'x';
        comment on rule t_rule on public.child is 'x'""",
        """comment on column public.t.a is null; comment on policy t_all on public.t is null;
        comment on trigger t_touch on public.t is null; comment on index public.t_b_idx is null;
        comment on constraint child_pkey on public.child is null;
        comment on rule t_rule on public.child is null""",
        """+ comment column public.t.a, + comment policy public.t.t_all,
        + comment trigger public.t.t_touch, + comment index public.t.t_b_idx,
        + comment constraint public.child.child_pkey, + comment rule public.child.t_rule""",
    ),
    "comments on objects without a fact of their own": M(
        """comment on index public.child_pkey is 'x';
        comment on sequence public.t_id_seq is 'x'""",
        """comment on index public.child_pkey is null;
        comment on sequence public.t_id_seq is null""",
        "+ comment index public.child.child_pkey, + comment sequence public.t_id_seq",
    ),
    "comments on types and routines": M(
        """comment on type public.mood is 'x'; comment on domain public.email is 'x';
        comment on function public.f(int) is 'x'; comment on schema side is 'x';
        comment on extension plpgsql is 'x'""",
        """comment on type public.mood is null; comment on domain public.email is null;
        comment on function public.f(int) is null; comment on schema side is null;
        comment on extension plpgsql is null""",
        """+ comment enum public.mood, + comment domain public.email,
        + comment function public.f(integer), + comment schema side""",
    ),
    # Names that need quotes
    "hostile names": M(
        """alter table public."Odd.T ""x"" y" alter "Col.umn" set default 1;
        create index "in.dex" on public."Odd.T ""x"" y" ("to b");
        grant select ("to b") on public."Odd.T ""x"" y" to anon""",
        """alter table public."Odd.T ""x"" y" alter "Col.umn" drop default;
        drop index public."in.dex"; revoke select ("to b") on public."Odd.T ""x"" y" from anon""",
        """~ column public."Odd.T ""x"" y"."Col.umn", + index public."Odd.T ""x"" y"."in.dex",
        + grant column public."Odd.T ""x"" y"."to b" to anon""",
    ),
}

NO_CHANGE = {
    "rows": "insert into public.t (a) values (1)",
    "a sequence's position": "select nextval('public.s')",
    "statistics of rows": "analyze public.t",
    "a policy's dropping and making": """drop policy t_all on public.t;
        create policy t_all on public.t to authenticated using (a = 1)""",
    "the order of columns": """alter table public.typed_later drop a;
        alter table public.typed_later add a int""",
    "a platform table": "create table auth.extra (id int); create index on auth.users (email)",
    "twolane's own schema": "create schema twolane; create table twolane.x (id int)",
    "a temporary table": "create temporary table later (id int)",
    "a setting of the database": "alter role anon set statement_timeout = '3s'",
    "an extension's own objects": "create extension vector with schema extensions; "
    "drop extension vector",
}

EXCLUDED = {
    "pg_attrdef": "printed with the column",
    "pg_auth_members": "cluster",
    "pg_authid": "cluster",
    "pg_database": "cluster",
    "pg_db_role_setting": "settings",
    "pg_init_privs": "what extensions and initdb granted",
    "pg_largeobject": "rows",
    "pg_largeobject_metadata": "rows",
    "pg_parameter_acl": "cluster",
    "pg_partitioned_table": "printed by pg_get_partkeydef",
    "pg_replication_origin": "cluster",
    "pg_shdepend": "how objects hang together",
    "pg_shdescription": "cluster",
    "pg_shseclabel": "cluster",
    "pg_statistic": "statistics of rows",
    "pg_statistic_ext_data": "statistics of rows",
    "pg_subscription_rel": "the state of replication",
    "pg_tablespace": "cluster",
    "pg_user_mapping": "read through the view pg_user_mappings",
}


@pytest.fixture(scope="module")
def ground(new_database: NewDatabase, platform: str) -> str:
    """The name of a database with one object of most kinds, to be used as a template."""
    conninfo = new_database(platform)
    with psycopg.connect(conninfo) as connection:
        connection.execute(GROUND)
    return database_name(conninfo)


@pytest.fixture(scope="module")
def shared(new_database: NewDatabase, ground: str) -> str:
    """For tests that leave it as it was."""
    return new_database(ground)


@pytest.fixture
def database(new_database: NewDatabase, ground: str) -> str:
    return new_database(ground)


def facts_of(conninfo: str) -> catalog.Snapshot:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return catalog.read(connection)


def run(conninfo: str, statements: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(statements)


def signs(changes: list[Change]) -> list[str]:
    return sorted(f"{c.sign} {c.identity}" for c in changes)


def expected(text: str) -> list[str]:
    """`+ a, - b` as a list; a comma inside an argument list is not followed by a sign."""
    return sorted(" ".join(part.split()) for part in re.split(r",\s+(?=[-+~] )", text.strip()))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_exactly_its_facts(shared: str, name: str) -> None:
    mutation = MUTATIONS[name]
    before = facts_of(shared)
    run(shared, mutation.apply)
    assert signs(catalog.diff(before, facts_of(shared))) == expected(mutation.facts)
    run(shared, mutation.undo)
    assert catalog.diff(before, facts_of(shared)) == []


@pytest.mark.parametrize("name", NO_CHANGE)
def test_what_is_no_fact_changes_none(shared: str, name: str) -> None:
    before = facts_of(shared)
    run(shared, NO_CHANGE[name])
    assert catalog.diff(before, facts_of(shared)) == []
    run(shared, "alter role anon reset statement_timeout")


def test_enum_values_are_seen_in_their_order(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter type public.mood add value 'glad' before 'happy'")
    labels = json.loads(facts_of(database)["enum public.mood"])["labels"]
    assert labels == ["sad", "glad", "happy"]


def test_an_invalid_index_is_seen(database: str) -> None:
    run(database, "insert into public.t (b) values ('x'), ('x')")
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute("create unique index concurrently t_b_key on public.t (b)")
    assert json.loads(facts_of(database)["index public.t.t_b_key"])["invalid"] is True


def test_virtual_columns_differ_from_stored_ones(database: str) -> None:
    with psycopg.connect(database) as connection:
        if connection.info.server_version < 18_00_00:
            pytest.skip("virtual generated columns are of Postgres 18")
        connection.execute("alter table public.t add twice int generated always as (a * 2) virtual")
    assert json.loads(facts_of(database)["column public.t.twice"])["virtual"] is True


def test_a_user_mappings_password_is_in_no_fact(database: str) -> None:
    run(database, "create user mapping for anon server elsewhere options (password 'hush')")
    assert "hush" not in catalog.dump_lock(facts_of(database))


def test_every_catalog_is_read_or_excluded_for_a_reason(shared: str) -> None:
    text = (Path(catalog.__file__).with_name("catalog.sql")).read_text()
    with psycopg.connect(shared) as connection:
        names = connection.execute(
            "select relname from pg_class where relkind = 'r' "
            "and relnamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
    assert names
    missing = {n for (n,) in names if not re.search(rf"\b{n}\b", text)} - EXCLUDED.keys()
    assert missing == set()


@pytest.mark.parametrize(
    "settings",
    [
        "set search_path = public, auth",
        "set search_path = ''",
        "set datestyle = 'German, DMY'",
        "set intervalstyle = iso_8601",
        "set timezone = 'Asia/Tokyo'",
        "set quote_all_identifiers = on",
        "set bytea_output = escape",
        "set extra_float_digits = -15",
        "set standard_conforming_strings = off",
        "set escape_string_warning = off",
    ],
)
def test_a_snapshot_is_the_same_whatever_the_settings(database: str, settings: str) -> None:
    run(
        database,
        """alter table public.t
          add made timestamptz default '2020-01-02 03:04:05+00', add day date default '2020-02-01',
          add late interval default '1 day 2 hours', add raw bytea default '\\x00ff',
          add ratio float8 default 0.1, add slash text default 'a\\b'""",
    )
    plain = facts_of(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(settings)
        assert catalog.read(connection) == plain


def test_a_snapshot_is_the_same_for_a_role_without_rights(shared: str) -> None:
    plain = facts_of(shared)
    with psycopg.connect(shared, autocommit=True) as connection:
        connection.execute("set role anon")
        assert catalog.diff(plain, catalog.read(connection)) == []


def test_a_snapshot_leaves_the_session_as_it_was(shared: str) -> None:
    settings = ["search_path", "datestyle", "timezone", "quote_all_identifiers"]
    with psycopg.connect(shared) as connection:

        def read() -> list[object]:
            return [connection.execute(f"show {name}".encode()).fetchone() for name in settings]

        connection.execute("set datestyle = 'German'")
        before = read()
        inside = catalog.read(connection)
        assert read() == before
        connection.commit()
        connection.autocommit = True
        assert catalog.read(connection) == inside
        assert read() == before


def test_a_snapshot_is_one_round_trip(shared: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(shared, autocommit=True) as connection,
        (tmp_path / "trace").open("w") as trace,
    ):
        connection.pgconn.trace(trace.fileno())
        assert catalog.read(connection)
        connection.pgconn.untrace()
    sent = re.findall(r"^[^\t]*\tF\t\d+\t(\w+)", (tmp_path / "trace").read_text(), re.M)
    assert sent == ["Query"]


def test_the_order_of_creation_does_not_show(new_database: NewDatabase, platform: str) -> None:
    statements = [
        "create table public.z (id int primary key, a int)",
        "create table public.a (id int primary key, z int)",
        "create type public.e as enum ('x')",
        "create policy p2 on public.z to authenticated, anon using (true)",
        "create policy p1 on public.z to authenticated using (true)",
        "create index z_idx on public.z (a)",
        "create index a_idx on public.z (a)",
        "grant select on public.z to anon",
        "grant insert on public.z to anon",
    ]
    needed, free = statements[:1], statements[1:]
    one, two = new_database(platform), new_database(platform)
    run(one, ";".join(needed + free))
    run(two, "create table public.gone (); drop table public.gone;" + ";".join(needed + free[::-1]))
    assert catalog.dump_lock(facts_of(one)) == catalog.dump_lock(facts_of(two))


def test_a_dump_restored_elsewhere_has_the_same_facts(
    database: str,
    new_database: NewDatabase,
    platform: str,
    dump_schema: Callable[[str], str],
) -> None:
    """`pg_dump` is an observer that is not ours; what it carries over must be all that we see."""
    for name in ("policy", "trigger on a platform table", "grant on a column", "partition"):
        run(database, MUTATIONS[name].apply)
    for name in ("rls", "unique", "default privileges", "owner", "aggregate", "operator"):
        run(database, MUTATIONS[name].apply)
    copy = new_database()
    script = "\n".join(
        line for line in dump_schema(database).splitlines() if line != "CREATE SCHEMA public;"
    )
    with psycopg.connect(copy) as connection:
        connection.execute(script.encode())
    assert catalog.diff(facts_of(database), facts_of(copy)) == []


# Pure functions

parts = st.text(
    st.sampled_from("abcXYZ_09.\"' \té→"), min_size=1, max_size=8
)  # `to`, dots, quotes, blanks
identifiers = parts.map(lambda name: '"' + name.replace('"', '""') + '"')


@given(st.lists(identifiers, min_size=1, max_size=4))
def test_split_name_undoes_joining(names: list[str]) -> None:
    assert catalog.split_name(".".join(names)) == names


@given(parts)
def test_unquote_undoes_quoting(name: str) -> None:
    assert catalog.unquote('"' + name.replace('"', '""') + '"') == name
    assert catalog.unquote("plain_name") == "plain_name"


@given(identifiers, identifiers, identifiers)
def test_the_relation_of_a_fact_survives_hostile_names(schema: str, table: str, part: str) -> None:
    name = f"{schema}.{table}"
    for identity in (
        f"table {name}",
        f"foreign table {name}",
        f"materialized view {name}",
        f"view {name}",
        f"rls {name}",
        f"column {name}.{part}",
        f"policy {name}.{part}",
        f"comment column {name}.{part}",
        f"owner table {name}",
        f"grant table {name} to anon",
        f"grant column {name}.{part} to {part}",
        f"comment foreign table {name}",
        f"security label table {name} for {part}",
        f"publication table {part} {name}",
    ):
        assert catalog.relation(identity) == name, identity


@pytest.mark.parametrize(
    ("identity", "kind", "about", "relation"),
    [
        ("table public.a", "table", None, "public.a"),
        ("foreign table public.a", "foreign table", None, "public.a"),
        ("column public.a.b", "column", None, "public.a"),
        ("composite type public.a", "composite type", None, None),
        ("function public.f(integer, text)", "function", None, None),
        ("schema side", "schema", None, None),
        ("sequence public.s", "sequence", None, None),
        ("grant function public.f(integer) to public", "grant", "function public.f(integer)", None),
        ("grant table public.a to b", "grant", "table public.a", "public.a"),
        ("owner materialized view public.a", "owner", "materialized view public.a", "public.a"),
        ("comment column public.a.b", "comment", "column public.a.b", "public.a"),
        (
            "security label table public.a for p",
            "security label",
            "table public.a",
            "public.a",
        ),
        ("publication table pub public.a", "publication table", None, "public.a"),
        (
            "default privileges for postgres in schema public on tables",
            "default privileges",
            None,
            None,
        ),
        (
            "grant default privileges for postgres on tables to anon",
            "grant",
            "default privileges for postgres on tables",
            None,
        ),
        ("event trigger ddl", "event trigger", None, None),
        ("trigger auth.users.welcome", "trigger", None, "auth.users"),
    ],
)
def test_an_identity_says_what_and_where(
    identity: str, kind: str, about: str | None, relation: str | None
) -> None:
    assert catalog.kind(identity) == kind
    assert catalog.about(identity) == about
    assert catalog.relation(identity) == relation


def test_every_relation_in_a_database_is_recognised(shared: str) -> None:
    """No kind of fact, however named, throws the functions over identities off."""
    for identity in facts_of(shared):
        relation = catalog.relation(identity)
        assert relation is None or len(catalog.split_name(relation)) == 2, identity
        assert identity.startswith(catalog.kind(identity)), identity


snapshots = st.dictionaries(
    st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.booleans() | st.integers()).map(
        lambda parts: json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    ),
    max_size=8,
).map(lambda facts: dict(sorted(facts.items())))


@given(snapshots)
def test_the_lock_file_gives_back_what_was_put_in(facts: dict[str, str]) -> None:
    text = catalog.dump_lock(facts)
    assert catalog.load_lock(text) == facts
    assert catalog.dump_lock(catalog.load_lock(text)) == text


def test_the_lock_file_of_a_real_database_round_trips(shared: str) -> None:
    facts = facts_of(shared)
    text = catalog.dump_lock(facts)
    assert catalog.load_lock(text) == facts
    assert catalog.dump_lock(catalog.load_lock(text)) == text
    assert len(text.splitlines()) == len(facts) + 5, "one fact a line"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 99, "facts": {}}', "<<<<<<< HEAD", '{"format": 1}', "null"],
)
def test_a_lock_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        catalog.load_lock(text)


@given(snapshots, snapshots)
def test_a_diff_turns_the_one_into_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    result = dict(before)
    changes = catalog.diff(before, after)
    for change in changes:
        assert change.before == result.pop(change.identity, None)
        if change.after is not None:
            result[change.identity] = change.after
    assert result == after
    assert [c.identity for c in changes] == sorted(c.identity for c in changes)
    assert catalog.diff(after, after) == []
    assert len(catalog.diff(after, before)) == len(changes)
