"""The guide's page on troubleshooting quotes messages that the engine has."""

from __future__ import annotations

import ast
import re

import pytest
from service import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
QUOTED = ["".join(found) for found in re.findall(r"^### (?:``(.+)``|`([^`]+)`)$", PAGE, re.M)]


def texts() -> str:
    """Every text in the engine's code, one a line; `…` where a value goes into it."""
    found = []
    for path in (ROOT / "twolane").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


TEXTS = texts()


@pytest.mark.parametrize("message", QUOTED)
def test_the_message_is_one_of_the_engines(message: str) -> None:
    """Its parts between `…`, in that order, in one text."""
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    assert re.search(".*".join(parts), TEXTS), message


def test_every_symptom_has_a_next_step() -> None:
    """A command, a link, or what to change, in the lines below its heading."""
    for section in re.split(r"^### ", PAGE, flags=re.M)[1:]:
        title, _, rest = section.partition("\n")
        assert re.search(r"`[^`]+`|\]\(|(?i:run) .* again", rest), title
