"""What long work may tell the person who waits. Nothing below `twolane.tasks` prints by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

Working = Callable[[str], AbstractContextManager[Any]]
"""Called with the name of the work in the context, which is told if the work takes long."""


class Tell(Protocol):
    """Commands pass `twolane.tasks.console`, which prints."""

    def say(self, text: str = "") -> None:
        """Tells a part of the result."""

    def warn(self, text: str) -> None:
        """Tells what the user should look at."""

    def note(self, text: str) -> None:
        """Tells progress, which is no part of the result."""

    def working(self, label: str) -> AbstractContextManager[None]:
        """Tells the label if the work in the context takes long."""


def silently(label: str) -> AbstractContextManager[None]:
    """A `Working` for when nobody waits."""
    return nullcontext()
