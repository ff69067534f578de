"""Foreign data wrappers, servers, tables, user mappings."""

from .mutation import M, Mutation, remade


def beyond(definition: str) -> Mutation:
    """Another definition of a server."""
    return remade(
        "drop server beyond",
        "create server beyond type 'a' version '1' foreign data wrapper nowhere",
        f"create server beyond {definition}",
        "~ server beyond",
    )


MUTATIONS = {
    "foreign data wrapper": M(
        "alter foreign data wrapper nowhere options (a '1')",
        "alter foreign data wrapper nowhere options (drop a)",
        "~ foreign-data wrapper nowhere",
    ),
    "foreign server": M(
        "alter server elsewhere options (host 'x')",
        "alter server elsewhere options (drop host)",
        "~ server elsewhere",
    ),
    "foreign table": M(
        "alter foreign table public.ft options (name 'x')",
        "alter foreign table public.ft options (drop name)",
        "~ foreign table public.ft",
    ),
    "foreign table's key of a service": M(
        "alter foreign table public.ft options (api_key 'x')",
        "alter foreign table public.ft options (drop api_key)",
        "~ foreign table public.ft",
    ),
    "foreign table's column": M(
        "alter foreign table public.ft alter id options (name 'x')",
        "alter foreign table public.ft alter id options (drop name)",
        "~ column public.ft.id",
    ),
    "user mapping": M(
        "create user mapping for anon server elsewhere options (password 'hush')",
        "drop user mapping for anon server elsewhere",
        "+ user mapping anon on server elsewhere",
    ),
    "wrapper's handler": M(
        "alter foreign data wrapper nowhere handler public.wrap",
        "alter foreign data wrapper nowhere no handler",
        "~ foreign-data wrapper nowhere",
    ),
    "wrapper's validator": M(
        "alter foreign data wrapper nowhere validator postgresql_fdw_validator",
        "alter foreign data wrapper nowhere no validator",
        "~ foreign-data wrapper nowhere",
    ),
    "server's version": M(
        "alter server beyond version '2'",
        "alter server beyond version '1'",
        "~ server beyond",
    ),
    "server's type": beyond("type 'b' version '1' foreign data wrapper nowhere"),
    "server's wrapper": beyond("type 'a' version '1' foreign data wrapper somewhere"),
    "server rename": M(
        "alter server beyond rename to behind",
        "alter server behind rename to beyond",
        "- server beyond, + server behind",
    ),
    "foreign table's server": M(
        "drop foreign table public.ft; create foreign table public.ft (id int) server beyond",
        "drop foreign table public.ft; create foreign table public.ft (id int) server elsewhere",
        "~ foreign table public.ft",
    ),
    "foreign table's check": M(
        "alter foreign table public.ft add constraint positive check (id > 0)",
        "alter foreign table public.ft drop constraint positive",
        "+ constraint public.ft.positive",
    ),
    "user mapping of the public": M(
        "create user mapping for public server elsewhere",
        "drop user mapping for public server elsewhere",
        "+ user mapping public on server elsewhere",
    ),
    "user mapping of another server": M(
        """drop user mapping for current_user server elsewhere;
        create user mapping for current_user server beyond""",
        """drop user mapping for current_user server beyond;
        create user mapping for current_user server elsewhere""",
        """- user mapping postgres on server elsewhere, + user mapping postgres on server beyond""",
    ),
}
