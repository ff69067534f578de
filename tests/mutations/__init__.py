"""Changes to a database, each with the facts that it changes."""

from . import (
    about,
    columns,
    constraints,
    foreign,
    grants,
    indexes,
    of_others,
    on_tables,
    operators,
    other,
    partitions,
    publications,
    routines,
    sequences,
    tables,
    types,
    views,
)
from .ground import GROUND
from .mutation import Mutation

__all__ = ["GROUND", "MUTATIONS", "ON_GROUND", "Mutation"]

# On any server.
MUTATIONS: dict[str, Mutation] = {
    **tables.MUTATIONS,
    **columns.MUTATIONS,
    **indexes.MUTATIONS,
    **constraints.MUTATIONS,
    **on_tables.MUTATIONS,
    **views.MUTATIONS,
    **routines.MUTATIONS,
    **types.MUTATIONS,
    **sequences.MUTATIONS,
    **partitions.MUTATIONS,
    **foreign.MUTATIONS,
    **operators.MUTATIONS,
    **publications.MUTATIONS,
    **other.MUTATIONS,
    **grants.MUTATIONS,
    **about.MUTATIONS,
}

# With what only `lay` adds.
ON_GROUND = MUTATIONS | of_others.MUTATIONS
