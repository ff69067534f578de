"""Shadows that no command needs go: by number and size, and by age. One that is missed comes."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from servers import PostgresServer
from service import Service
from steps import wait_until

from twolane.config import Config, load
from twolane.errors import Failure
from twolane.postgres import databases
from twolane.shadow import pruning, shadow, shadow_server, steps

DAY = 86_400


def test_shadows_go_by_number_size_and_age(server: PostgresServer, tmp_path: Path) -> None:
    config = cast(Config, SimpleNamespace(home=tmp_path, environment={}))
    names = [f"shadow_{number:016x}" for number in range(5)]
    (tmp_path / "shadow").mkdir()
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:

        def make(*ages: float) -> None:
            for name, age in zip(names, ages, strict=True):
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
                facts = tmp_path / "shadow" / f"{name}.json"
                facts.touch()
                os.utime(facts, (time.time() - age * DAY,) * 2)

        def left(room: pruning.Room, used: set[str]) -> list[int]:
            pruning.drop_unused(config, connection, used, room)
            query = "select datname from pg_database where datname = any (%s) order by 1"
            found = [name for (name,) in connection.execute(query, (names,))]
            assert sorted(path.stem for path in tmp_path.glob("shadow/*.json")) == found
            return [names.index(name) for name in found]

        make(0, 1, 2, 3, 30)
        size = connection.execute("select pg_database_size(%s)", (names[0],)).fetchone()
        assert size
        assert left(pruning.Room(1, size[0] * 5), {names[0]}) == [0, 1, 2, 3], "age"
        assert left(pruning.Room(1, int(size[0] * 2.5)), {names[0]}) == [0, 1, 2], "size"
        assert left(pruning.Room(1, 0), {names[0]}) == [0, 1], "number"
        assert left(pruning.NONE, {names[0]}) == [0], "what is used stays"
        assert left(pruning.NONE, set()) == []


def test_shadows_of_revisions_that_others_follow_go(
    folder: Service, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history that grew one by one, the newest stays, and the one before for its next edit."""
    monkeypatch.setattr(pruning, "_ELSEWHERE", pruning.Room(1, 0))
    environment = {shadow_server.VARIABLE: server.get_uri()}
    config = replace(load(folder.folder), environment=environment)
    parts = [steps.Step(f"{folder.folder} {number}", lambda _: None) for number in range(5)]
    made = []
    for number in range(1, len(parts) + 1):
        history = steps.whole(parts[:number])
        made.append(shadow.replay(config, [history], nullcontext).database)
        shadow.replay(config, [history], nullcontext)
    kept = {path.stem for path in config.home.glob("shadow/*.json")}
    assert [name in kept for name in made] == [False, False, False, True, True]


def test_what_another_clone_of_the_repo_dropped_is_made_anew_and_its_copies_stay(
    folder: Service, server: PostgresServer
) -> None:
    """On a server that two clones share; the clock of the other is hours behind."""
    config = replace(load(folder.folder), environment={shadow_server.VARIABLE: server.get_uri()})
    history = steps.whole([steps.Step(f"{folder.folder} gone", lambda _: None)])
    made = shadow.replay(config, [history], nullcontext).database
    copied = f"clone_{int(time.time() - 3 * 3600)}_{uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        databases.drop(connection, made)
        with pytest.raises(Failure, match="is gone") as failed, shadow.open_clone(config, made):
            pass
        assert failed.value.first.startswith("Run the same command again")
        again = shadow.replay(config, [history], nullcontext).database
        with shadow.open_clone(config, again):
            pass

        connection.execute(f"create database {copied}".encode())
        with psycopg.connect(server.get_uri(copied)):
            assert copied not in databases.old_clones(connection)
        wait_until(lambda: copied in databases.old_clones(connection))
        databases.drop(connection, copied)
