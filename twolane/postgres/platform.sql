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
-- The setting `twolane.role` names who stands in for Supabase's `postgres`; without it, that is who
-- runs this. The schema `supabase_stand_in` does for that role what the extension supautils does
-- there: see its section.
--
-- Default privileges are those of a project made since autumn 2026: a new table in `public` grants
-- nothing that the data API's roles could use. (The platform takes back select, insert, update and
-- delete, usage and execute; truncate, references and trigger, which the API can't ask for, are left
-- out here.) An older project differs by this statement, and by two more of
-- the same form for sequences and functions:
--
--     alter default privileges in schema public
--     grant all on tables to anon, authenticated, service_role;
--
-- Beware: `create database … template …` copies everything below except the last statement, the
-- database's `search_path`. Postgres keeps such settings outside the database that they concern.

-- "Already exists, skipping" is not news here. The last statement puts the settings back.
do $$
declare
  has_setting boolean = current_setting('event_triggers', true) is not null;
begin
  perform
    set_config('twolane.before_' || name, current_setting(name), true),
    set_config(name, value, true)
  from (
    values
      ('client_min_messages', 'error', true),
      ('search_path', 'pg_catalog, pg_temp', true), -- nothing that somebody made runs here
      ('event_triggers', 'off', has_setting), -- and no event trigger
      ('session_replication_role', 'replica', not has_setting)
  ) as setting (name, value, is_known)
  where is_known;
  if not has_setting and exists (
    select from pg_event_trigger e join pg_roles r on r.oid = e.evtowner
    where evtenabled in ('A', 'R') and not rolsuper
  ) then
    raise 'this database has event triggers that are always on';
  end if;
  perform set_config(
    'twolane.role', coalesce(nullif(current_setting('twolane.role', true), ''), current_user), true
  );
end $$;

-- ── Roles ────────────────────────────────────────────────────────────────────────────────────────

-- Only what is missing is made, and what exists is left alone: two databases that altered the same
-- role at once would end in "tuple concurrently updated". But an earlier stub made the roles of the
-- data API without INHERIT, and what a project grants to a role that it gives to them would be missed.
do $$
declare
  role record;
begin
  for role in
    select *
    from (
      values
        -- The three roles of the data API. A request becomes one of them by its JWT.
        ('anon', 'nologin'),
        ('authenticated', 'nologin'),
        ('service_role', 'nologin bypassrls'),
        -- PostgREST logs in as this one, then switches to one of the three.
        ('authenticator', 'login noinherit'),
        -- The platform's own.
        ('supabase_admin', 'nologin superuser createdb createrole replication bypassrls'),
        ('supabase_auth_admin', 'login noinherit createrole'),
        ('supabase_storage_admin', 'login noinherit createrole'),
        ('supabase_realtime_admin', 'nologin noinherit'),
        ('dashboard_user', 'nologin createdb createrole replication')
    ) as platform (name, attributes)
  loop
    if to_regrole(role.name) is null then
      begin
        execute format('create role %I %s', role.name, role.attributes);
      exception
        when duplicate_object or unique_violation then null; -- another database was faster
      end;
    elsif role.name in ('anon', 'authenticated', 'service_role') and exists (
      select from pg_roles where rolname = role.name and not rolinherit
    ) then
      begin
        execute format('alter role %I inherit', role.name);
      exception
        when internal_error or insufficient_privilege then null;
      end;
    end if;
  end loop;
end $$;

-- Supabase's `postgres` may act as the data API's roles, and give them away.
do $$
declare
  membership record;
begin
  for membership in
    select
      granted.rolname as role, grantee.rolname as grantee,
      case grantee.rolname when current_setting('twolane.role') then ' with admin option' end as how
    from pg_roles as granted
    cross join pg_roles as grantee
    where granted.rolname in ('anon', 'authenticated', 'service_role')
    and grantee.rolname in (
      'authenticator', 'supabase_storage_admin', current_setting('twolane.role')
    )
    and not exists (
      select from pg_auth_members where roleid = granted.oid and member = grantee.oid
    )
    order by 1, 2
  loop
    begin
      execute concat(format('grant %I to %I', membership.role, membership.grantee), membership.how);
    exception
      when unique_violation then null; -- another database was faster
    end;
  end loop;
