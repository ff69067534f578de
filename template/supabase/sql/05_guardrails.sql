-- Guardrails: what users may spend on models, and how new tables, sequences and functions begin.
--
--   ai_quotas   how much of something a user may use in a day or a month
--   ai_usage    what was used, one row a call of a model
--
-- Users read their own rows of both. Only service_role writes: a quota cannot be raised by the user
-- it limits, and usage cannot be forged or forgotten.
--
-- From here on, what is created in `public` begins closed to the data API: nothing is granted, and
-- row level security is on. It is opened on purpose, by an SQL file with its grants and policies.
--
-- Stands alone: the minimal starter has only this file and 01_extensions_and_vector.sql.
-- Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

-- ── Tables ───────────────────────────────────────────────────────────────────────────────────────

create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

-- The same as in 00_core_tables.sql, which the minimal starter lacks.
create or replace function private.set_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

revoke all on function private.set_updated_at() from public, anon, authenticated, service_role;

create table if not exists public.ai_quotas (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  metric text not null,
  period text not null,
  max_amount bigint not null, -- 0 forbids; without a row the service's own default holds
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint ai_quotas_pkey primary key (id),
  constraint ai_quotas_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade,
  -- Its index begins with user_id, so it serves the foreign key and the policies as well.
  constraint ai_quotas_user_id_metric_period_key unique (user_id, metric, period),
  constraint ai_quotas_metric_check check (metric in ('calls', 'tokens', 'cost_microusd')),
  constraint ai_quotas_period_check check (period in ('day', 'month')),
  constraint ai_quotas_max_amount_check check (max_amount >= 0)
);

create table if not exists public.ai_usage (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  request_id text not null, -- the service's own; a call reported twice counts once
  purpose text not null,
  model text not null,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_microusd bigint not null default 0,
  used_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint ai_usage_pkey primary key (id),
  constraint ai_usage_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade,
  constraint ai_usage_user_id_request_id_key unique (user_id, request_id),
  constraint ai_usage_purpose_check check (purpose in ('chat', 'embedding', 'insight', 'other')),
  constraint ai_usage_amounts_check
  check (input_tokens >= 0 and output_tokens >= 0 and cost_microusd >= 0)
);

create index if not exists ai_usage_user_timeline_idx on public.ai_usage (user_id, used_at desc);

create or replace trigger ai_quotas_set_updated_at
before update on public.ai_quotas for each row execute function private.set_updated_at();

create or replace trigger ai_usage_set_updated_at
before update on public.ai_usage for each row execute function private.set_updated_at();

-- ── Who may do what ──────────────────────────────────────────────────────────────────────────────

alter table public.ai_quotas enable row level security;

revoke all on table public.ai_quotas from public, anon, authenticated, service_role;
grant select on table public.ai_quotas to authenticated;
grant select, insert, update, delete on table public.ai_quotas to service_role;

drop policy if exists ai_quotas_select_own on public.ai_quotas;
create policy ai_quotas_select_own on public.ai_quotas
for select to authenticated
using ((select auth.uid()) = user_id);

alter table public.ai_usage enable row level security;

revoke all on table public.ai_usage from public, anon, authenticated, service_role;
grant select on table public.ai_usage to authenticated;
grant select, insert, update, delete on table public.ai_usage to service_role;

drop policy if exists ai_usage_select_own on public.ai_usage;
create policy ai_usage_select_own on public.ai_usage
for select to authenticated
using ((select auth.uid()) = user_id);

-- ── New objects begin closed ─────────────────────────────────────────────────────────────────────

-- Default privileges concern what the role that runs this file creates later, not what is there.
-- An older Supabase project grants everything to the three roles, a newer one little or nothing;
-- after these lines the two are alike. (The current role is named so that no idle entry is left
-- behind: an owner's rights do not come from here.)
alter default privileges in schema public
revoke all on tables from current_user, anon, authenticated, service_role;
alter default privileges in schema public
revoke all on sequences from current_user, anon, authenticated, service_role;
alter default privileges in schema public
revoke all on functions from current_user, anon, authenticated, service_role;

-- Functions are different: Postgres itself lets everyone (public) execute them, anon included. A
-- default of one schema can only add to that, so it is taken away for all schemas, and given back
-- where extensions keep their operators. A function made to be called says so: `grant execute`.
alter default privileges revoke execute on functions from public;
create schema if not exists extensions;
alter default privileges in schema extensions grant execute on functions to public;

-- ── New tables have row level security ───────────────────────────────────────────────────────────

-- A table with RLS and no policy shows nothing to anyone but its owner and service_role. That goes
-- for tables made in any way: by hand, by lane B, by `create table … as` and `select … into`.
-- Left alone: tables of extensions, which are not ours to alter, and a table that is moved into
-- `public` or has its RLS disabled later, which is somebody's decision (`invoke db.check` sees it).
create or replace function private.enable_rls_on_new_tables() returns event_trigger
language plpgsql
set search_path = ''
as $$
declare
  -- The schemas that the data API exposes. Add yours.
  exposed_schemas constant text[] := array['public'];
  new_table record;
begin
  for new_table in
    select created.objid::regclass as name
    from pg_event_trigger_ddl_commands() as created
    join pg_class on pg_class.oid = created.objid
    where created.classid = 'pg_class'::regclass
    and created.schema_name = any (exposed_schemas)
    and pg_class.relkind in ('r', 'p')
    and not pg_class.relrowsecurity
    and not created.in_extension
  loop
    execute format('alter table %s enable row level security', new_table.name);
  end loop;
end;
$$;

revoke all on function private.enable_rls_on_new_tables()
from public, anon, authenticated, service_role;

-- Event triggers are a superuser's, and on Supabase the postgres role's where the platform lets it.
do $$
begin
  drop event trigger if exists enable_rls_on_new_tables;
  create event trigger enable_rls_on_new_tables on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
  execute function private.enable_rls_on_new_tables();
exception
  when insufficient_privilege then
    raise warning 'the role % may not create an event trigger: new tables begin without RLS',
      current_user
      using hint = 'Enable it in the SQL file that grants access to the table.';
end $$;
