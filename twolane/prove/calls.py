"""Calls functions that the data API's roles may call, with arguments from others' rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twolane.prove.attempts import OTHER, Actor, Attempt, Outcome, Try, attempt
from twolane.prove.disclosure import Reading
from twolane.prove.schema import Argument, Function
from twolane.prove.stage import Stage, changed, failed
from twolane.prove.values import literals
from twolane.prove.words import Words
from twolane.sql import literal, quote

VALUES, CALLS = 40, 48


@dataclass(frozen=True)
class Caller:
    """Calls every function as every actor who may call it; rolls back each call."""

    stage: Stage

    def run(self) -> Iterator[Attempt]:
        for actor in self.stage.actors:
            yield from self._calls(actor)

    def _calls(self, actor: Actor) -> Iterator[Attempt]:
        """Tries all calls of an actor: others' rows must not affect the answer, or be changed."""
        todo = [
            (function, call)
            for function in self.stage.schema.functions
            if actor.role in function.roles
            for call in self._statements(function, actor)
        ]
        if not todo:
            return
        full = [self._call(actor, call) for _, call in todo]
        with self.stage.without(self.stage.victims(actor)):
            alone = [self.stage.read(actor, call) for _, call in todo]
        # Later, so that what the clock changes differs here too.
        again = [self._call(actor, call)[0] for _, call in todo]
        for (function, call), (seen, effect), second, own in zip(
            todo, full, again, alone, strict=True
        ):
            outcome = self.stage.disclosure.compare(actor, seen, second, own, call)
            if effect:
                outcome = Outcome(effect=effect)
            yield attempt(
                function.signature, "function", actor, Try("call", OTHER, call, {}), outcome
            )

    def _call(self, actor: Actor, call: str) -> tuple[Reading, str]:
        """The answer, and the effect of the call on rows of others."""
        import psycopg

        stage, others = self.stage, self.stage.victims(actor)
        trial = Try("call", OTHER, call, {})
        before, _ = stage.as_it_was(trial, stage.schema.tables, others)
        with stage.rolled_back():
            try:
                done = stage.perform(actor, call)
            except psycopg.Error as error:
                return failed(error), ""
            if not done.has_written:
                return done.answer, ""
            return done.answer, changed(*stage.since(before, stage.schema.tables, others))

    def _statements(self, function: Function, actor: Actor) -> list[str]:
        """Calls with all arguments, and with only the required; none if a type has no value."""
        required = [argument for argument in function.arguments if not argument.optional]
        wanted = [function.arguments] + [required] * (required != list(function.arguments))
        return [
            _statement(function, arguments, values)
            for arguments in wanted
            for values in _combinations([self._values(function, a, actor) for a in arguments])
        ]

    def _values(self, function: Function, argument: Argument, actor: Actor) -> list[str]:
        """SQL expressions of the type: of others' rows, what has that name first; then any."""
        others = self.stage.victims(actor)
        texts = Words(self.stage.schema, self.stage.rows, others).texts(function, argument)
        texts = [*texts[:VALUES], *literals(argument.type, 1)[:2]]
        return [f"{literal(text)}::{argument.type.name}" for text in dict.fromkeys(texts)]


def _combinations(values: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Combinations of the values, first values first; at most `CALLS` of them."""
    short = values if len(values) == 1 else [options[:12] for options in values]
    return list(itertools.islice(itertools.product(*short), CALLS))


def _statement(function: Function, arguments: Sequence[Argument], values: Sequence[str]) -> str:
    named = all(argument.name for argument in arguments)
    given = ", ".join(
        f"{quote(argument.name)} => {value}" if named else value
        for argument, value in zip(arguments, values, strict=True)
    )
    call = f"{function.name}({given})"
    return f"call {call}" if function.is_procedure else f"select {call}::text"
