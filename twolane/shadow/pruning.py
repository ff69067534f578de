"""Which shadows are kept: those that a command needed lately, as long as they take little room."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from twolane.config import Config
from twolane.postgres import databases
from twolane.shadow import facts_files, shadow_server

if TYPE_CHECKING:
    from psycopg import Connection

# For how many seconds since a command needed it a shadow is kept.
KEEP_FOR = 7 * 86_400


class Room(NamedTuple):
    """How many shadows are kept beside the last replay's, or else how many bytes of them."""

    number: int
    size: int


# `.postgres/` stays small; on a server elsewhere other clones of the repo may use them as well.
_HERE, _ELSEWHERE, NONE = Room(3, 32 << 20), Room(16, 0), Room(0, 0)


def room(config: Config) -> Room:
    """The room on the service's shadow server."""
    return _ELSEWHERE if config.environment.get(shadow_server.VARIABLE) else _HERE


def prune(config: Config) -> tuple[int, int]:
    """Drops all shadows that nobody is connected to, and what interrupted commands left.

    Returns how many there were and how many bytes they held. The next command replays the files.
    """
    with databases.connect(shadow_server.find(config)) as connection:
        return drop_unused(config, connection, set(), NONE)


def drop_unused(
    config: Config, maintenance: Connection[Any], used: set[str], room: Room
) -> tuple[int, int]:
    """Drops the least recently used shadows, and unfinished ones."""
    from psycopg import errors

    for name in [
        *databases.abandoned(maintenance, "shadow_"),
        *databases.old_clones(maintenance),
    ]:
        databases.drop(maintenance, name)
    cached = [path for path in facts_files.of_all(config) if path.stem not in used]
    sizes = databases.sizes(maintenance, [path.stem for path in cached])
    oldest, held, dropped = time.time() - KEEP_FOR, 0, []
    for number, path in enumerate(cached):
        held += sizes.get(path.stem, 0)
        is_small = number < room.number or held <= room.size
        if is_small and path.stat().st_mtime > oldest:
            continue
        try:
            databases.drop(maintenance, path.stem, force=False)
            path.unlink(missing_ok=True)
            dropped.append(path.stem)
        except errors.ObjectInUse:
            continue
    return len(dropped), sum(sizes.get(name, 0) for name in dropped)
