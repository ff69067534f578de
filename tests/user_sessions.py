"""The template's `session.py` as a module, and a database with two users to try it on."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import psycopg
from conftest import ROOT, NewDatabase
from sample_rows import ALICE, BOB, add_users, fill
from sqlalchemy import text

WHO = text(
    "select current_user::text as role, auth.uid()::text as uid, auth.role() as claimed,"
    " current_setting('request.jwt.claims', true) as claims,"
    " current_setting('request.jwt.claim.sub', true) as sub, pg_backend_pid() as server"
)


def load_session() -> ModuleType:
    """The module as the template has it; nothing in it is rendered."""
    path = ROOT / "template/src/{{package_name}}/db/session.py"
    spec = spec_from_file_location("twolane_session", path)
    assert spec and spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_two_users(make: NewDatabase, bootstrapped: str) -> str:
    """The nine files, with one contact of Alice and one of Bob."""
    conninfo = make(bootstrapped)
    with psycopg.connect(conninfo) as connection:
        add_users(connection)
        for user in (ALICE, BOB):
            fill(connection, ["contacts"], user_id=user)
    return conninfo
