"""Extensions, what users put on objects of others, tablespaces: for servers that have them."""

from .mutation import M

MUTATIONS = {
    "extension": M(
        "drop extension vector",
        "create extension vector with schema extensions",
        "- extension vector",
    ),
    "rights on an extension's function taken from all": M(
        "revoke execute on function extensions.vector_norm(extensions.vector) from public",
        "grant execute on function extensions.vector_norm(extensions.vector) to public",
        "+ grant function extensions.vector_norm(extensions.vector) to public",
    ),
    "rights on an extension's function given to one": M(
        "grant execute on function extensions.vector_norm(extensions.vector) to anon",
        "revoke execute on function extensions.vector_norm(extensions.vector) from anon",
        "+ grant function extensions.vector_norm(extensions.vector) to anon",
    ),
    "rights on an extension's table": M(
        "grant select on table public.brought to anon",
        "revoke select on table public.brought from anon",
        "+ grant table public.brought to anon",
    ),
    "rights on an extension's type": M(
        "revoke usage on type extensions.vector from public",
        "grant usage on type extensions.vector to public",
        "+ grant type extensions.vector to public",
    ),
    "extension in another schema": M(
        "alter extension vector set schema side",
        "alter extension vector set schema extensions",
        "~ extension vector",
    ),
    "rls of an extension's table": M(
        "alter table public.brought enable row level security",
        "alter table public.brought disable row level security",
        "+ rls public.brought",
    ),
    "policy on an extension's table": M(
        "create policy mine on public.brought using (id = 1)",
        "drop policy mine on public.brought",
        "+ policy public.brought.mine",
    ),
    "trigger on an extension's table": M(
        """create trigger mine before update on public.brought
        for each row execute function public.touch()""",
        "drop trigger mine on public.brought",
        "+ trigger public.brought.mine",
    ),
    "rls of a queue": M(
        "alter table pgmq.q_jobs enable row level security",
        "alter table pgmq.q_jobs disable row level security",
        "+ rls pgmq.q_jobs",
    ),
    "policy on a queue": M(
        "create policy mine on pgmq.q_jobs using (id = 1)",
        "drop policy mine on pgmq.q_jobs",
        "+ policy pgmq.q_jobs.mine",
    ),
    "trigger on a queue": M(
        """create trigger mine before update on pgmq.q_jobs
        for each row execute function public.touch()""",
        "drop trigger mine on pgmq.q_jobs",
        "+ trigger pgmq.q_jobs.mine",
    ),
    "rls of an extension's queue": M(
        "alter table pgmq.q_more enable row level security",
        "alter table pgmq.q_more disable row level security",
        "+ rls pgmq.q_more",
    ),
    "policy on an extension's queue": M(
        "create policy mine on pgmq.q_more using (id = 1)",
        "drop policy mine on pgmq.q_more",
        "+ policy pgmq.q_more.mine",
    ),
    "trigger on an extension's queue": M(
        """create trigger mine before update on pgmq.q_more
        for each row execute function public.touch()""",
        "drop trigger mine on pgmq.q_more",
        "+ trigger pgmq.q_more.mine",
    ),
    "tablespace": M(
        "alter table public.base set tablespace nearby",
        "alter table public.base set tablespace pg_default",
        "~ table public.base",
    ),
    "tablespace of a partitioned table": M(
        "alter table public.days set tablespace nearby",
        "alter table public.days set tablespace pg_default",
        "~ table public.days",
    ),
    "tablespace of a materialized view": M(
        "alter materialized view public.mv set tablespace nearby",
        "alter materialized view public.mv set tablespace pg_default",
        "~ materialized view public.mv",
    ),
    "index's tablespace": M(
        "alter index public.link_idx set tablespace nearby",
        "alter index public.link_idx set tablespace pg_default",
        "~ index public.link.link_idx",
    ),
    "tablespace of a key's index": M(
        "alter index public.keyed_key set tablespace nearby",
        "alter index public.keyed_key set tablespace pg_default",
        "~ constraint public.keyed.keyed_key",
    ),
    "tablespace of a partition's index": M(
        "alter index public.day_1_n_idx set tablespace nearby",
        "alter index public.day_1_n_idx set tablespace pg_default",
        "+ index public.day_1.day_1_n_idx",
    ),
}
