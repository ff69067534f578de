"""Options that several commands share: their help texts, and the syntax of `--target`."""

from __future__ import annotations

TARGET = (
    "Target by name: local (embedded), default (DATABASE_URL), or one of [tool.twolane.targets]."
)
TARGETS = f"{TARGET} Several with commas, patterns: eu-*,staging."
CONFIRM = "Name of the protected target that is meant to be changed."
CONFIRMS = f"{CONFIRM} Several with commas."
JOBS = "Of several targets, how many at a time."
CARRY_ON = "With several targets, go on with the rest when one fails."
JSON = "Print JSON, for scripts."
COMMIT = "Make the suggested git commit."
GIVEN_UP = "What a file gives up and is meant, as it is named: write:contacts; repeatable."
ALLOW = "A hazard of the plan that is meant, as it names it: drop:notes.body; repeatable."
