"""`bootstrap.txt`: who adds files to it changes no other line of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from service import Service

from twolane import config
from twolane.errors import Failure
from twolane.repo import order


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a.sql\n@migrations\n", "a.sql\n@migrations\nlate.sql\n"),
        ("a.sql\r\n# c\r\n", "a.sql\r\n# c\r\n@migrations\r\nlate.sql\r\n"),
        ("a.sql\r\nb.sql\n@migrations", "a.sql\r\nb.sql\n@migrations\r\nlate.sql\r\n"),
        ("a.sql # a\n@migrations # m", "a.sql # a\n@migrations # m\nlate.sql\n"),
        ("@migrations\nlate.sql # l", "@migrations\nlate.sql # l"),
        ("late.sql\n", "late.sql\n"),
        ("\ufeffa.sql\n", "\ufeffa.sql\n@migrations\nlate.sql\n"),
        ("\ufeff@migrations\n", "\ufeff@migrations\nlate.sql\n"),
        ("", "@migrations\nlate.sql\n"),
    ],
)
def test_a_file_is_added_after_the_mark(before: str, after: str) -> None:
    assert order.with_files(before, after=["late.sql"]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\ufeff@migrations\n", "\ufeffnew.sql\n@migrations\n"),
        ("a.sql\r\n@migrations", "a.sql\r\nnew.sql\r\n@migrations"),
        ("a.sql # @migrations", "a.sql # @migrations\nnew.sql\n"),
        ("# new.sql\n", "# new.sql\nnew.sql\n"),
    ],
)
def test_a_file_is_added_before_the_mark(before: str, after: str) -> None:
    assert order.with_files(before, ["new.sql"]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# head\n\nb.sql\na.sql # first\n@migrations\n",
            "# head\na.sql # first\nnew.sql\n@migrations\n",
        ),
        (
            "a.sql # x\r\n  # own\r\n@migrations # y",
            "# own\r\na.sql # x\r\nnew.sql\r\n@migrations # y\r\n",
        ),
        ("\ufeffa.sql # x\n", "\ufeffa.sql # x\nnew.sql\n@migrations\n"),
        ("", "a.sql\nnew.sql\n@migrations\n"),
    ],
)
def test_an_adoption_lists_its_files_and_keeps_comments(before: str, after: str) -> None:
    assert order.with_only(before, ["a.sql", "new.sql"]) == after


def test_what_was_added_is_read_back(folder: Service) -> None:
    settings = config.load(folder.folder)
    kept = settings.order_file.read_bytes()
    for text in (kept, kept.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + kept, kept.rstrip()):
        settings.order_file.write_bytes(text)
        found = order.read_order(settings)
        assert found.files and not found.after and not found.missing
        added = order.with_files(order.read_text(settings), after=["later.sql"])
        assert added.encode().startswith(text)
        settings.order_file.write_bytes(added.encode())
        assert order.read_order(settings) == replace(found, missing=("later.sql",))


def test_a_text_in_another_encoding_is_refused(folder: Service) -> None:
    settings = config.load(folder.folder)
    settings.order_file.write_bytes("# für alle\n".encode("latin-1"))
    with pytest.raises(Failure, match=r"bootstrap\.txt can't be read"):
        order.read_text(settings)
