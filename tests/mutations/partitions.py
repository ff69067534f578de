"""Partitions and inheritance."""

from .mutation import M, Mutation, remade


def split(key: str, before: str = "list (n)") -> Mutation:
    """Another key of a partitioned table."""
    table = {
        "list (n)": "split",
        "range (n)": "split_2",
        "list (label)": "split_3",
        "list ((n + 1))": "split_4",
    }[before]
    create = f"create table public.{table} (n int, k int, label text) partition by"
    return remade(
        f"drop table public.{table}",
        f"{create} {before}",
        f"{create} {key}",
        f"~ table public.{table}",
    )


MUTATIONS = {
    "partition": M(
        "create table public.part_2 partition of public.parted for values in (2)",
        "drop table public.part_2",
        """+ table public.part_2, + column public.part_2.id, + column public.part_2.k,
        + column public.part_2.label""",
    ),
    "partition bound": M(
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 for values in (1, 3)""",
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 for values in (1)""",
        "~ table public.part_1",
    ),
    "inheritance": M(
        "alter table public.heir no inherit public.base",
        """drop table public.heir;
        create table public.heir (more int) inherits (public.base)""",
        "~ table public.heir, ~ column public.heir.id, ~ column public.heir.label",
    ),
    "partition detached": M(
        "alter table public.parted detach partition public.part_1",
        "alter table public.parted attach partition public.part_1 for values in (1)",
        "~ table public.part_1, ~ column public.part_1.id, ~ column public.part_1.k, "
        "~ column public.part_1.label",
    ),
    "default partition": M(
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 default""",
        """alter table public.parted detach partition public.part_1;
        alter table public.parted attach partition public.part_1 for values in (1)""",
        "~ table public.part_1",
    ),
    "partition of a partition": M(
        """create table public.part_2 partition of public.parted for values in (2)
          partition by hash (k)""",
        "drop table public.part_2",
        """+ table public.part_2, + column public.part_2.id, + column public.part_2.k,
        + column public.part_2.label""",
    ),
    "partition's own default": M(
        "alter table public.part_1 alter label set default 'x'",
        "alter table public.part_1 alter label drop default",
        "~ column public.part_1.label",
    ),
    "partitions by range": split("range (n)"),
    "partitions by another column": split("list (k)"),
    "partitions by an expression": split("list ((n + 1))"),
    "partitions by another operator class": split("list (label text_pattern_ops)", "list (label)"),
    "partitions by another collation": split('list (label collate "C")', "list (label)"),
    "parents in another order": M(
        """alter table public.mixed no inherit public.first;
        alter table public.mixed inherit public.first""",
        """drop table public.mixed;
        create table public.mixed () inherits (public.first, public.second);
        alter table public.mixed add constraint wide check (o < 100)""",
        "~ table public.mixed, ~ column public.mixed.o, + constraint public.mixed.first_o_check",
    ),
    "partitions by another expression": split("list ((n + 2))", "list ((n + 1))"),
    "partitions by two columns": split("range (n, k)", "range (n)"),
}
