"""`app.py` changes, and the revision follows: gen, push, gen again, and all the way back."""

from __future__ import annotations

import json
import re
import shlex
import textwrap

from service import APP, Service

HEAD = '''"""The app's tables."""

import datetime
import enum
import uuid
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import (
    CheckConstraint,
    Computed,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Sequence,
    TypeDecorator,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from .base import AppBase, TenantOwned, Timestamps, UUIDKey

'''
NO_CHANGES = "✓ No schema changes.\n"


def notes(body: str, before: str = "") -> str:
    """`app.py` with the table `notes`, which has a key and these columns."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f'{before}\n\nclass Notes(UUIDKey, AppBase):\n    __tablename__ = "notes"\n\n{lines}\n'


def write(service: Service, body: str) -> None:
    service.write(APP, HEAD + body)


def evolve(service: Service, body: str, *options: str) -> str:
    """Writes `app.py`, generates, pushes with every consent; it settles. The revision's body."""
    write(service, body)
    told = service.invoke("db.gen", "-m", "change", *options).out
    consents = _consents(told)
    pushed = service.invoke("db.push", *consents, code=None)
    if pushed.code == 2:  # of what the rows decide `db.gen` does not know
        service.invoke("db.push", *consents, *_consents(pushed.out))
    else:
        assert pushed.code == 0, pushed.text
    assert service.invoke("db.gen", "-m", "again").out == NO_CHANGES
    return service.revisions()[-1].read_text()


def _consents(told: str) -> list[str]:
    """The options that the hazards of this plan need."""
    keys = re.findall(r"needs --allow (.+)", told)
    return [part for key in keys for part in ("--allow", *shlex.split(key))]


def assert_reversible(service: Service) -> None:
    """Every revision goes down and up again, and leaves what was there before."""
    told = json.loads(service.invoke("db.check", "--json", code=None).out)
    grave = [f for f in told["findings"] if f["check"] in ("replay", "reversible", "baseline")]
    assert grave == []
