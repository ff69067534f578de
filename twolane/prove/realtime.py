"""Attempts on `realtime.messages`, where the project wrote policies for it: who may join what.

Realtime sets `realtime.topic` to the channel that somebody wants to join, with their role and
claims, and asks whether they may read, and write, a row of that topic
(https://supabase.com/docs/guides/realtime/authorization).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from twolane.prove.attempts import OTHER, OWN, Attempt, Try, attempt
from twolane.prove.mining import Sources
from twolane.prove.schema import MESSAGES
from twolane.prove.stage import Stage, prepared
from twolane.sql import literal

_BETWEEN = ":/-._"
_EXTENSIONS = ("broadcast", "presence")
_DOES = {"select": "listens to", "insert": "writes into"}
_USUAL = ("room:", "user:")
VALUES, MOST = 4, 24


@dataclass(frozen=True)
class Realtime:
    """Tries to join the channels of others: those whose name has an id of theirs."""

    stage: Stage

    def run(self) -> Iterator[Attempt]:
        users = list(self.stage.rows.usual)
        topics = {user: self.topics(user) for user in users}
        for actor in self.stage.actors:
            for user, extension in itertools.product(users, self._extensions):
                whose = OWN if user == actor.user else OTHER
                for topic in topics[user]:
                    for trial in self._tries(topic, extension, whose):
                        told = f"{_DOES[trial.operation]} a channel of another"
                        outcome = prepared(self.stage, actor, trial, told)
                        yield attempt(MESSAGES, "table", actor, trial, outcome)

    @property
    def understood(self) -> tuple[str, str]:
        """The column that says whose a channel is; the same in words."""
        return "topic", "an id in topic"

    def condition(self, reads: bool) -> str:
        """SQL: whether the name of a channel has the current user's id."""
        return "strpos((select realtime.topic()), (select auth.uid())::text) > 0"

    def topics(self, user: str) -> list[str]:
        """Names of channels of the user: their ids, between the constants that policies have."""
        found = self._sources.all
        texts = {text for s in found for part in s.parts for text in part.constants}
        before = sorted(t for t in texts if t.endswith(tuple(_BETWEEN)) and len(t) > 1)
        after = sorted(t for t in texts if t.startswith(tuple(_BETWEEN)) and len(t) > 1)
        values = self._ids(user)
        names = [
            f"{first}{value}{last}"
            for last in ["", *after]
            for first in dict.fromkeys(["", *before, *_USUAL])
            for value in values
        ]
        return names[:MOST]

    @cached_property
    def _sources(self) -> Sources:
        return self.stage.schema.of_platform(MESSAGES)

    @property
    def _extensions(self) -> list[str]:
        """What a channel is used for, as far as policies tell it apart."""
        return [name for name in _EXTENSIONS if name in self._sources.words] or [*_EXTENSIONS[:1]]

    def _ids(self, user: str) -> list[str]:
        """The user's id, then the values of their rows that only they have and policies ask for."""
        words, held = self._sources.words, self.stage.rows.held
        others = {
            value
            for (_, owner), rows in held.items()
            for _, row in rows
            for value in row.values()
            if owner != user
        }
        found = [self.stage.rows.users[user]]
        for (table, owner), rows in held.items():
            relation = self.stage.schema.relations[table]
            named = relation.short.strip('"') in words
            for _, row in rows if owner == user and named else ():
                found += [
                    value
                    for column in relation.columns
                    if (value := row[column.name])
                    and value not in others
                    and (column.type.base == "uuid" or column.name in words)
                ]
        return list(dict.fromkeys(found))[:VALUES]

    def _tries(self, topic: str, extension: str, whose: str) -> Iterator[Try]:
        row = f"({literal(topic)}, {literal(extension)}, true)"
        write = f"insert into {MESSAGES} (topic, extension, private) values {row}"
        here = f"topic = {literal(topic)} and extension = {literal(extension)}"
        join = f"select set_config('realtime.topic', {literal(topic)}, true)"
        read = f"select topic from {MESSAGES} where {here}"
        yield Try("select", whose, read, {}, first=f"{join};\n{write}")
        yield Try("insert", whose, write, {}, first=join)
