"""The barrel: every table of both lanes, as in `from <package>.db.schema import Contacts`.

It gathers what is there, so a new table needs no edit here.
"""

from typing import Any

from . import app, introspected
from .app import *
from .base import AppBase, AuthUsers, IntrospectedBase, TenantOwned, Timestamps, UUIDKey
from .introspected import *


def _made_here(value: Any) -> bool:
    """Say whether a name is a lane's own: a model or an enum, not something it imported."""
    return getattr(value, "__module__", None) in (app.__name__, introspected.__name__)


__all__ = ["AppBase", "AuthUsers", "IntrospectedBase", "TenantOwned", "Timestamps", "UUIDKey"]
__all__ += sorted(name for name, value in list(globals().items()) if _made_here(value))
