"""The guide's page on troubleshooting quotes messages that the engine has."""

from __future__ import annotations

import re

import pytest
from engine_texts import says
from service import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
QUOTED = ["".join(found) for found in re.findall(r"^### (?:``(.+)``|`([^`]+)`)$", PAGE, re.M)]


@pytest.mark.parametrize("message", QUOTED)
def test_the_message_is_one_of_the_engines(message: str) -> None:
    assert says(message)


def test_every_symptom_has_a_next_step() -> None:
    """A command, a link, or what to change, in the lines below its heading."""
    for section in re.split(r"^### ", PAGE, flags=re.M)[1:]:
        title, _, rest = section.partition("\n")
        assert re.search(r"`[^`]+`|\]\(|(?i:run) .* again", rest), title