end $$;

-- ── Schemas ──────────────────────────────────────────────────────────────────────────────────────

create schema if not exists auth authorization supabase_admin;
create schema if not exists storage authorization supabase_admin;
create schema if not exists realtime authorization supabase_admin;
create schema if not exists vault authorization supabase_admin;
create schema if not exists extensions;
create schema if not exists supabase_stand_in authorization supabase_admin;

grant usage on schema public, auth, storage, realtime, extensions
to anon, authenticated, service_role;
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
grant all on table auth.users to dashboard_user;

-- What a project's own SQL reads beside the users: identities, sessions, second factors, the audit
-- log. Columns as of GoTrue in autumn 2026; tables that only GoTrue itself uses are not here.
do $$
begin
  create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
  create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
  create type auth.factor_status as enum ('unverified', 'verified');
  alter type auth.aal_level owner to supabase_auth_admin;
  alter type auth.factor_type owner to supabase_auth_admin;
  alter type auth.factor_status owner to supabase_auth_admin;
exception
  when duplicate_object then null;
end $$;

create table if not exists auth.identities (
  provider_id text not null,
  user_id uuid not null,
  identity_data jsonb not null,
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  email text generated always as (lower(identity_data ->> 'email')) stored,
  id uuid not null default gen_random_uuid(),
  constraint identities_pkey primary key (id),
  constraint identities_provider_id_provider_unique unique (provider_id, provider),
  constraint identities_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists auth.sessions (
  id uuid not null,
  user_id uuid not null,
  created_at timestamptz,
  updated_at timestamptz,
  factor_id uuid,
  aal auth.aal_level,
  not_after timestamptz,
  refreshed_at timestamp,
  user_agent text,
  ip inet,
  tag text,
  oauth_client_id uuid,
  refresh_token_hmac_key text,
  refresh_token_counter bigint,
  scopes text,
  constraint sessions_pkey primary key (id),
  constraint sessions_scopes_length check (char_length(scopes) <= 4096),
  constraint sessions_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists auth.mfa_factors (
  id uuid not null,
  user_id uuid not null,
  friendly_name text,
  factor_type auth.factor_type not null,
  status auth.factor_status not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  secret text,
  phone text,
  last_challenged_at timestamptz,
  web_authn_credential jsonb,
  web_authn_aaguid uuid,
  last_webauthn_challenge_data jsonb,
  constraint mfa_factors_pkey primary key (id),
  constraint mfa_factors_last_challenged_at_key unique (last_challenged_at),
  constraint mfa_factors_user_id_fkey
  foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists auth.mfa_amr_claims (
  session_id uuid not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  authentication_method text not null,
  id uuid not null,
  constraint amr_id_pk primary key (id),
  constraint mfa_amr_claims_session_id_authentication_method_pkey
  unique (session_id, authentication_method),
  constraint mfa_amr_claims_session_id_fkey
  foreign key (session_id) references auth.sessions (id) on delete cascade
);

create table if not exists auth.audit_log_entries (
  instance_id uuid,
  id uuid not null,
  payload json,
  created_at timestamptz,
  ip_address varchar(64) not null default '',
  constraint audit_log_entries_pkey primary key (id)
);

do $$
declare
  name text;
begin
  foreach name in array
    array['identities', 'sessions', 'mfa_factors', 'mfa_amr_claims', 'audit_log_entries']
  loop
    execute format(
      'alter table auth.%1$I owner to supabase_auth_admin;'
      'alter table auth.%1$I enable row level security;'
      'grant all on table auth.%1$I to dashboard_user;'
      'grant all on table auth.%1$I to %2$I;'
      'grant select on table auth.%1$I to %2$I with grant option;',
      name, current_setting('twolane.role')
    );
  end loop;
end $$;

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

do $$
begin
  create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');
exception
  when duplicate_object then null;
end $$;

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
  type storage.buckettype not null default 'STANDARD',
  versioning_status text not null default 'DISABLED',
  constraint buckets_pkey primary key (id),
  constraint buckets_versioning_status_check
  check (versioning_status in ('DISABLED', 'ENABLED', 'SUSPENDED')),
  constraint buckets_versioning_standard_only_check
  check (type = 'STANDARD' or versioning_status = 'DISABLED')
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
  archived_at timestamptz,
  is_delete_marker boolean not null default false,
  is_versioned boolean not null default false,
  constraint objects_pkey primary key (id),
  constraint "objects_bucketId_fkey" foreign key (bucket_id) references storage.buckets (id)
);

create unique index if not exists bname on storage.buckets (name);
create unique index if not exists bucketid_objname on storage.objects (bucket_id, name);

-- A file that is deleted here would stay where it is stored: only the Storage service deletes, and
-- says so by a setting.
create or replace function storage.protect_delete() returns trigger
language plpgsql
as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), '') <> 'true' then
    raise insufficient_privilege using
      message = 'Direct deletion from storage tables is not allowed. Use the Storage API instead.',
      hint = 'This prevents accidental data loss from orphaned objects.';
  end if;
  return null;
