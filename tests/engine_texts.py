"""The texts in the engine's code, for pages of the guide that quote what it says."""

from __future__ import annotations

import ast
import re
from functools import cache

from service import ROOT


def says(message: str) -> bool:
    """Whether the engine has one text with the message's parts between `…`, in that order."""
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    return re.search(".*".join(parts), _texts()) is not None


@cache
def _texts() -> str:
    """Every text, one a line; `…` where a value goes into it."""
    found = []
    for path in (ROOT / "twolane").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)
