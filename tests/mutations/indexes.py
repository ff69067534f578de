"""Indexes."""

from .mutation import M, Mutation, remade


def link_idx(definition: str) -> Mutation:
    """Another definition of an index."""
    return remade(
        "drop index public.link_idx",
        "create index link_idx on public.link (y)",
        f"create index link_idx {definition}",
        "~ index public.link.link_idx",
    )


MUTATIONS = {
    "index of a partitioned table": M(
        "create index parted_label_idx on public.parted (label)",
        "drop index public.parted_label_idx",
        "+ index public.parted.parted_label_idx",
    ),
    "index of a partition alone": M(
        "create index part_label_idx on public.part_1 (label)",
        "drop index public.part_label_idx",
        "+ index public.part_1.part_label_idx",
    ),
    "index statistics": M(
        """create index t_sum_idx on public.t ((a + 1));
        alter index public.t_sum_idx alter column 1 set statistics 300""",
        "drop index public.t_sum_idx",
        "+ index public.t.t_sum_idx",
    ),
    "index of a materialized view": M(
        "drop index public.mv_a_idx",
        "create index mv_a_idx on public.mv (a)",
        "- index public.mv.mv_a_idx",
    ),
    "replica identity by an index": M(
        """alter table public.t alter a set not null;
        alter table public.t replica identity using index t_a_key""",
        """alter table public.t replica identity default;
        alter table public.t alter a drop not null""",
        "~ column public.t.a, ~ index public.t.t_a_key",
    ),
    "index's method": link_idx("on public.link using hash (y)"),
    "index's operator class": link_idx("on public.link (y text_pattern_ops)"),
    "index's order": link_idx("on public.link (y desc)"),
    "index's nulls": link_idx("on public.link (y nulls first)"),
    "index's collation": link_idx('on public.link (y collate "C")'),
    "index's predicate": link_idx("on public.link (y) where x > 1"),
    "index's expression": link_idx("on public.link (lower(y))"),
    "index's column": link_idx("on public.link (note)"),
    "index, unique": M(
        "drop index public.t_a_key; create index t_a_key on public.t (a)",
        "drop index public.t_a_key; create unique index t_a_key on public.t (a)",
        "~ index public.t.t_a_key",
    ),
    "index, nulls not distinct": M(
        """drop index public.t_a_key;
        create unique index t_a_key on public.t (a) nulls not distinct""",
        "drop index public.t_a_key; create unique index t_a_key on public.t (a)",
        "~ index public.t.t_a_key",
    ),
    "index's parameters": M(
        "alter index public.link_idx set (fillfactor = 60, deduplicate_items = off)",
        "alter index public.link_idx reset (fillfactor, deduplicate_items)",
        "~ index public.link.link_idx",
    ),
    "index rename": M(
        "alter index public.link_idx rename to link_index",
        "alter index public.link_index rename to link_idx",
        "- index public.link.link_idx, + index public.link.link_index",
    ),
    "parameters of a partition's index": M(
        "alter index public.day_1_n_idx set (fillfactor = 60)",
        "alter index public.day_1_n_idx reset (fillfactor)",
        "+ index public.day_1.day_1_n_idx",
    ),
    "partition clustered on its index": M(
        "alter table public.day_1 cluster on day_1_n_idx",
        "alter table public.day_1 set without cluster",
        "+ index public.day_1.day_1_n_idx",
    ),
    "replica identity of a partition by its own index": M(
        "alter table public.day_1 replica identity using index day_1_pkey",
        "alter table public.day_1 replica identity default",
        "+ constraint public.day_1.day_1_pkey",
    ),
    "statistics of a partition's index": M(
        """create index days_sum_idx on public.days ((n + 1));
        alter index public.day_1_expr_idx alter column 1 set statistics 300""",
        "drop index public.days_sum_idx",
        "+ index public.days.days_sum_idx, + index public.day_1.day_1_expr_idx",
    ),
    "index of a partitioned table completed": M(
        """create index by_hand on public.day_1 (label);
        alter index public.days_label_idx attach partition public.by_hand""",
        """drop index public.days_label_idx;
        create index days_label_idx on only public.days (label)""",
        "~ index public.days.days_label_idx",
    ),
    "index's other expression": remade(
        "drop index public.gap_idx",
        "create index gap_idx on public.gap (lower(label))",
        "create index gap_idx on public.gap (upper(label))",
        "~ index public.gap.gap_idx",
    ),
    "index's further column": link_idx("on public.link (y, x)"),
    "index, including": link_idx("on public.link (y) include (x)"),
    "index": M(
        "create index t_lower_idx on public.t (lower(b) desc nulls last) include (a) where a > 1",
        "drop index public.t_lower_idx",
        "+ index public.t.t_lower_idx",
    ),
}