end $$;

create or replace function storage.enforce_bucket_name_length() returns trigger
language plpgsql
as $$
begin
  if length(new.name) > 100 then
    raise exception 'the name of a bucket has at most 100 characters, not %', length(new.name);
  end if;
  return new;
end $$;

create or replace function storage.update_updated_at_column() returns trigger
language plpgsql
as $$
begin
  new.updated_at = now();
  return new;
end $$;

create or replace trigger protect_buckets_delete before delete on storage.buckets
for each statement execute function storage.protect_delete();
create or replace trigger protect_objects_delete before delete on storage.objects
for each statement execute function storage.protect_delete();
create or replace trigger enforce_bucket_name_length_trigger
before insert or update of name on storage.buckets
for each row execute function storage.enforce_bucket_name_length();
create or replace trigger update_objects_updated_at before update on storage.objects
for each row execute function storage.update_updated_at_column();

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

create or replace function storage.get_size_by_bucket()
returns table (size bigint, bucket_id text)
language sql stable
as $$
  select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id
  from storage.objects o group by o.bucket_id
$$;

-- What the Storage service is doing, which it says by a setting: for policies that let a file be
-- downloaded and not listed. The prefix "storage." makes no difference.

create or replace function storage.operation() returns text
language sql stable
as $$ select current_setting('storage.operation', true) $$;

create or replace function storage.allow_any_operation(expected_operations text[]) returns boolean
language sql stable
as $$
  select exists (
    select from unnest(expected_operations) as expected
    where expected <> ''
    and regexp_replace(expected, '^storage\.', '')
      = regexp_replace(storage.operation(), '^storage\.', '')
  )
$$;

create or replace function storage.allow_only_operation(expected_operation text) returns boolean
language sql stable
as $$ select storage.allow_any_operation(array[expected_operation]) $$;

alter function storage.operation() owner to supabase_storage_admin;
alter function storage.allow_any_operation(text[]) owner to supabase_storage_admin;
alter function storage.allow_only_operation(text) owner to supabase_storage_admin;
alter function storage.get_size_by_bucket() owner to supabase_storage_admin;
alter function storage.protect_delete() owner to supabase_storage_admin;
alter function storage.enforce_bucket_name_length() owner to supabase_storage_admin;
alter function storage.update_updated_at_column() owner to supabase_storage_admin;
alter type storage.buckettype owner to supabase_storage_admin;
alter table storage.buckets owner to supabase_storage_admin;
alter table storage.objects owner to supabase_storage_admin;
alter function storage.foldername(text) owner to supabase_storage_admin;
alter function storage.filename(text) owner to supabase_storage_admin;
alter function storage.extension(text) owner to supabase_storage_admin;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;

