"""Tables."""

from .mutation import M

MUTATIONS = {
    "table": M(
        "create table public.n (id int)",
        "drop table public.n",
        "+ column public.n.id, + table public.n",
    ),
    "table rename": M(
        "alter table public.typed_later rename to renamed",
        "alter table public.renamed rename to typed_later",
        """- column public.typed_later.a, - column public.typed_later.b, - table public.typed_later,
        + column public.renamed.a, + column public.renamed.b, + table public.renamed""",
    ),
    "unlogged": M(
        "alter table public.base set unlogged",
        "alter table public.base set logged",
        "~ table public.base",
    ),
    "storage parameter": M(
        "alter table public.t set (fillfactor = 70)",
        "alter table public.t reset (fillfactor)",
        "~ table public.t",
    ),
    "toast parameter": M(
        "alter table public.t set (toast.autovacuum_enabled = false)",
        "alter table public.t reset (toast.autovacuum_enabled)",
        "~ table public.t",
    ),
    "replica identity": M(
        "alter table public.t replica identity full",
        "alter table public.t replica identity default",
        "~ table public.t",
    ),
    "clustered on an index": M(
        "alter table public.t cluster on t_b_idx",
        "alter table public.t set without cluster",
        "~ index public.t.t_b_idx",
    ),
    "clustered on a key": M(
        "alter table public.child cluster on child_pkey",
        "alter table public.child set without cluster",
        "~ constraint public.child.child_pkey",
    ),
    "table of a type": M(
        "create table public.typed of public.pair",
        "drop table public.typed",
        "+ table public.typed, + column public.typed.x, + column public.typed.y",
    ),
    "table to another schema": M(
        "alter table public.typed_later set schema side",
        "alter table side.typed_later set schema public",
        """- column public.typed_later.a, - column public.typed_later.b, - table public.typed_later,
        + column side.typed_later.a, + column side.typed_later.b, + table side.typed_later""",
    ),
    "access method of a table": M(
        "alter table public.base set access method ground_heap",
        "alter table public.base set access method heap",
        "~ table public.base",
    ),
    "view with a table's options": M(
        "alter materialized view public.mv set (fillfactor = 70)",
        "alter materialized view public.mv reset (fillfactor)",
        "~ materialized view public.mv",
    ),
    "toast parameter of a materialized view": M(
        """create materialized view public.long as select ''::text as a;
        alter materialized view public.long set (toast.autovacuum_enabled = false)""",
        "drop materialized view public.long",
        "+ materialized view public.long, + column public.long.a",
    ),
    "replica identity nothing": M(
        "alter table public.t replica identity nothing",
        "alter table public.t replica identity default",
        "~ table public.t",
    ),
    "table to a type": M(
        "alter table public.typed_later of public.twin",
        "alter table public.typed_later not of",
        "~ table public.typed_later",
    ),
}
