"""Facts by hand, and the models that they give."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from twolane.models import render as models


def fact(**parts: Any) -> str:
    return json.dumps(parts)


def table(name: str, *columns: str, key: str = "id", **types: str) -> dict[str, str]:
    """The facts of a table with an integer key and other columns, text unless `types` says."""
    facts = {f"table {name}": fact()}
    facts[f"column {name}.{key}"] = fact(type="integer", not_null=True)
    for column in [*columns, *types]:
        facts[f"column {name}.{column}"] = fact(type=types.get(column, "text"))
    facts[f"constraint {name}.pkey"] = fact(
        type="primary key", columns=[key], definition=f"PRIMARY KEY ({key})"
    )
    return facts


def foreign_key(relation: str, column: str, target: str, tail: str = "") -> dict[str, str]:
    return {
        f"constraint {relation}.{quoted(column + '_fkey')}": fact(
            type="foreign key",
            columns=[column],
            references=target,
            referenced_columns=["id"],
            definition=f"FOREIGN KEY ({quoted(column)}) REFERENCES {target}(id){tail}",
        )
    }


def render(*facts: Mapping[str, str]) -> str:
    merged = {identity: text for part in facts for identity, text in part.items()}
    return models.render_models(dict(sorted(merged.items())))


def classes(text: str) -> dict[str, str]:
    """The source of each class, by name."""
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def lint(text: str) -> str:
    """What ruff finds in the code, matters of layout and of names aside."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated"]
    command += ["--select=B,C4,E,F,PTH,SIM,UP,W", "--ignore=E501,E741", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""
