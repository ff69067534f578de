-- Core tables: the CRM and what feeds it.
--
--   contacts       people, found in mail and calendars or entered by hand
--   interactions   the timeline of a contact: mails, meetings, calls, notes
--   raw_events     what mail and calendar providers sent, as they sent it
--   documents      files and pages, with the text taken out of them
--   jobs           the queue of the background workers
--   embeddings     pieces of text as vectors; 01_extensions_and_vector.sql adds the vector itself
--   ai_insights    what a model concluded about a contact
--
-- The tenant column, user_id, is not here: 01b_add_user_tenant_columns.sql adds it, so that a
-- database which had these tables before it had tenants takes the same road as a new one. Until
-- the RLS files have run, nothing here is meant to be reached by the data API.
--
-- Cascades, in one rule: what is part of a thing goes with it (cascade); what merely points at a
-- thing outlives it (set null).
--
-- Safe to run again. `if not exists` means that editing a table below does not alter one that is
-- there already: write the `alter table` too, in a form that may run twice.

set local client_min_messages = warning; -- "already exists, skipping" is not news

-- ── Trigger functions ────────────────────────────────────────────────────────────────────────────

-- `private` is not among the data API's schemas: nothing in it can be called from outside.
create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

-- Keeps updated_at true. (05_guardrails.sql repeats it: the minimal starter has no other file.)
create or replace function private.set_updated_at() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

-- Removes the embeddings of rows that are gone; the argument is their source_kind. This is the
-- cascade that a foreign key cannot do, as an embedding's source may lie in one of several tables.
-- Security definer: the user who deletes a contact has no right to write embeddings.
create or replace function private.delete_embeddings_of_source() returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from public.embeddings as embedding
  using gone
  where embedding.source_kind = tg_argv[0] and embedding.source_id = gone.id;
  return null;
end;
$$;

revoke all on function private.set_updated_at() from public, anon, authenticated, service_role;
revoke all on function private.delete_embeddings_of_source()
from public, anon, authenticated, service_role;

-- ── contacts ─────────────────────────────────────────────────────────────────────────────────────

create table if not exists public.contacts (
  id uuid not null default gen_random_uuid(),
  display_name text not null,
  email text,
  phone text,
  company text,
  job_title text,
  notes text,
  source text not null default 'manual',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint contacts_pkey primary key (id),
  -- One contact for each address. 01b makes it one for each tenant and address.
  constraint contacts_email_key unique (email),
  constraint contacts_email_check check (email = lower(email) and position('@' in email) > 1),
  constraint contacts_source_check check (source in ('manual', 'mail', 'calendar', 'import'))
);

-- ── raw_events ───────────────────────────────────────────────────────────────────────────────────

create table if not exists public.raw_events (
  id uuid not null default gen_random_uuid(),
  source text not null,
  external_id text not null,
  payload jsonb not null,
  status text not null default 'pending',
  error text,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint raw_events_pkey primary key (id),
  -- Providers deliver more than once: this is what makes a second delivery harmless. 01b makes it
  -- one for each tenant, source and id, for two users may well receive the same mail.
  constraint raw_events_source_external_id_key unique (source, external_id),
  constraint raw_events_source_check check (source in ('mail', 'calendar', 'webhook', 'import')),
  constraint raw_events_status_check check (status in ('pending', 'processed', 'failed', 'ignored'))
);

create index if not exists raw_events_pending_idx
on public.raw_events (received_at) where status = 'pending';

-- ── interactions ─────────────────────────────────────────────────────────────────────────────────

create table if not exists public.interactions (
  id uuid not null default gen_random_uuid(),
  contact_id uuid not null,
  raw_event_id uuid,
  kind text not null,
  direction text,
  subject text,
  body text,
  occurred_at timestamptz not null,
  ended_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint interactions_pkey primary key (id),
  -- A timeline without its contact means nothing.
  constraint interactions_contact_id_fkey
  foreign key (contact_id) references public.contacts (id) on delete cascade,
  -- Raw events are pruned after a while; what was learned from them stays.
  constraint interactions_raw_event_id_fkey
  foreign key (raw_event_id) references public.raw_events (id) on delete set null,
  constraint interactions_kind_check
  check (kind in ('email', 'meeting', 'call', 'message', 'note')),
  constraint interactions_direction_check check (direction in ('inbound', 'outbound')),
  constraint interactions_ended_at_check check (ended_at >= occurred_at)
);

create index if not exists interactions_contact_timeline_idx
on public.interactions (contact_id, occurred_at desc);
create index if not exists interactions_raw_event_id_idx on public.interactions (raw_event_id);

-- ── documents ────────────────────────────────────────────────────────────────────────────────────

create table if not exists public.documents (
  id uuid not null default gen_random_uuid(),
  contact_id uuid,
  raw_event_id uuid,
  title text not null,
  source text not null default 'upload',
  status text not null default 'pending',
  mime_type text,
  byte_size bigint,
  storage_path text, -- the object's name in Supabase Storage
  content text, -- the text taken out of the file, once status is 'ready'
  error text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint documents_pkey primary key (id),
  -- A contract is still a contract when the contact, or the mail that carried it, is deleted.
  constraint documents_contact_id_fkey
  foreign key (contact_id) references public.contacts (id) on delete set null,
  constraint documents_raw_event_id_fkey
  foreign key (raw_event_id) references public.raw_events (id) on delete set null,
  constraint documents_source_check check (source in ('upload', 'mail', 'calendar', 'web')),
  constraint documents_status_check check (status in ('pending', 'ready', 'failed')),
  constraint documents_byte_size_check check (byte_size >= 0)
);