-- Open to every role of the API, and closed by RLS until a project writes its policies.
grant all on table storage.buckets, storage.objects to anon, authenticated, service_role;

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
  binary_payload bytea,
  constraint messages_pkey primary key (id, inserted_at),
  constraint messages_payload_exclusive check (payload is null or binary_payload is null)
) partition by range (inserted_at);

create or replace function realtime.topic() returns text
language sql stable
as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;

-- Realtime makes a partition a day; here one holds all.
create table if not exists realtime.messages_stand_in partition of realtime.messages default;

-- A message that can't be kept is a warning: what sent it goes on, as on the platform.
create or replace function realtime.send(
  payload jsonb, event text, topic text, private boolean default true
) returns void
language plpgsql
as $$
declare
  message uuid = gen_random_uuid();
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, topic, extension, event, payload, private)
  values (message, topic, 'broadcast', event, jsonb_build_object('id', message) || payload, private);
exception
  when others then raise warning 'The message to % was not kept: %', topic, sqlerrm;
end $$;

create or replace function realtime.send_binary(
  payload bytea, event text, topic text, private boolean default true
) returns void
language plpgsql
as $$
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (topic, extension, event, binary_payload, private)
  values (topic, 'broadcast', event, payload, private);
exception
  when others then raise warning 'The message to % was not kept: %', topic, sqlerrm;
end $$;

-- What a trigger calls for each row.
create or replace function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
) returns void
language plpgsql
as $$
begin
  if level = 'STATEMENT' or operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'broadcast_changes is for triggers on rows: %, %', level, operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'schema', table_schema, 'table', table_name, 'operation', operation,
      'record', new, 'old_record', old
    ),
    event_name,
    topic_name
  );
end $$;

alter table realtime.messages_stand_in owner to supabase_admin;
alter table realtime.messages_stand_in enable row level security;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.send_binary(bytea, text, text, boolean) owner to supabase_realtime_admin;
alter function
realtime.broadcast_changes(text, text, text, text, text, record, record, text)
owner to supabase_realtime_admin;
alter table realtime.messages owner to supabase_realtime_admin;
alter function realtime.topic() owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on table realtime.messages to anon, authenticated, service_role;

do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime; -- empty: a project adds the tables that it broadcasts
  end if;
end $$;

-- ── vault ────────────────────────────────────────────────────────────────────────────────────────

-- The platform encrypts them with a key outside the database; here they are kept as they are.
create table if not exists vault.secrets (
  id uuid not null default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint secrets_pkey primary key (id)
);

create unique index if not exists secrets_name_idx on vault.secrets (name) where name is not null;

create or replace view vault.decrypted_secrets as
select
  id, name, description, secret, secret as decrypted_secret, key_id, nonce, created_at, updated_at
from vault.secrets;

create or replace function vault.create_secret(
  new_secret text,
  new_name text default null,
  new_description text default '',
  new_key_id uuid default null
) returns uuid
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  insert into vault.secrets (secret, name, description, key_id)
  values (new_secret, new_name, new_description, new_key_id) returning id
$$;

create or replace function vault.update_secret(
  secret_id uuid,
  new_secret text default null,
  new_name text default null,
  new_description text default null,
  new_key_id uuid default null
) returns void
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update vault.secrets set
    secret = coalesce(new_secret, secret), name = coalesce(new_name, name),
    description = coalesce(new_description, description), key_id = coalesce(new_key_id, key_id),
    updated_at = now()
  where id = secret_id
$$;

alter table vault.secrets owner to supabase_admin;
alter view vault.decrypted_secrets owner to supabase_admin;
alter function vault.create_secret(text, text, text, uuid) owner to supabase_admin;
alter function vault.update_secret(uuid, text, text, text, uuid) owner to supabase_admin;
revoke all on function
vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid)
from public;

-- ── postgres ─────────────────────────────────────────────────────────────────────────────────────

