"""Converts Postgres URLs to libpq's parameters, and back."""

from __future__ import annotations

import os
from typing import Any

from twolane.errors import Failure


def parse(url: str, source: str) -> dict[str, Any]:
    """libpq's parameters in a URL, which may carry SQLAlchemy's driver (`postgresql+psycopg://`).

    Raises:
        Failure: it is not a Postgres URL. libpq's own message can quote the password, so the
            failure leaves it out.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    scheme, separator, rest = url.strip().partition("://")
    try:
        if not separator or scheme.partition("+")[0] not in ("postgres", "postgresql"):
            raise psycopg.ProgrammingError("no Postgres scheme")
        found = dict(conninfo_to_dict(f"postgresql://{rest}"))
        # With an unescaped `@` or `/` in a password, libpq reads parts of it as host and port.
        torn = "@" in f"{found.get('host', '')}{found.get('dbname', '')}"
        if torn or not _is_port(str(found.get("port", "5432"))):
            raise psycopg.ProgrammingError("not percent-encoded")
        return found
    except psycopg.ProgrammingError as error:
        known = "URI query parameter" in str(error) and "@" not in rest.partition("?")[2]
        reason = str(error).strip() if known else "it can't be parsed"
        raise Failure(
            f"{source} is no usable Postgres URL: {reason}.",
            "Write postgresql://user:password@host:5432/postgres?sslmode=require, "
            "special characters in the password percent-encoded.",
        ) from None


def _is_port(text: str) -> bool:
    """Whether it is a port, or several ports separated by commas, as hosts are."""
    return all(port.isdecimal() and 0 < int(port) < 65536 for port in text.split(","))


def write(parameters: dict[str, Any]) -> str:
    """A URL for libpq's parameters: of the embedded server, with its password."""
    from urllib.parse import quote

    user, password = (quote(parameters[key], safe="") for key in ("user", "password"))
    where = f"{parameters['host']}:{parameters['port']}/{parameters['dbname']}"
    return f"postgresql://{user}:{password}@{where}"


_CLIENT_VARIABLES = {
    "dbname": "PGDATABASE",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
}


def client_environment(parameters: dict[str, Any]) -> dict[str, str]:
    """Environment variables for a client program, so that `ps` does not show the password."""
    named = {
        _CLIENT_VARIABLES.get(key, f"PG{key.replace('_', '').upper()}"): v
        for key, v in parameters.items()
    }
    return dict(os.environ) | {
        name: str(value) for name, value in named.items() if value is not None
    }
