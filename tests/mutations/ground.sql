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

-- What one change at a time is made to: each object is used by as few others as can be.
create table public.ref (
  id int primary key, x int, y text, code varchar(9), big text, doc jsonb, flag boolean default true,
  unique (x, y)
);
create table public.link (x int, y text, note text, during tstzrange, constraint link_fkey
  foreign key (x, y) references public.ref (x, y), constraint small check (x < 10));
create index link_idx on public.link (y);
create table public.gen (a int, twice int generated always as (a * 2) stored);
create table public.days (day date not null, n int, label text) partition by range (day);
create table public.day_1 partition of public.days for values from ('2020-01-01') to ('2021-01-01');
create index days_n_idx on public.days (n);
alter table public.days add constraint days_pkey primary key (day),
  add constraint days_fkey foreign key (n) references public.ref (id);
create trigger days_touch before update on public.days
  for each row execute function public.touch();
create table public.first (o int check (o > 0));
create table public.second (w int);
create table public.mixed () inherits (public.first, public.second);
create view public.simple as select id, x from public.ref where x > 1;
create rule ref_rule as on update to public.ref where new.x = 1 do instead nothing;
create policy ref_all on public.ref;
create function public.quick(a int, b text default 'x') returns setof int
  language sql stable as 'select a';
create function public.outs(a int, out c int, out d text) language sql as 'select 1, $$x$$';
create function public.touch_2() returns trigger language plpgsql as 'begin return new; end';
create function public.on_ddl_2() returns event_trigger language plpgsql as 'begin end';
create function public.fin(int) returns int language sql as 'select 1';
create function public.fin(int, int) returns int language sql as 'select 1';
create function public.sub(float8, float8) returns float8 language sql immutable as 'select 1.0';
create function public.support(internal) returns internal language internal as 'numeric_support';
create function public.wrap() returns fdw_handler language c as '$libdir/plpgsql',
  'plpgsql_call_handler';
create function public.mood_int(public.mood) returns int language sql immutable as 'select 1';
create function public.ground_into_sql(internal) returns internal
  language internal immutable as 'prsd_start';
create function public.from_sql(internal) returns bigint
  language internal immutable as 'int8recv';
create aggregate public.agg (int) (sfunc = int4pl, stype = int, initcond = '0',
  finalfunc = public.fin, mstype = int, msfunc = int4pl, minvfunc = int4mi,
  mfinalfunc = public.fin);
create aggregate public.big (int8) (sfunc = int8_avg_accum, stype = internal,
  finalfunc = numeric_poly_sum);
create function public.gather(internal, float8, float8) returns internal
  language internal as 'ordered_set_transition_multi';
create function public.settle(internal) returns float8 language internal as 'percentile_disc_final';
create function public.settle(internal, float8) returns float8 language internal as 'percentile_disc_final';
create aggregate public.pct (float8 order by float8) (sfunc = ordered_set_transition,
  stype = internal, finalfunc = public.settle);
create aggregate public.place (variadic "any" order by variadic "any")
  (sfunc = ordered_set_transition_multi, stype = internal, finalfunc = rank_final,
  finalfunc_extra, hypothetical);
create event trigger watch on ddl_command_end when tag in ('CREATE POLICY')
  execute function public.on_ddl();
create domain public.code as varchar(9) constraint filled check (value <> '');
create domain public.short as varchar(9);
create type public.tone as enum ('sad', 'happy');
create type public.shade as enum ('dark', 'grey', 'light');
create type public.words as range (subtype = text);
create server beyond type 'a' version '1' foreign data wrapper nowhere;
create user mapping for current_user server elsewhere;
alter default privileges in schema side grant select on tables to anon;
create publication narrow for table public.ref (id, x) where (id > 1);
create publication wide for tables in schema side;
create cast (public.mood as int) with function public.mood_int(public.mood);
create operator public.<<< (leftarg = int, rightarg = int, function = int4lt);
create operator public.>>> (leftarg = int, rightarg = int, function = int4gt);
create operator family public.fam using btree;
alter operator family public.fam using btree add operator 1 < (int4, int4),
  function 1 (int4, int4) btint4cmp(int4, int4);
create operator class public.texts for type text using btree family public.fam as operator 1 <;
create text search template public.ground_template (lexize = dsimple_lexize);
create text search parser public.ground_parser (start = prsd_start, gettoken = prsd_nexttoken,
  end = prsd_end, lextypes = prsd_lextype);
create conversion public.ground_conversion for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create access method ground_method type index handler bthandler;
create function public.handler() returns language_handler language c as '$libdir/plpgsql',
  'plpgsql_call_handler';
create language ground_language handler public.handler;
create transform for bigint language plpgsql (from sql with function public.ground_into_sql(internal));
create type public.twin as (a int, b text);
create access method ground_heap type table handler heap_tableam_handler;
create table public.slots (id int4range, during int4range, constraint slots_key unique (id, during));
create table public.other (x int, y text, unique (x, y));
alter table public.mixed add constraint wide check (o < 100);
create trusted language trusted_language handler public.handler;
create function public.in_c() returns int
  language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create table public.split (n int, k int, label text) partition by list (n);
create table public.split_2 (n int, k int, label text) partition by range (n);
create table public.split_3 (n int, k int, label text) partition by list (label);
create function public.mood_int_2(public.mood) returns int language sql immutable as 'select 2';
create function public.compare(int, int) returns int language internal immutable as 'btint4cmp';
create function public.ground_into_sql_2(internal) returns internal
  language internal immutable as 'prsd_start';
create function public.convert(int, int, cstring, internal, int, boolean) returns int
  language c strict as '$libdir/utf8_and_iso8859_1', 'iso8859_1_to_utf8';
create function public.prs_start(internal, int) returns internal language internal as 'prsd_start';
create function public.prs_token(internal, internal, internal) returns internal
  language internal as 'prsd_nexttoken';
create function public.prs_end(internal) returns void language internal as 'prsd_end';
create function public.prs_types(internal) returns internal language internal as 'prsd_lextype';
create operator family public.near using gist;
alter operator family public.near using gist
  add operator 15 <-> (point, point) for order by float_ops;
create operator class public.points for type point using gist family public.near as storage point;
create foreign data wrapper somewhere;
create text search configuration public.cfg_2 (parser = default);
create server lent foreign data wrapper nowhere;
grant usage on foreign server lent to anon with grant option;
create table public.keyed (x int not null, constraint keyed_key unique (x));
create index days_label_idx on only public.days (label);
create function public.many(y text[]) returns int language sql as 'select 1';
create type public.husk;
create function public.husk_in(cstring) returns public.husk
  language internal immutable strict as 'int4in';
create function public.husk_out(public.husk) returns cstring
  language internal immutable strict as 'int4out';
create operator class public.moods for type public.mood using gist as storage public.mood;
create table public.gap (
  during tstzrange, label text, constraint gap_excl exclude using gist (during with &&)
);
create index gap_idx on public.gap (lower(label));
create table public.split_4 (n int, k int, label text) partition by list ((n + 1));
create trigger gap_touch before update on public.gap
  for each row execute function public.touch('a');
