"""Schemas that other people wrote. They are no part of this repo; a test needs them beside it."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared/schemas"
NAMES = [
    "chinook",
    "northwind",
    "pagila",
    "subscription_payments",
    "supabase_slack_clone",
    "supabase_todo",
    "trigger_dev",
]


def script(name: str, major: int) -> bytes:
    """The schema's SQL; skips the test where it is not there or that major can't take it."""
    path = FOLDER / f"{name}.sql"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    if name == "pagila" and major < 18:
        pytest.skip(f"pagila needs Postgres 18, this is {major}")
    # The dumps were made on 18; 15 and 16 do not know this setting of the session.
    return path.read_bytes().replace(b"SET transaction_timeout = 0;", b"")