do $$
begin
  execute format(
    'grant usage on schema public, auth, storage, realtime, supabase_stand_in to %1$I;'
    'grant all on table auth.users, realtime.messages to %1$I;'
    'grant select on table auth.users to %1$I with grant option;'
    'grant all on table storage.buckets, storage.objects to %1$I with grant option;'
    'grant usage on schema vault to %1$I with grant option;'
    'grant select, delete on vault.secrets, vault.decrypted_secrets to %1$I with grant option;'
    'grant execute on all functions in schema vault to %1$I with grant option;'
    'alter schema extensions owner to %1$I;'
    'alter publication supabase_realtime owner to %1$I;',
    current_setting('twolane.role')
  );
end $$;

-- The extensions that a new project has, where this server has them; twolane has stand-ins for two.
-- Made by the platform, they belong to `postgres`, who may drop them.
do $$
declare
  mine oid = (select oid from pg_roles where rolname = current_setting('twolane.role'));
  found record;
begin
  for found in
    select name from pg_available_extensions
    where name in ('pg_stat_statements', 'pgcrypto', 'uuid-ossp') and installed_version is null
  loop
    begin
      execute format('create extension %I schema extensions', found.name);
    exception
      when insufficient_privilege then continue; -- it needs a superuser
    end;
    if mine <> current_user::regrole then
      update pg_extension set extowner = mine where extname = found.name;
      update pg_shdepend set refobjid = mine
      where classid = 'pg_extension'::regclass and deptype = 'o'
      and objid = (select oid from pg_extension where extname = found.name)
      and dbid = (select oid from pg_database where datname = current_database());
    end if;
  end loop;
end $$;

-- ── What supautils does on Supabase ──────────────────────────────────────────────────────────────

