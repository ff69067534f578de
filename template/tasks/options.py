"""What the help says of options that several commands have."""

TARGET = (
    "Target by name: local (embedded), default (DATABASE_URL), or one of [tool.twolane.targets]."
)
CONFIRM = "Name of the protected target that is meant to be changed."
JSON = "Print JSON, for scripts."
COMMIT = "Make the suggested git commit."
