"""G01 target: protects a database from a step that was meant for another.

A protected database is changed by somebody who writes its name, and never from CI; one of another
service is not changed; nor is one by mistake that has tables, and was never twolane's.
"""

from __future__ import annotations

from dataclasses import replace

from twolane.config import Config, Target
from twolane.guards.refusal import Refusal
from twolane.state.contact import Contact
from twolane.text import shortened


def target(
    config: Config, contact: Contact, confirm: str | None, plan: str | None = None
) -> Refusal | None:
    """G01: a database is changed on purpose, or not at all.

    plan: the digest of a plan that a person approved, which lets CI change a protected one.
    """
    is_approved = config.in_ci and plan is not None
    return (
        own_service(contact, confirm)
        or (None if is_approved else protected(config, contact, confirm))
        or first_contact(contact, confirm)
    )


def own_service(contact: Contact, confirm: str | None) -> Refusal | None:
    """G01: another service's database is not changed, unless it changes hands on purpose."""
    if contact.another is None or _consents(confirm, f"service:{contact.another.name}"):
        return None
    return Refusal(
        "G01",
        "target",
        f"The database of target {contact.target.name} belongs to another service, "
        f"{contact.another.name}.",
        f"{_right_url(contact)}; if this repo takes it over, repeat with "
        f"--confirm service:{contact.another.name}",
    )


def _right_url(contact: Contact) -> str:
    return f"correct the URL in {contact.target.variable}, or name the right --target"


def unknown_there(contact: Contact, blocked: Refusal) -> Refusal:
    """What `db.status` says of a database whose history is `blocked`: whose it is comes first."""
    other = own_service(contact, None)
    return replace(other, first=_right_url(contact)) if other else blocked


def protected(config: Config, contact: Contact, confirm: str | None) -> Refusal | None:
    """G01: production is changed by its name, and from a person's machine.

    A database is protected by `pyproject.toml`, under whatever URL it is reached, or by the label
    that it contains.
    """
    name = contact.protected_as
    if name is None:
        return None
    if config.in_ci:
        return Refusal(
            "G01",
            "target",
            f"{name} is protected, and this runs in CI:",
            "run it from a person's machine",
        )
    if not _consents(confirm, name):
        reached = contact.target.name
        known = "" if name == reached else f" (reached as target {reached})"
        return Refusal(
            "G01",
            "target",
            f"This database is protected as {name}{known}.",
            f"repeat with --confirm {name}",
        )
    return None


def first_contact(contact: Contact, confirm: str | None) -> Refusal | None:
    """G01: a database that has tables is no empty one, although twolane was never in it."""
    name = contact.protected_as or contact.target.name
    if not contact.unknown or _consents(confirm, name):
        return None
    first = "invoke db.adopt, to bring them in"
    if contact.has_revisions:
        first = "invoke db.adopt --record, where it was restored without its record"
    return Refusal(
        "G01",
        "target",
        "twolane never changed this database, and it has tables that the repo does not know:",
        f"{first}; to build beside them, repeat with --confirm {name}",
        details=shortened(contact.unknown),
    )


def _consents(confirm: str | None, name: str) -> bool:
    """Whether `--confirm` has the name; it takes several with commas."""
    return name in (confirm or "").split(",")


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
    """G01: what a person approved is what runs. digest: the plan's; approved: those given."""
    if approved is None or digest in approved.split(","):
        return None
    return Refusal(
        "G01",
        "target",
        f"The plan is now {digest}, not {approved}: the database or repo changed.",
        "invoke db.deploy --dry-run",
    )


def unapproved(config: Config, contact: Contact, digest: str, plan: str | None) -> Refusal | None:
    """G01: in CI a protected database gets the plan that a person approved, and no other."""
    if plan is not None or not config.in_ci or not protected(config, contact, None):
        return None
    return Refusal(
        "G01",
        "target",
        f"{contact.protected_as or contact.target.name} is protected, and this runs in CI; nothing "
        "was applied.",
        f"if a person approves the plan above: invoke db.deploy --plan {digest}",
    )
