-- What Supabase itself provides, in outline: for the embedded server and the shadow only. A real
-- Supabase project brings the real thing and never sees this file.
--
-- It is as much of the platform as a project's own SQL leans on: the roles, `auth` with its users
-- and the functions that policies call, `storage`, `realtime.messages`, `extensions`, the
-- publication, `search_path`. The services behind them (GoTrue, Storage, Realtime) are not here.
--
-- Run by a superuser on Postgres 15 or later, as one script in one transaction. It may be run
-- again, and by several databases of one server at once: roles belong to the whole server, so the
-- first database makes them and the others find them.
--
-- Default privileges are those of a project made since autumn 2026: a new table in `public` grants
-- nothing to the data API's roles. An older project differs by this statement, and by two more of
-- the same form for sequences and functions:
--
--     alter default privileges in schema public
--     grant all on tables to anon, authenticated, service_role;
--
-- Beware: `create database … template …` copies everything below except the last statement, the
-- database's `search_path`. Postgres keeps such settings outside the database that they concern.

-- "Already exists, skipping" is not news here. The last statement puts the setting back.
do $$
begin
  perform set_config('twolane.messages_before', current_setting('client_min_messages'), true);
  perform set_config('client_min_messages', 'error', true);
end $$;

-- ── Roles ────────────────────────────────────────────────────────────────────────────────────────

-- Only what is missing is made, and what exists is left alone: two databases that altered the same
-- role at once would end in "tuple concurrently updated".
do $$
declare
  role record;
begin
  for role in
    select *
    from (
      values
        -- The three roles of the data API. A request becomes one of them by its JWT.
        ('anon', 'nologin noinherit'),
        ('authenticated', 'nologin noinherit'),
        ('service_role', 'nologin noinherit bypassrls'),
        -- PostgREST logs in as this one, then switches to one of the three.
        ('authenticator', 'login noinherit'),
        -- The platform's own.
        ('supabase_admin', 'nologin superuser createdb createrole replication bypassrls'),
        ('supabase_auth_admin', 'login noinherit createrole'),
        ('supabase_storage_admin', 'login noinherit createrole'),
        ('dashboard_user', 'nologin createdb createrole replication')
    ) as platform (name, attributes)
  loop
    if to_regrole(role.name) is null then
      begin
        execute format('create role %I %s', role.name, role.attributes);
      exception
        when duplicate_object or unique_violation then null; -- another database was faster
      end;
    end if;
  end loop;
end $$;

-- Who runs this file stands in for Supabase's `postgres`, which may act as the data API's roles.
do $$
declare
  membership record;
begin
  for membership in
    select granted.rolname as role, grantee.rolname as grantee
    from pg_roles as granted
    cross join pg_roles as grantee
    where granted.rolname in ('anon', 'authenticated', 'service_role')
    and grantee.rolname in ('authenticator', 'supabase_storage_admin', current_user)
    and not exists (
      select from pg_auth_members where roleid = granted.oid and member = grantee.oid
    )
    order by 1, 2
  loop
    begin
      execute format('grant %I to %I', membership.role, membership.grantee);
    exception
      when unique_violation then null; -- another database was faster
    end;
  end loop;
end $$;

-- ── Schemas ──────────────────────────────────────────────────────────────────────────────────────

create schema if not exists auth authorization supabase_admin;
create schema if not exists storage authorization supabase_admin;
create schema if not exists realtime authorization supabase_admin;
create schema if not exists extensions;

grant usage on schema public, auth, storage, realtime, extensions
to anon, authenticated, service_role;
grant usage on schema public, auth, storage, realtime to current_user;
grant all on schema auth, extensions, storage to dashboard_user;
grant all on schema auth to supabase_auth_admin;
grant all on schema storage to supabase_storage_admin;

-- ── auth ─────────────────────────────────────────────────────────────────────────────────────────

