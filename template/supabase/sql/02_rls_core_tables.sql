-- Row level security for the core tables: each user sees and changes their own rows, nobody else's.
--
--                  a user may                       why not more
--   contacts       select, insert, update, delete
--   interactions   select, insert, update, delete
--   documents      select, insert, update, delete
--   raw_events     select, insert, delete           what a provider sent is evidence: imported and
--                                                   forgotten by its owner, never rewritten
--   jobs           select, insert (as queued)       from then on a job is the workers'
--
-- A worker runs jobs and reads raw events with the rights of service_role, so it must treat what
-- stands in them as any other input from outside.
--
-- In every RLS file of this folder:
--
--   * Grants say which commands a role may use at all, policies say on which rows. Both are needed.
--     An older Supabase project grants everything on a new table, truncate included, which RLS does
--     not govern; a newer one grants nothing. Revoking all first makes the two alike.
--   * anon is granted nothing. service_role bypasses RLS: it is for the server alone.
--   * A policy names its role, so that it costs no other role anything, and wraps the call as
--     `(select auth.uid())`, so that it runs once a query and not once a row.
--   * A row may point only at rows of its own tenant. The foreign key cannot see to that, as its
--     check is not subject to RLS: `with check` does. (service_role, past RLS, must see to it.)
--   * `drop policy if exists … ; create policy …` because there is no `create or replace policy`.
--     Both are in one transaction, so that there is no moment without it.
--
-- Needs 01b_add_user_tenant_columns.sql. Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

-- ── contacts ─────────────────────────────────────────────────────────────────────────────────────

alter table public.contacts enable row level security;

revoke all on table public.contacts from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.contacts to authenticated;
grant select, insert, update, delete on table public.contacts to service_role;

drop policy if exists contacts_select_own on public.contacts;
create policy contacts_select_own on public.contacts
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists contacts_insert_own on public.contacts;
create policy contacts_insert_own on public.contacts
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists contacts_update_own on public.contacts;
create policy contacts_update_own on public.contacts
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

drop policy if exists contacts_delete_own on public.contacts;
create policy contacts_delete_own on public.contacts
for delete to authenticated
using ((select auth.uid()) = user_id);

-- ── raw_events ───────────────────────────────────────────────────────────────────────────────────

alter table public.raw_events enable row level security;

revoke all on table public.raw_events from public, anon, authenticated, service_role;
grant select, insert, delete on table public.raw_events to authenticated;
grant select, insert, update, delete on table public.raw_events to service_role;

drop policy if exists raw_events_select_own on public.raw_events;
create policy raw_events_select_own on public.raw_events
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists raw_events_insert_own on public.raw_events;
create policy raw_events_insert_own on public.raw_events
for insert to authenticated
with check ((select auth.uid()) = user_id);

drop policy if exists raw_events_delete_own on public.raw_events;
create policy raw_events_delete_own on public.raw_events
for delete to authenticated
using ((select auth.uid()) = user_id);

-- ── interactions ─────────────────────────────────────────────────────────────────────────────────

alter table public.interactions enable row level security;

revoke all on table public.interactions from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.interactions to authenticated;
grant select, insert, update, delete on table public.interactions to service_role;

drop policy if exists interactions_select_own on public.interactions;
create policy interactions_select_own on public.interactions
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists interactions_insert_own on public.interactions;
create policy interactions_insert_own on public.interactions
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.contacts as contact
    where contact.id = interactions.contact_id and contact.user_id = interactions.user_id
  )
  and (raw_event_id is null or exists (
    select 1 from public.raw_events as raw_event
    where raw_event.id = interactions.raw_event_id and raw_event.user_id = interactions.user_id
  ))
);

drop policy if exists interactions_update_own on public.interactions;
create policy interactions_update_own on public.interactions
for update to authenticated
using ((select auth.uid()) = user_id)
with check (
  (select auth.uid()) = user_id
  and exists (
    select 1 from public.contacts as contact
    where contact.id = interactions.contact_id and contact.user_id = interactions.user_id
  )
  and (raw_event_id is null or exists (
    select 1 from public.raw_events as raw_event
    where raw_event.id = interactions.raw_event_id and raw_event.user_id = interactions.user_id
  ))
);

drop policy if exists interactions_delete_own on public.interactions;
create policy interactions_delete_own on public.interactions
for delete to authenticated
using ((select auth.uid()) = user_id);

-- ── documents ────────────────────────────────────────────────────────────────────────────────────

alter table public.documents enable row level security;

revoke all on table public.documents from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.documents to authenticated;
grant select, insert, update, delete on table public.documents to service_role;

drop policy if exists documents_select_own on public.documents;
create policy documents_select_own on public.documents
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists documents_insert_own on public.documents;
create policy documents_insert_own on public.documents
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and (contact_id is null or exists (
    select 1 from public.contacts as contact
    where contact.id = documents.contact_id and contact.user_id = documents.user_id
  ))
  and (raw_event_id is null or exists (
    select 1 from public.raw_events as raw_event
    where raw_event.id = documents.raw_event_id and raw_event.user_id = documents.user_id
  ))
);

drop policy if exists documents_update_own on public.documents;
create policy documents_update_own on public.documents
for update to authenticated
using ((select auth.uid()) = user_id)
with check (
  (select auth.uid()) = user_id
  and (contact_id is null or exists (
    select 1 from public.contacts as contact
    where contact.id = documents.contact_id and contact.user_id = documents.user_id
  ))
  and (raw_event_id is null or exists (
    select 1 from public.raw_events as raw_event
    where raw_event.id = documents.raw_event_id and raw_event.user_id = documents.user_id
  ))
);

drop policy if exists documents_delete_own on public.documents;
create policy documents_delete_own on public.documents
for delete to authenticated
using ((select auth.uid()) = user_id);

-- ── jobs ─────────────────────────────────────────────────────────────────────────────────────────

alter table public.jobs enable row level security;

revoke all on table public.jobs from public, anon, authenticated, service_role;
grant select, insert on table public.jobs to authenticated;
grant select, insert, update, delete on table public.jobs to service_role;

drop policy if exists jobs_select_own on public.jobs;
create policy jobs_select_own on public.jobs
for select to authenticated
using ((select auth.uid()) = user_id);

drop policy if exists jobs_insert_own on public.jobs;
create policy jobs_insert_own on public.jobs
for insert to authenticated
with check (
  (select auth.uid()) = user_id
  and status = 'queued'
  and attempts = 0
  and locked_at is null
  and finished_at is null
);
