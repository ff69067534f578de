-- Chat tables: conversations with an assistant that calls tools.
--
--   threads            one conversation
--   messages           its turns, in order
--   tool_invocations   the calls that an assistant's turn made, with what came back
--
-- Needs 00_core_tables.sql (contacts, the trigger functions). As there, the tenant column comes
-- with 01b_add_user_tenant_columns.sql, and what is part of a thing goes with it.
--
-- Safe to run again.

set local client_min_messages = warning; -- "already exists, skipping" is not news

-- ── threads ──────────────────────────────────────────────────────────────────────────────────────

create table if not exists public.threads (
  id uuid not null default gen_random_uuid(),
  contact_id uuid,
  title text,
  status text not null default 'open',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint threads_pkey primary key (id),
  -- The conversation may be about a contact; it is still the user's when the contact is gone.
  constraint threads_contact_id_fkey
  foreign key (contact_id) references public.contacts (id) on delete set null,
  constraint threads_status_check check (status in ('open', 'archived'))
);

create index if not exists threads_contact_id_idx on public.threads (contact_id);

-- ── messages ─────────────────────────────────────────────────────────────────────────────────────

create table if not exists public.messages (
  id uuid not null default gen_random_uuid(),
  thread_id uuid not null,
  -- The order of the turns. created_at cannot tell: all rows of a transaction share their now().
  seq bigint generated always as identity,
  role text not null,
  content text not null default '',
  status text not null default 'complete',
  model text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint messages_pkey primary key (id),
  constraint messages_thread_id_fkey
  foreign key (thread_id) references public.threads (id) on delete cascade,
  constraint messages_role_check check (role in ('system', 'user', 'assistant', 'tool')),
  constraint messages_status_check check (status in ('streaming', 'complete', 'failed'))
);

create index if not exists messages_thread_timeline_idx on public.messages (thread_id, seq);

-- ── tool_invocations ─────────────────────────────────────────────────────────────────────────────

create table if not exists public.tool_invocations (
  id uuid not null default gen_random_uuid(),
  message_id uuid not null,
  tool_call_id text not null, -- the model's own id of the call
  tool_name text not null,
  arguments jsonb not null default '{}',
  result jsonb,
  status text not null default 'pending',
  error text,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tool_invocations_pkey primary key (id),
  constraint tool_invocations_message_id_fkey
  foreign key (message_id) references public.messages (id) on delete cascade,
  -- A retried turn cannot run the same call twice. Its index serves the foreign key as well.
  constraint tool_invocations_message_id_tool_call_id_key unique (message_id, tool_call_id),
  constraint tool_invocations_status_check
  check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  constraint tool_invocations_finished_at_check check (finished_at >= started_at)
);

-- ── Triggers ─────────────────────────────────────────────────────────────────────────────────────

create or replace trigger threads_set_updated_at
before update on public.threads for each row execute function private.set_updated_at();

create or replace trigger messages_set_updated_at
before update on public.messages for each row execute function private.set_updated_at();

create or replace trigger tool_invocations_set_updated_at
before update on public.tool_invocations for each row execute function private.set_updated_at();

create or replace trigger messages_delete_embeddings
after delete on public.messages referencing old table as gone
for each statement execute function private.delete_embeddings_of_source('message');
