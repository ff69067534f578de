"""A positional argument that may be left out where a flag is given, which Invoke does not know."""

from __future__ import annotations

import sys
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task

from twolane.tasks.flags import arguments_of


class _Unless(Argument):
    flag: Argument

    @property
    def value(self) -> Any:
        """What was given; with the flag, once all words are read: empty, not missing."""
        if self._value is not None or not self.flag.value or _more_may_come():
            return self._value
        return ""

    @value.setter
    def value(self, given: str) -> None:
        self.set_value(given)


def _more_may_come() -> bool:
    """Whether the parser asks for a word at hand, and not at the command's end.

    It asks "is it missing?" at both, and gives a word only to an argument that is missing.
    """
    frame = sys._getframe()
    while above := frame.f_back:
        frame = above
        name = frame.f_code.co_name
        is_parser = frame.f_globals.get("__name__") == "invoke.parser.parser"
        if is_parser and name in ("complete_context", "handle"):
            return name == "handle"
    return False


def needless_with(task: Task[Any], argument: str, flag: str) -> None:
    """Makes the positional argument of a task needless where the flag is given."""

    def arguments(ignore_unknown_help: bool | None = None) -> list[Argument]:
        found = arguments_of(task, ignore_unknown_help)
        named = {argument.name: argument for argument in found}
        needless = named[argument]
        needless.__class__ = _Unless
        assert isinstance(needless, _Unless)
        needless.flag = named[flag]
        return found

    vars(task)["get_arguments"] = arguments
