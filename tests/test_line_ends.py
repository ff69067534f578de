"""A file of the owner's keeps its line ends, whichever command writes it."""

from pathlib import Path

import pytest

from twolane import config, files
from twolane.repo import consents
from twolane.repo.revisions import Revision

REVISION = '"""Shorten."""\r\n\r\nrevision = "one"\r\n\r\nTABLE = "notes"\r\n'


def test_a_consent_is_noted_in_the_line_ends_of_its_revision(tmp_path: Path) -> None:
    project = '[project]\nname = "crm"\n[tool.twolane]\npackage = "crm"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    path = tmp_path / "0001_shorten.py"
    path.write_bytes(REVISION.encode())
    made = Revision("one", (), "shorten", path, "")
    consents.keep(config.load(tmp_path), [made], ["narrow:notes.body", "rewrite:notes"])
    assert consents.given(path) == ("narrow:notes.body", "rewrite:notes")
    consent = b"# Meant, as was said at a push: --allow narrow:notes.body --allow rewrite:notes\r\n"
    assert path.read_bytes() == REVISION.encode().replace(b"revision", consent + b"revision", 1)


@pytest.mark.parametrize(
    ("text", "like", "expected"),
    [
        ("a\nb\n", b"x\r\n", "a\r\nb\r\n"),
        ("a\r\nb\n", b"x\ny", "a\nb\n"),
        ("a\r\nb\n", "x\r\ny\n", "a\r\nb\r\n"),
        ("a\n", b"", "a\n"),
    ],
)
def test_a_text_takes_the_line_ends_of_another(text: str, like: str | bytes, expected: str) -> None:
    assert files.with_line_ends(text, like) == expected
