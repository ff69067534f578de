"""Commands that must end as an error should."""

from __future__ import annotations

from service import Result, Service

SECRET = "hunter2%2F%40x"
SECRETS = (SECRET, "hunter2/@x", "hunter2")


def fails(service: Service, *arguments: str, **env: str) -> str:
    """Runs a command that must end as an error should; what it said."""
    return check(service.invoke(*arguments, code=1, **env))


def check(result: Result) -> str:
    lines = result.err.splitlines()
    marks = [line for line in lines if line.startswith("✗ ")]
    assert len(marks) == 1, result.text
    assert [line for line in lines if line.startswith("  First:  ")], result.text
    assert "✗" not in result.out and "Exception" not in result.text
    for secret in SECRETS:
        assert secret not in result.text
    return result.err