-- Supabase's `postgres` is no superuser; the extension supautils raises some of its statements to
-- one (https://github.com/supabase/supautils). Here a function does so for each kind of statement.
-- They take names and build the statement themselves: nothing that somebody else wrote is evaluated
-- as superuser. Whoever may call them gets what Supabase gives, and no more.
-- Their path names `pg_temp` last: where it is not named, temporary objects are found first.

-- The script of an extension runs as superuser: no event trigger of somebody else may fire in it.
-- Postgres has a setting for that since 17; before, those triggers are switched off meanwhile.
create or replace function supabase_stand_in.in_silence(statement text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  before text = current_setting('event_triggers', true);
  names text[];
  modes text[];
begin
  if before is not null then
    perform set_config('event_triggers', 'off', true);
    execute statement;
    perform set_config('event_triggers', before, true);
    return;
  end if;
  select array_agg(evtname), array_agg(evtenabled) into names, modes
  from pg_event_trigger where evtenabled <> 'D';
  for i in 1 .. coalesce(array_length(names, 1), 0) loop
    execute format('alter event trigger %I disable', names[i]);
  end loop;
  execute statement;
  for i in 1 .. coalesce(array_length(names, 1), 0) loop
    execute format(
      'alter event trigger %I enable %s', names[i],
      case modes[i] when 'A' then 'always' when 'R' then 'replica' end
    );
  end loop;
end $$;

-- Gives an object to the role that is logged in. `alter … owner to` refuses owners of event
-- triggers, wrappers and publications of all tables that are no superusers; extensions it lacks.
create or replace function supabase_stand_in.give(catalog regclass, object oid, owner name)
returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  role oid = (select oid from pg_roles where rolname = session_user);
begin
  execute format('update %s set %I = %s where oid = %s', catalog, owner, role, object);
  delete from pg_shdepend
  where classid = catalog and objid = object and deptype = 'o'
  and dbid = (select oid from pg_database where datname = current_database());
  insert into pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
  select oid, catalog, object, 0, 'pg_authid'::regclass, role, 'o'
  from pg_database where datname = current_database();
end $$;

create or replace function supabase_stand_in.refuse(message text, hint text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise insufficient_privilege using message = message, hint = coalesce(hint, '');
end $$;

create or replace function supabase_stand_in.create_extension(
  name text, if_missing boolean, schema text, here text, version text, with_others boolean
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before oid[] = array(select oid from pg_extension);
  fixed text = (
    select a.schema from pg_available_extension_versions a
    where a.name = create_extension.name and a.schema is not null limit 1
  );
  target text = coalesce(create_extension.schema, fixed, here);
  workshop text;
  comment text;
begin
  -- Those of `supautils.privileged_extensions` on Supabase.
  if create_extension.name <> all (array[
    'address_standardizer', 'address_standardizer_data_us', 'autoinc', 'bloom', 'btree_gin',
    'btree_gist', 'citext', 'cube', 'dblink', 'dict_int', 'dict_xsyn', 'earthdistance',
    'fuzzystrmatch', 'hstore', 'http', 'hypopg', 'index_advisor', 'insert_username', 'intarray',
    'isn', 'ltree', 'moddatetime', 'pg_cron', 'pg_graphql', 'pg_hashids', 'pg_jsonschema',
    'pg_net', 'pg_partman', 'pg_repack', 'pg_stat_monitor', 'pg_stat_statements', 'pg_trgm',
    'pg_walinspect', 'pgaudit', 'pgcrypto', 'pgjwt', 'pgmq', 'pgroonga', 'pgroonga_database',
    'pgrouting', 'pgrowlocks', 'pgsodium', 'pgtap', 'plcoffee', 'plls', 'plpgsql',
    'plpgsql_check', 'plv8', 'postgis', 'postgis_raster', 'postgis_sfcgal',
    'postgis_tiger_geocoder', 'postgis_topology', 'postgres_fdw', 'refint', 'rum', 'seg',
    'sslinfo', 'supabase_vault', 'tablefunc', 'tcn', 'timescaledb', 'tsm_system_rows',
    'tsm_system_time', 'unaccent', 'uuid-ossp', 'vector', 'wrappers'
  ]) and create_extension.name in (select a.name from pg_available_extensions a) then
    perform supabase_stand_in.refuse(
      format('permission denied to create extension "%s"', create_extension.name),
      'Supabase lets postgres create the extensions of its list alone.'
    );
  end if;
  -- SCRAM pass-through: with the keys of the login that runs this, they would log in to the other
  -- databases of this server. On Supabase those are the same project's.
  if create_extension.name in ('dblink', 'postgres_fdw')
    and current_setting('server_version_num')::int >= 180000
    and create_extension.name not in (select extname from pg_extension)
    and create_extension.name in (select a.name from pg_available_extensions a)
  then
    perform supabase_stand_in.refuse(
      format('extension "%s" is not made here', create_extension.name),
      'Since Postgres 18 it can log in to other databases of this server without a password. '
      'Name a Postgres 17, in [tool.twolane] postgres or by SHADOW_DATABASE_URL.'
    );
  end if;
  -- Its script finds names in its schema first, where somebody may have put others by these names:
  -- so it runs in an empty schema, and what it made moves where it is to be.
  if target is not null and create_extension.name not in (select extname from pg_extension)
    and (
      select bool_and(a.relocatable) from pg_available_extension_versions a
      where a.name = create_extension.name
    )
  then
    workshop := 'supabase_stand_in_workshop';
    perform supabase_stand_in.in_silence(format('create schema %I', workshop));
  end if;
  perform supabase_stand_in.in_silence(concat(
    'create extension ', case when if_missing then 'if not exists ' end, quote_ident(name),
    ' schema ' || quote_ident(coalesce(workshop, target)),
    ' version ' || quote_literal(create_extension.version),
    case when with_others then ' cascade' end
  ));
  if workshop is not null then
    perform supabase_stand_in.in_silence(
      format('alter extension %I set schema %I', e.extname, target)
    )
    from pg_extension e where e.extnamespace = workshop::regnamespace;
    perform supabase_stand_in.in_silence(format('drop schema %I', workshop));
  end if;
  perform supabase_stand_in.give('pg_extension', e.oid, 'extowner')
  from pg_extension e where e.oid <> all (before);
  -- A stand-in says what it is as its script runs; one that the platform made says so here.
  for comment in
    select obj_description(e.oid, 'pg_extension') from pg_extension e
    where e.extname = create_extension.name and e.oid = any (before)
  loop
    if starts_with(comment, 'twolane''s stand-in for ') then
      raise warning '%', comment;
    end if;
  end loop;
end $$;

create or replace function supabase_stand_in.alter_extension(
  name text, version text, schema text, is_update boolean
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from pg_extension
    where extname = alter_extension.name and pg_has_role(session_user, extowner, 'usage')
  ) then
    perform supabase_stand_in.refuse(format('must be owner of extension %s', name), null);
  end if;
  perform supabase_stand_in.in_silence(concat(
    'alter extension ', quote_ident(name), case when is_update then ' update' end,
    ' to ' || quote_literal(version), ' set schema ' || quote_ident(schema)
  ));
end $$;

create or replace function supabase_stand_in.create_event_trigger(
  name text, event text, tags text[], function regprocedure
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform supabase_stand_in.in_silence(format(
    'create event trigger %I on %I%s execute function %s()', name, event,
    (select ' when tag in (' || string_agg(quote_literal(t), ', ') || ')' from unnest(tags) t),
    function::regproc
  ));
  perform supabase_stand_in.give('pg_event_trigger', oid, 'evtowner')
  from pg_event_trigger where evtname = create_event_trigger.name;
end $$;

-- A validator runs as the wrapper is made: only one in C, which a superuser made.
create or replace function supabase_stand_in.create_wrapper(
  name text, handler regproc, validator regproc, options text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from pg_proc p join pg_language l on l.oid = p.prolang
    where p.oid in (handler, validator) and l.lanname not in ('c', 'internal')
  ) then
    perform supabase_stand_in.refuse(
      'permission denied to create foreign-data wrapper "' || name || '"',
      'Its handler and its validator must come from an extension.'
    );
  end if;
  perform supabase_stand_in.in_silence(concat(
    'create foreign data wrapper ', quote_ident(name), ' handler ' || handler::text,
    ' validator ' || validator::text, ' options (' || (
      select string_agg(format('%I %L', o.key, o.value), ', ') from json_each_text(options::json) o
    ) || ')'
  ));
  perform supabase_stand_in.give('pg_foreign_data_wrapper', oid, 'fdwowner')
  from pg_foreign_data_wrapper where fdwname = create_wrapper.name;
end $$;

create or replace function supabase_stand_in.publish_all(name text, options text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform supabase_stand_in.in_silence(concat(
    'create publication ', quote_ident(name), ' for all tables', ' with (' || (
      select string_agg(format('%I = %L', o.key, o.value), ', ')
      from json_each_text(options::json) o
    ) || ')'
  ));
  perform supabase_stand_in.give('pg_publication', oid, 'pubowner')
  from pg_publication where pubname = publish_all.name;
end $$;

create or replace function supabase_stand_in.publish_schemas(
  name text, how text, schemas text[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from pg_publication
    where pubname = publish_schemas.name and pg_has_role(session_user, pubowner, 'usage')
  ) then
    perform supabase_stand_in.refuse(format('must be owner of publication %s', name), null);
  end if;
  perform supabase_stand_in.in_silence(format(
    'alter publication %I %s tables in schema %s', name, case how when 'set' then how else 'add' end,
    (select string_agg(quote_ident(s), ', ') from unnest(schemas) s)
  ));
end $$;

-- The tables of the platform on which `postgres` may make and drop policies, and drop triggers
-- (`supautils.policy_grants` and `drop_trigger_grants`).
create or replace function supabase_stand_in.is_listed(relation regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select relation::text in (
    'auth.audit_log_entries', 'auth.identities', 'auth.sessions', 'auth.users', 'realtime.messages',
    'storage.buckets', 'storage.objects'
  )
$$;

-- Makes the role that is logged in the owner of a listed table, until it is taken back: the words
-- of a policy are read with the rights of who writes it, never as superuser.
create or replace function supabase_stand_in.lend(relation regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if supabase_stand_in.is_listed(relation) then
    update pg_class set relowner = quote_ident(session_user)::regrole where oid = relation;
  end if;
end $$;

create or replace function supabase_stand_in.take_back(relation regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if supabase_stand_in.is_listed(relation) then
    update pg_class set relowner = case relnamespace
      when 'auth'::regnamespace then 'supabase_auth_admin'::regrole
      when 'storage'::regnamespace then 'supabase_storage_admin'::regrole
      else 'supabase_realtime_admin'::regrole end
    where oid = relation;
  end if;
end $$;

create or replace function supabase_stand_in.drop_trigger(
  relation regclass, name text, if_there boolean, with_others boolean
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not supabase_stand_in.is_listed(relation) then
    perform supabase_stand_in.refuse(format('must be owner of relation %s', relation), null);
  end if;
  perform supabase_stand_in.in_silence(concat(
    'drop trigger ', case when if_there then 'if exists ' end, quote_ident(name),
    ' on ', relation, case when with_others then ' cascade' end
  ));
end $$;

-- Before 16 who may make roles may give itself any, `pg_execute_server_program` among them. So
-- there the role may not, and what it makes by this it may give away and act as.
create or replace function supabase_stand_in.create_role(
  name text, attributes text[], secret text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not attributes <@ array[
    'login', 'nologin', 'inherit', 'noinherit', 'createdb', 'nocreatedb', 'nosuperuser',
    'nocreaterole', 'bypassrls', 'nobypassrls', 'noreplication'
  ] then
    perform supabase_stand_in.refuse(
      'permission denied to create role "' || name || '"',
      'Before Postgres 16 a replay makes roles without CREATEROLE and REPLICATION.'
    );
  end if;
  execute concat(
    format('create role %I ', name), array_to_string(attributes, ' '),
    ' password ' || quote_literal(secret)
  );
  execute format('grant %I to %I with admin option', name, session_user);
end $$;

create or replace function supabase_stand_in.drop_role(name text, if_there boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if to_regrole(quote_ident(name)) is not null and not exists (
    select from pg_auth_members
    where roleid = to_regrole(quote_ident(name)) and admin_option
    and member = to_regrole(quote_ident(session_user))
  ) then
    perform supabase_stand_in.refuse('permission denied to drop role', null);
  end if;
  execute concat('drop role ', case when if_there then 'if exists ' end, quote_ident(name));
end $$;

-- An extension that Postgres trusts everybody with is made by its script as superuser as well,
-- also by a statement inside a function, where nobody stands in between.
create or replace function supabase_stand_in.quieten() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (select rolsuper from pg_roles where rolname = session_user) then
    return;
  elsif current_setting('event_triggers', true) is not null then
    perform set_config('event_triggers', 'off', true); -- until the transaction ends
  elsif exists (
    select from pg_event_trigger e join pg_roles r on r.oid = e.evtowner
    where not r.rolsuper and e.evtenabled <> 'D'
  ) then
    perform supabase_stand_in.refuse(
      'an extension can''t be made inside a function where there are event triggers',
      'Write it as a statement of its own.'
    );
  end if;
end $$;

do $$
begin
  drop event trigger if exists supabase_stand_in_quieten;
  if current_setting('twolane.role') <> current_user then
    create event trigger supabase_stand_in_quieten on ddl_command_start
    when tag in ('CREATE EXTENSION', 'ALTER EXTENSION')
    execute function supabase_stand_in.quieten();
    alter event trigger supabase_stand_in_quieten enable always;
  end if;
end $$;

revoke all on all functions in schema supabase_stand_in from public;

do $$
declare
  function regprocedure;
begin
  for function in
    select oid from pg_proc where pronamespace = 'supabase_stand_in'::regnamespace
  loop
    execute format('alter function %s owner to supabase_admin', function);
  end loop;
  execute format(
    'grant execute on all functions in schema supabase_stand_in to %I',
    current_setting('twolane.role')
  );
end $$;

-- ── The database ─────────────────────────────────────────────────────────────────────────────────

do $$
begin
  execute format(
    'alter database %I set search_path = "$user", public, extensions', current_database()
  );
  perform set_config(name, value, true)
  from unnest(
    array['client_min_messages', 'search_path', 'event_triggers', 'session_replication_role']
  ) name
  cross join nullif(current_setting('twolane.before_' || name, true), '') value
  where value is not null;
end $$;
