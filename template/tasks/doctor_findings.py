"""What the doctor finds: three levels, each with a sentence and the way on."""

from __future__ import annotations

from collections.abc import Sequence

from .findings import ERROR, INFO, WARNING, Finding, Place


def error(
    subject: str, message: str, first: str, details: Sequence[str] = (), place: Place | None = None
) -> Finding:
    """A command fails because of it, or a secret is out."""
    return Finding("", subject, message, first, level=ERROR, details=tuple(details), place=place)


def warning(
    subject: str, message: str, first: str, details: Sequence[str] = (), place: Place | None = None
) -> Finding:
    """Commands run, but it will do harm or surprise."""
    return Finding("", subject, message, first, level=WARNING, details=tuple(details), place=place)


def info(subject: str, message: str, first: str = "", details: Sequence[str] = ()) -> Finding:
    """Nothing is wrong; it explains what one sees."""
    return Finding("", subject, message, first, level=INFO, details=tuple(details))
