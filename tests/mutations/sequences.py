"""Sequences."""

from .mutation import M, Mutation


def s(change: str, back: str) -> Mutation:
    """An option of a sequence, and the option as it was."""
    return M(
        f"alter sequence public.s {change}",
        f"alter sequence public.s {back}",
        "~ sequence public.s",
    )


MUTATIONS = {
    "sequence": M(
        "alter sequence public.s increment 5 cycle",
        "alter sequence public.s increment 1 no cycle",
        "~ sequence public.s",
    ),
    "sequence owner column": M(
        "alter sequence public.s owned by public.child.id",
        "alter sequence public.s owned by none",
        "~ sequence public.s",
    ),
    "sequence's type": s("as smallint", "as bigint"),
    "sequence's start": s("start 5", "start 1"),
    "sequence's minimum": s("minvalue -5", "no minvalue"),
    "sequence's maximum": s("maxvalue 500", "no maxvalue"),
    "sequence's cache": s("cache 9", "cache 1"),
    "sequence's cycle": s("cycle", "no cycle"),
    "sequence's increment": s("increment 2", "increment 1"),
    "sequence unlogged": s("set unlogged", "set logged"),
    "sequence rename": M(
        "alter sequence public.s rename to q",
        "alter sequence public.q rename to s",
        "- sequence public.s, + sequence public.q",
    ),
    "serial": M(
        "create table public.counted (id serial)",
        "drop table public.counted",
        "+ table public.counted, + column public.counted.id, + sequence public.counted_id_seq",
    ),
}
