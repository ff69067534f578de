-- Row level security for what models made: users read their own, service_role alone writes.
--
-- An embedding must match its source and an insight its evidence, or search and advice can be
-- poisoned; so both are written by the workers that computed them. Users still decide when they go:
-- deleting a source deletes its embeddings, deleting a contact its insights.
--
-- Two locks on each table: no grant to write, and no policy to write either.
--
-- The rules that all RLS files follow stand at the top of 02_rls_core_tables.sql.
-- Needs 01b_add_user_tenant_columns.sql. Safe to run again.

set local client_min_messages = warning; -- "does not exist, skipping" is not news

-- ── embeddings ───────────────────────────────────────────────────────────────────────────────────

alter table public.embeddings enable row level security;

revoke all on table public.embeddings from public, anon, authenticated, service_role;
grant select on table public.embeddings to authenticated;
grant select, insert, update, delete on table public.embeddings to service_role;

drop policy if exists embeddings_select_own on public.embeddings;
create policy embeddings_select_own on public.embeddings
for select to authenticated
using ((select auth.uid()) = user_id);

-- ── ai_insights ──────────────────────────────────────────────────────────────────────────────────

alter table public.ai_insights enable row level security;

revoke all on table public.ai_insights from public, anon, authenticated, service_role;
grant select on table public.ai_insights to authenticated;
grant select, insert, update, delete on table public.ai_insights to service_role;

drop policy if exists ai_insights_select_own on public.ai_insights;
create policy ai_insights_select_own on public.ai_insights
for select to authenticated
using ((select auth.uid()) = user_id);
