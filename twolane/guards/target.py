"""G01 target: protects production from a step that was meant for another database.

A protected database is changed by somebody who writes its name, and never from CI.
"""

from __future__ import annotations

from twolane.config import Config, Target
from twolane.guards.refusal import Refusal
from twolane.repo.ledger import Ledger


def target(config: Config, target: Target, ledger: Ledger, confirm: str | None) -> Refusal | None:
    """G01: production is changed on purpose, or not at all.

    A database is protected by `pyproject.toml`, or by the label that it contains, so its URL is
    also refused under another name.
    """
    name = ledger.protected_as or (target.name if target.protected else None)
    if name is None:
        return None
    if config.in_ci:
        return Refusal(
            "G01",
            "target",
            f"{name} is protected, and this runs in CI:",
            "run it from a person's machine",
        )
    if confirm != name:
        known = "" if name == target.name else f" (reached as target {target.name})"
        return Refusal(
            "G01",
            "target",
            f"This database is protected as {name}{known}.",
            f"repeat with --confirm {name}",
        )
    return None


def embedded_only(target: Target) -> Refusal | None:
    """G01 for `db.reset`: it never drops a database with a URL."""
    if target.variable is None:
        return None
    return Refusal(
        "G01",
        "target",
        f"Target {target.name} is not the embedded database.",
        "invoke db.reset --target local",
    )


def plain_only(target: Target, has_platform: bool) -> Refusal | None:
    """G01 for `db.psql --platform`: the stub never meets a real Supabase."""
    if not has_platform:
        return None
    return Refusal(
        "G01",
        "target",
        f"Target {target.name} has auth.users: it is Supabase's, or has had the stub.",
        "invoke db.doctor",
    )


def other_plan(digest: str, approved: str | None) -> Refusal | None:
    """G01: what a person approved is what runs. digest: the plan's; approved: the one given."""
    if approved is None or approved == digest:
        return None
    return Refusal(
        "G01",
        "target",
        f"The plan is {digest} now, not {approved}: the database or the repo changed since then.",
        "invoke db.deploy --dry-run",
    )
