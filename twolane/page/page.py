"""The page as one HTML file: its parts lie in `site`, its data is a JSON value within it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from twolane.page.data import as_text

_SITE = Path(__file__).with_name("site")
_SCRIPTS = ("base", "overview", "diagram", "tables", "proof", "lists", "start")


def render(data: dict[str, Any]) -> str:
    """The file's text. It loads nothing: its policy allows its own script and style alone."""
    style = (_SITE / "page.css").read_text(encoding="utf-8")
    script = "\n".join((_SITE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n{script}'
    title = escape(f"{data['service']} · {data['name']}")
    parts = {
        "TITLE": title,
        "POLICY": f"default-src 'none'; script-src {_allowed(script)}; style-src {_allowed(style)}",
        "STYLE": style,
        "SCRIPT": script,
        "DATA": as_text(data),
    }
    text = (_SITE / "page.html").read_text(encoding="utf-8")
    before, *rest = text.split("{{")
    return before + "".join(parts[key] + after for key, after in (r.split("}}", 1) for r in rest))


def _allowed(text: str) -> str:
    """What a content security policy allows by its digest (CSP Level 3, hash-source)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
