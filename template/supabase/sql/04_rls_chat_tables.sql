-- Row level security for chat: a thread, its messages and their tool calls belong to one user.
--
-- A message can only be put into a thread, and a tool call under a message, of the same user. Every
-- row carries user_id itself, so that reading needs no join: the policies of a long conversation
-- cost one comparison a row.
--
-- Users may write messages of any role, 'assistant' too: the service that talks to the model does
-- so in the user's own session. What a user can forge that way is their own conversation.
--
-- The rules that all RLS files follow stand at the top of 02_rls_core_tables.sql.
-- Needs 01b_add_user_tenant_columns.sql. Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

-- ── threads ──────────────────────────────────────────────────────────────────────────────────────

alter table public.threads enable row level security;

revoke all on table public.threads from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.threads to authenticated;
grant select, insert, update, delete on table public.threads to service_role;

drop policy if exists threads_select_own on public.threads;
create policy threads_select_own on public.threads
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists threads_insert_own on public.threads;
create policy threads_insert_own on public.threads
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and (contact_id is null or exists (
    select 1 from public.contacts as contact
    where contact.id = threads.contact_id and contact.user_id = threads.user_id
  ))
);

drop policy if exists threads_update_own on public.threads;
create policy threads_update_own on public.threads
for update to authenticated
using ((select auth.uid()) = user_id)
with check (
  (select auth.uid()) = user_id
  and (contact_id is null or exists (
    select 1 from public.contacts as contact
    where contact.id = threads.contact_id and contact.user_id = threads.user_id
  ))
);

drop policy if exists threads_delete_own on public.threads;
create policy threads_delete_own on public.threads
for delete to authenticated
using ((select auth.uid()) = user_id);

-- ── messages ─────────────────────────────────────────────────────────────────────────────────────

alter table public.messages enable row level security;

revoke all on table public.messages from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.messages to authenticated;
grant select, insert, update, delete on table public.messages to service_role;

drop policy if exists messages_select_own on public.messages;
create policy messages_select_own on public.messages
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists messages_insert_own on public.messages;
create policy messages_insert_own on public.messages
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.threads as thread
    where thread.id = messages.thread_id and thread.user_id = messages.user_id
  )
);

drop policy if exists messages_update_own on public.messages;
create policy messages_update_own on public.messages
for update to authenticated
using ((select auth.uid()) = user_id)
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.threads as thread
    where thread.id = messages.thread_id and thread.user_id = messages.user_id
  )
);

drop policy if exists messages_delete_own on public.messages;
create policy messages_delete_own on public.messages
for delete to authenticated
using ((select auth.uid()) = user_id);

-- The counter behind messages.seq. Inserting needs no right on it; an older project grants it all.
revoke all on sequence public.messages_seq_seq from public, anon, authenticated, service_role;

-- ── tool_invocations ─────────────────────────────────────────────────────────────────────────────

alter table public.tool_invocations enable row level security;

revoke all on table public.tool_invocations from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.tool_invocations to authenticated;
grant select, insert, update, delete on table public.tool_invocations to service_role;

drop policy if exists tool_invocations_select_own on public.tool_invocations;
create policy tool_invocations_select_own on public.tool_invocations
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists tool_invocations_insert_own on public.tool_invocations;
create policy tool_invocations_insert_own on public.tool_invocations
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.messages as message
    where message.id = tool_invocations.message_id and message.user_id = tool_invocations.user_id
  )
);

drop policy if exists tool_invocations_update_own on public.tool_invocations;
create policy tool_invocations_update_own on public.tool_invocations
for update to authenticated
using ((select auth.uid()) = user_id)
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.messages as message
    where message.id = tool_invocations.message_id and message.user_id = tool_invocations.user_id
  )
);

drop policy if exists tool_invocations_delete_own on public.tool_invocations;
create policy tool_invocations_delete_own on public.tool_invocations
for delete to authenticated
using ((select auth.uid()) = user_id);
