"""Progress messages for a waiting person, on standard error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def note(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)


@contextmanager
def working(label: str) -> Iterator[None]:
    """Prints the label if the block takes longer than a second."""
    timer = threading.Timer(1.0, note, [f"{label} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
