"""Publications."""

from .mutation import M, Mutation


def pub(operations: str) -> Mutation:
    """A publication of other operations."""
    return M(
        f"alter publication pub set (publish = {operations})",
        "alter publication pub set (publish = 'insert, update, delete, truncate')",
        "~ publication pub",
    )


MUTATIONS = {
    "publication": M(
        "alter publication pub set (publish = 'insert')",
        "alter publication pub set (publish = 'insert, update, delete, truncate')",
        "~ publication pub",
    ),
    "publication table": M(
        "alter publication pub add table public.child (id) where (id > 1)",
        "alter publication pub drop table public.child",
        "+ publication table pub public.child",
    ),
    "publication schema": M(
        "alter publication pub add tables in schema side",
        "alter publication pub drop tables in schema side",
        "+ publication schema pub side",
    ),
    "table in Supabase's publication": M(
        "alter publication supabase_realtime add table public.child",
        "alter publication supabase_realtime drop table public.child",
        "+ publication table supabase_realtime public.child",
    ),
    "publication of no inserts": pub("'update, delete, truncate'"),
    "publication of no updates": pub("'insert, delete, truncate'"),
    "publication of no deletes": pub("'insert, update, truncate'"),
    "publication of no truncates": pub("'insert, update, delete'"),
    "publication via the root": M(
        "alter publication pub set (publish_via_partition_root = true)",
        "alter publication pub set (publish_via_partition_root = false)",
        "~ publication pub",
    ),
    "publication of generated columns": M(
        "alter publication pub set (publish_generated_columns = stored)",
        "alter publication pub set (publish_generated_columns = none)",
        "~ publication pub",
        since=18,
    ),
    "publication of all tables": M(
        "drop publication pub; create publication pub for all tables",
        "drop publication pub; create publication pub",
        "~ publication pub",
    ),
    "publication's columns": M(
        "alter publication narrow set table public.ref (id, y) where (id > 1)",
        "alter publication narrow set table public.ref (id, x) where (id > 1)",
        "~ publication table narrow public.ref",
    ),
    "publication's filter": M(
        "alter publication narrow set table public.ref (id, x) where (id > 2)",
        "alter publication narrow set table public.ref (id, x) where (id > 1)",
        "~ publication table narrow public.ref",
    ),
    "publication without a schema": M(
        "alter publication wide drop tables in schema side",
        "alter publication wide add tables in schema side",
        "- publication schema wide side",
    ),
    "publication rename": M(
        "alter publication wide rename to broad",
        "alter publication broad rename to wide",
        """- publication wide, - publication schema wide side,
        + publication broad, + publication schema broad side""",
    ),
}
