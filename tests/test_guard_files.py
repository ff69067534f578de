"""A guard is one file, which says the guard's code and name first."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from twolane import guards

FOLDER = Path(guards.__file__).parent
NO_GUARDS = {"__init__", "checks", "findings", "guards", "refusal"}
FILES = {path.stem: path for path in FOLDER.glob("*.py") if path.stem not in NO_GUARDS}
# They try something out: check and deploy, and the report of prove.
ELSEWHERE = {"G08": "idempotent", "G15": "tenancy"}


def texts(path: Path) -> set[str]:
    """The texts in the code, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {c.value for c in constants if isinstance(c.value, str) and id(c) not in docs}


@pytest.mark.parametrize("name", FILES)
def test_a_guards_file_begins_with_its_code_and_name(name: str) -> None:
    doc = ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8"))) or ""
    found = re.match(r"(G\d\d) ([a-z-]+): .*\.$", doc.partition("\n")[0])
    assert found, doc
    code, title = found.groups()
    assert title == name.replace("_", "-")
    assert {text for text in texts(FILES[name]) if re.fullmatch(r"G\d\d", text)} == {code}


def test_every_code_has_one_file() -> None:
    docs = [ast.get_docstring(ast.parse(path.read_text())) or "" for path in FILES.values()]
    codes = sorted({doc[:3] for doc in docs} | ELSEWHERE.keys())
    assert codes == [f"G{number:02}" for number in range(1, 17)]
    assert len(FILES) == 16 - len(ELSEWHERE)
