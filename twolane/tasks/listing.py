"""`invoke --list` by lanes and by day.

Invoke has no setting for the order: it sorts commands by their names (3.0.3: `sorted` over
`Collection.tasks` in `Program._make_pairs`). So the names here are texts that sort by their place.
"""

from __future__ import annotations

from types import ModuleType

from invoke.collection import Collection

# The first words of a command's help, in this order; commands in the order in which one needs them.
ORDER = {
    "Every day": ("status", "check", "psql"),
    "Lane A": ("apply", "sync", "capture", "introspect"),
    "Lane B": ("gen", "push", "downgrade"),
    "Both lanes": ("bootstrap", "deploy", "export", "own", "disown"),
    "Tenants": ("rls", "prove"),
    "Look": ("why", "diagram", "page", "diff", "snapshot", "targets"),
    "Local server": ("up", "down", "reset"),
    "Once": ("adopt",),
    "Trouble": ("doctor",),
}
_PLACES = [name for names in ORDER.values() for name in names]


class _Placed(str):
    """A command's name that comes before another by its place in `ORDER`."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return (_place(self), str(self)) < (_place(other), str(other))


def _place(name: str) -> int:
    return _PLACES.index(name) if name in _PLACES else len(_PLACES)


def by_lanes(module: ModuleType) -> Collection:
    """The module's commands as a collection that `invoke --list` shows by lanes and by day."""
    found = Collection.from_module(module)
    tasks = type(found.tasks)()
    for name, task in found.tasks.items():
        tasks[_Placed(name)] = task
    found.tasks = tasks
    return found
