"""The doctor's findings: three levels, each finding with a message and the next step."""

from __future__ import annotations

from collections.abc import Sequence

from twolane.guards.findings import ERROR, INFO, WARNING, Finding
from twolane.repo.locations import Place


def error(
    subject: str, message: str, first: str, details: Sequence[str] = (), place: Place | None = None
) -> Finding:
    """A finding that makes a command fail, or a secret that others can read."""
    return Finding("", subject, message, first, level=ERROR, details=tuple(details), place=place)


def warning(
    subject: str, message: str, first: str, details: Sequence[str] = (), place: Place | None = None
) -> Finding:
    """A finding that lets commands run, but will do harm or cause surprise."""
    return Finding("", subject, message, first, level=WARNING, details=tuple(details), place=place)


def info(subject: str, message: str, first: str = "", details: Sequence[str] = ()) -> Finding:
    """A finding that explains something; nothing is wrong."""
    return Finding("", subject, message, first, level=INFO, details=tuple(details))