create table if not exists auth.users (
  instance_id uuid,
  id uuid not null,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change_token_new varchar(255),
  email_change varchar(255),
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text default null,
  phone_confirmed_at timestamptz,
  phone_change text default '',
  phone_change_token varchar(255) default '',
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz
  generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  email_change_token_current varchar(255) default '',
  email_change_confirm_status smallint default 0,
  banned_until timestamptz,
  reauthentication_token varchar(255) default '',
  reauthentication_sent_at timestamptz,
  is_sso_user boolean not null default false,
  deleted_at timestamptz,
  is_anonymous boolean not null default false,
  constraint users_pkey primary key (id),
  constraint users_phone_key unique (phone),
  constraint users_email_change_confirm_status_check
  check (email_change_confirm_status between 0 and 2)
);

create unique index if not exists users_email_partial_key
on auth.users (email) where not is_sso_user;

alter table auth.users owner to supabase_auth_admin;
alter table auth.users enable row level security;
grant all on table auth.users to current_user, dashboard_user;

-- Who is asking, by the claims that PostgREST (or a session of the service) sets for a transaction.
-- A custom setting that was set locally reads as '' once its transaction is over, never again as
-- null: hence nullif. The setting for a single claim is the older way and comes first.

create or replace function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;

create or replace function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )::text
$$;

create or replace function auth.email() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
  )::text
$$;

create or replace function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;
grant all on function auth.uid(), auth.role(), auth.email(), auth.jwt() to dashboard_user;

-- ── storage ──────────────────────────────────────────────────────────────────────────────────────

create table if not exists storage.buckets (
  id text not null,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  constraint buckets_pkey primary key (id)
);

create table if not exists storage.objects (
  id uuid not null default gen_random_uuid(),
  bucket_id text,
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  constraint objects_pkey primary key (id),
  constraint "objects_bucketId_fkey" foreign key (bucket_id) references storage.buckets (id)
);

create unique index if not exists bname on storage.buckets (name);
create unique index if not exists bucketid_objname on storage.objects (bucket_id, name);

-- The path helpers that policies on storage.objects call.

create or replace function storage.foldername(name text) returns text[]
language sql immutable
as $$ select (string_to_array(name, '/'))[1:array_length(string_to_array(name, '/'), 1) - 1] $$;

create or replace function storage.filename(name text) returns text
language sql immutable
as $$ select (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)] $$;

create or replace function storage.extension(name text) returns text
language sql immutable
as $$ select reverse(split_part(reverse(storage.filename(name)), '.', 1)) $$;

alter table storage.buckets owner to supabase_storage_admin;
alter table storage.objects owner to supabase_storage_admin;
alter function storage.foldername(text) owner to supabase_storage_admin;
alter function storage.filename(text) owner to supabase_storage_admin;
alter function storage.extension(text) owner to supabase_storage_admin;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;

-- Open to every role of the API, and closed by RLS until a project writes its policies.
grant all on table storage.buckets, storage.objects
to anon, authenticated, service_role, current_user;

-- ── realtime ─────────────────────────────────────────────────────────────────────────────────────

-- Policies on this table say who may join which private channel.
create table if not exists realtime.messages (
  id uuid not null default gen_random_uuid(),
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  constraint messages_pkey primary key (id, inserted_at)
) partition by range (inserted_at);

create or replace function realtime.topic() returns text
language sql stable
as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;

alter table realtime.messages owner to supabase_admin;
alter function realtime.topic() owner to supabase_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on table realtime.messages to anon, authenticated, service_role;
grant all on table realtime.messages to current_user;

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime; -- empty: a project adds the tables that it broadcasts
  end if;
end $$;

-- ── The database ─────────────────────────────────────────────────────────────────────────────────

do $$
begin
  execute format(
    'alter database %I set search_path = "$user", public, extensions', current_database()
  );
  perform set_config('client_min_messages', current_setting('twolane.messages_before'), true);
end $$;
