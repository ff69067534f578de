-- pgvector, the column of vectors on public.embeddings, and its index.
--
-- Extensions live in the schema `extensions`, out of the data API's sight and on the search_path of
-- a Supabase database. Names are qualified here all the same: a search_path is the session's.
--
-- The minimal starter has no table public.embeddings: there this file only installs the extension.
--
-- 1536 dimensions are those of OpenAI's text-embedding-3-small. Another model, another number:
-- alter the column, and embed anew. (HNSW indexes a `vector` of up to 2,000 dimensions; above that
-- use `halfvec`.)
--
-- Safe to run again.

set local client_min_messages = warning; -- "already exists, skipping" is not news

create schema if not exists extensions;

create extension if not exists vector with schema extensions;

do $$
declare
  installed_in constant text := (
    select extnamespace::regnamespace::text from pg_extension where extname = 'vector'
  );
begin
  if installed_in <> 'extensions' then
    raise exception 'the extension vector is installed in the schema %', installed_in
      using hint = 'Move it, then run this file again:'
        || e'\n  alter extension vector set schema extensions;';
  end if;

  if to_regclass('public.embeddings') is not null then
    -- May be null: the text is stored first, its vector when the model has answered.
    alter table public.embeddings add column if not exists embedding extensions.vector(1536);

    -- Cosine distance, the operator <=>. Policies filter after the index has found its candidates;
    -- `set local hnsw.iterative_scan = strict_order` keeps it looking until enough rows are left.
    create index if not exists embeddings_embedding_hnsw_idx
    on public.embeddings using hnsw (embedding extensions.vector_cosine_ops);
  end if;
end $$;
