"""What goes wrong is one message with the next step in it: no traceback, no password."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from failing import SECRET, fails
from invoke.context import Context
from invoke.exceptions import Exit
from service import Service, clean_environment
from steps import GUARDRAILS

from twolane.config import load
from twolane.errors import Failure, from_user_code
from twolane.tasks import console
from twolane.tasks.command import command

# Configuration


def test_an_env_file_that_is_a_folder(folder: Service) -> None:
    (folder.folder / ".env").mkdir()
    said = fails(folder, "db.status")
    assert ".env can't be read" in said and "readable UTF-8 file" in said


def test_an_env_file_that_is_no_text(folder: Service) -> None:
    (folder.folder / ".env").write_bytes(f"DATABASE_URL=postgresql://u:{SECRET}".encode("utf-16"))
    said = fails(folder, "db.status")
    assert ".env can't be read" in said and "readable UTF-8 file" in said


def test_an_env_file_written_by_notepad_is_read(folder: Service) -> None:
    text = f"DATABASE_URL=postgresql://u:{SECRET}@no.such.invalid/x\r\n"
    (folder.folder / ".env").write_bytes(text.encode("utf-8-sig"))
    assert "no.such.invalid" in fails(folder, "db.status")


def test_the_env_file_may_not_shout_a_bad_line_with_a_password_in_it(folder: Service) -> None:
    folder.write(".env", f"this is no line hunter2\nDATABASE_URL='postgresql://u:{SECRET}\n")
    fails(folder, "db.snapshot", "--target", "default")


def test_a_target_that_is_not_configured(folder: Service) -> None:
    said = fails(folder, "db.status", "--target", "production")
    assert "There is no target 'production'; there are: default, local" in said
    assert "[tool.twolane.targets.production]" in said


def test_a_target_whose_variable_is_not_set(folder: Service) -> None:
    toml = folder.read("pyproject.toml")
    folder.write("pyproject.toml", toml + '\n[tool.twolane.targets.staging]\nenv = "STAGING_URL"\n')
    said = fails(folder, "db.push", "--target", "staging")
    assert "takes its URL from STAGING_URL, which is not set" in said
    assert "Set STAGING_URL in the environment or in .env" in said


def test_a_folder_that_is_no_service(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is in no twolane service") as failure:
        load(tmp_path)
    assert failure.value.first == "Change into the service's folder."


def test_a_subfolder_of_the_service_will_do(service: Service) -> None:
    inside = Service(service.folder / "src/crm", service.env)
    assert "fresh" in inside.invoke("db.status").out


def test_a_service_variable_that_points_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOLANE_SERVICE", str(tmp_path / "gone"))
    with pytest.raises(Failure, match="holds no service") as failure:
        load()
    assert "invoke demo" in failure.value.first


TABLE = "[tool.twolane]"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (TABLE, "[tool.twolane", "pyproject.toml can't be read"),
        ('package = "crm"', "", "`package` must be a string"),
        ('package = "crm"', "package = 3", "`package` must be a string"),
        (TABLE, f"{TABLE}\npostgres = 15", "`postgres` must be 16, 17 or 18"),
        (TABLE, f"{TABLE}\npostgres = true", "`postgres` must be 16, 17 or 18"),
        (TABLE, f"{TABLE}\npostgres = [18]", "`postgres` must be 16, 17 or 18"),
        (TABLE, f"{TABLE}\ntargets = 3", "targets"),
        (TABLE, f"{TABLE}\ntargets = {{ a = 'URL' }}", "targets"),
        (TABLE, f"{TABLE}\ntargets = {{ a = {{}} }}", "`env` must be a string"),
        (TABLE, f"{TABLE}\ntargets = {{ a = {{ env = 'X', protected = 'yes' }} }}", "protected"),
        (TABLE, f"{TABLE}\ntargets.local.env = 'X'", "`local` is always the embedded server"),
        (TABLE, "[tool]\ntwolane = 3\n[tool.other]", "[tool.twolane]"),
        (TABLE, "[[tool.twolane]]", "[tool.twolane]"),
    ],
)
def test_a_broken_pyproject(
    blank_service: Service, tmp_path: Path, before: str, after: str, words: str
) -> None:
    toml = blank_service.read("pyproject.toml")
    assert before in toml
    (tmp_path / "pyproject.toml").write_text(toml.replace(before, after, 1))
    with pytest.raises(Failure, match=r"pyproject\.toml") as failure:
        load(tmp_path)
    assert words in failure.value.message and failure.value.first


def test_a_broken_pyproject_on_the_command_line(folder: Service) -> None:
    folder.write("pyproject.toml", "[tool.twolane]\npackage = crm\n")
    assert "pyproject.toml can't be read: Invalid value (at line 2" in fails(folder, "db.status")


def test_a_postgres_folder_without_a_postgres(folder: Service, tmp_path: Path) -> None:
    toml = folder.read("pyproject.toml").replace(TABLE, f'{TABLE}\npostgres = "{tmp_path}"')
    folder.write("pyproject.toml", toml)
    said = fails(folder, "db.up")
    assert f"no runnable Postgres in {tmp_path}" in said and "take the line out" in said


# Progress


def test_what_takes_long_says_what_it_is_doing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.write(GUARDRAILS, "select pg_sleep(1.4);")
    result = service.run("db.apply", cold=True)
    assert "· 05_guardrails.sql …\n" in result.err and result.said == ""
    assert "\x1b" not in result.text and "\r" not in result.text

    monkeypatch.setattr(console, "PATIENCE", 3.0)  # no other step takes that long
    service.write(GUARDRAILS, "select pg_sleep(3.4);")
    assert service.invoke("db.apply").err == "· 05_guardrails.sql …\n"


def test_what_is_quick_says_nothing_on_the_side(service: Service) -> None:
    assert service.invoke("db.sync").err == ""
    assert service.invoke("db.status").err == ""


# Pure


def test_an_error_without_a_frame_of_the_service_is_told_all_the_same(tmp_path: Path) -> None:
    failure = from_user_code(ValueError("first line\nsecond"), tmp_path)
    assert failure.message == "ValueError: first line" and failure.first


@pytest.mark.parametrize("fault", [None, Failure("no"), KeyboardInterrupt()])
def test_a_command_leaves_the_garbage_collector_as_it_was(fault: BaseException | None) -> None:
    seen = []

    @command("db.nothing")
    def nothing(c: Context) -> None:
        """Do nothing, or fail."""
        seen.append(gc.isenabled())
        if fault:
            raise fault

    assert gc.isenabled()
    with pytest.raises(Exit) if fault else nullcontext():
        nothing(Context())
    assert (seen, gc.isenabled()) == ([False], True)


def test_output_that_lacks_a_character_or_is_closed_gets_no_traceback(service: Service) -> None:
    said = service.run("db.status", PYTHONIOENCODING="ascii").text
    assert "Lane A" in said and "Error" not in said
    own = service.folder / "supabase/sql/é.sql"
    own.write_text("select 1;")
    told = service.run("db.check", "--json", code=2, PYTHONIOENCODING="ascii").out
    assert told.isascii() and "é.sql" in str(json.loads(told))
    own.unlink()
    closed = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m invoke db.targets >&- 2>&-"],
        cwd=service.folder,
        env=clean_environment() | service.env,
        check=False,
    )
    assert closed.returncode == 0