create index if not exists documents_contact_id_idx on public.documents (contact_id);
create index if not exists documents_raw_event_id_idx on public.documents (raw_event_id);

-- ── jobs ─────────────────────────────────────────────────────────────────────────────────────────

-- A worker takes its next job with `select … where status = 'queued' and run_at <= now()
-- order by run_at limit 1 for update skip locked`.
create table if not exists public.jobs (
  id uuid not null default gen_random_uuid(),
  kind text not null,
  payload jsonb not null default '{}',
  status text not null default 'queued',
  run_at timestamptz not null default now(),
  attempts integer not null default 0,
  max_attempts integer not null default 5,
  locked_by text,
  locked_at timestamptz,
  finished_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint jobs_pkey primary key (id),
  -- A name, not a list: a new kind of job is a change of code, not of schema.
  constraint jobs_kind_check check (kind ~ '^[a-z][a-z0-9_.]*$'),
  constraint jobs_status_check
  check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  constraint jobs_attempts_check check (attempts >= 0 and max_attempts > 0)
);

create index if not exists jobs_queue_idx on public.jobs (run_at) where status = 'queued';

-- ── embeddings ───────────────────────────────────────────────────────────────────────────────────

-- One row is one piece (chunk) of one source, as one model sees it. The source is named by its kind
-- and id: one index, one query and one policy serve all kinds, tables of lane B included. What a
-- foreign key would do, the triggers at the end of this file do.
create table if not exists public.embeddings (
  id uuid not null default gen_random_uuid(),
  source_kind text not null,
  source_id uuid not null,
  chunk_index integer not null default 0,
  content text not null,
  model text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint embeddings_pkey primary key (id),
  constraint embeddings_source_key unique (source_kind, source_id, model, chunk_index),
  -- A kind is a table's name in the singular: contact, interaction, document, message, …
  constraint embeddings_source_kind_check check (source_kind ~ '^[a-z][a-z0-9_]*$'),
  constraint embeddings_chunk_index_check check (chunk_index >= 0)
);

-- ── ai_insights ──────────────────────────────────────────────────────────────────────────────────

create table if not exists public.ai_insights (
  id uuid not null default gen_random_uuid(),
  contact_id uuid,
  embedding_id uuid,
  kind text not null,
  title text not null,
  body text not null,
  confidence real,
  evidence jsonb not null default '[]', -- the passages it rests on, as they read at the time
  model text not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint ai_insights_pkey primary key (id),
  -- About one contact, and gone with it; or, without one, about the whole of a user's network.
  constraint ai_insights_contact_id_fkey
  foreign key (contact_id) references public.contacts (id) on delete cascade,
  -- The passage that prompted it. Passages are embedded anew with every new model; the insight,
  -- which keeps its evidence, does not depend on that.
  constraint ai_insights_embedding_id_fkey
  foreign key (embedding_id) references public.embeddings (id) on delete set null,
  constraint ai_insights_kind_check
  check (kind in ('summary', 'sentiment', 'next_step', 'opportunity', 'risk')),
  constraint ai_insights_confidence_check check (confidence between 0 and 1),
  constraint ai_insights_evidence_check check (jsonb_typeof(evidence) = 'array')
);

create index if not exists ai_insights_contact_timeline_idx
on public.ai_insights (contact_id, created_at desc);
create index if not exists ai_insights_embedding_id_idx on public.ai_insights (embedding_id);

-- ── Triggers ─────────────────────────────────────────────────────────────────────────────────────

create or replace trigger contacts_set_updated_at
before update on public.contacts for each row execute function private.set_updated_at();

create or replace trigger raw_events_set_updated_at
before update on public.raw_events for each row execute function private.set_updated_at();

create or replace trigger interactions_set_updated_at
before update on public.interactions for each row execute function private.set_updated_at();

create or replace trigger documents_set_updated_at
before update on public.documents for each row execute function private.set_updated_at();

create or replace trigger jobs_set_updated_at
before update on public.jobs for each row execute function private.set_updated_at();

create or replace trigger embeddings_set_updated_at
before update on public.embeddings for each row execute function private.set_updated_at();

create or replace trigger ai_insights_set_updated_at
before update on public.ai_insights for each row execute function private.set_updated_at();

create or replace trigger contacts_delete_embeddings
after delete on public.contacts referencing old table as gone
for each statement execute function private.delete_embeddings_of_source('contact');

create or replace trigger interactions_delete_embeddings
after delete on public.interactions referencing old table as gone
for each statement execute function private.delete_embeddings_of_source('interaction');

create or replace trigger documents_delete_embeddings
after delete on public.documents referencing old table as gone
for each statement execute function private.delete_embeddings_of_source('document');
