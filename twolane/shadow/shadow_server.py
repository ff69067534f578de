"""The server that the shadow's databases are on: the embedded one, or one that is named."""

from __future__ import annotations

from twolane.config import Config
from twolane.errors import Failure
from twolane.postgres import (
    databases,
    embedded,
    embedded_databases,
    project_role,
    reach,
    standins,
    urls,
)
from twolane.postgres.databases import Server

VARIABLE = "SHADOW_DATABASE_URL"
_NAME = "the shadow's server"


def find(config: Config) -> Server:
    """The shadow's server; starts it if needed.

    Raises:
        Failure: the server can't be reached, or it holds a target.
    """
    url = config.environment.get(VARIABLE)
    if not url:
        return embedded_databases.server(config)
    parameters = urls.parse(url, VARIABLE)
    if name := reach.target_beside(config, parameters):
        with databases.connect(Server(parameters, parameters, _NAME)):
            pass  # a server that nobody reaches is another problem
        raise Failure(
            f"{VARIABLE} leads to the server of target {name}: roles and settings belong to a "
            "whole server, and what replays do to them would reach that database.",
            f"Name a server that holds no target, or take {VARIABLE} out: the embedded one serves.",
        )
    return Server(project_role.lesser(parameters), parameters, _NAME)


def identity(config: Config) -> str:
    """A text that identifies the server and its extensions; the first step depends on it."""
    brought = standins.digest() if embedded.has_standins(config) else ""
    return config.environment.get(VARIABLE) or f"{embedded.major(config)}{brought}"
