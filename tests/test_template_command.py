"""`template.check` and `template.update` as commands: what they find, refuse and say."""

import json
import re
import shutil
import sys
from pathlib import Path

import copier
import engines
import pytest
import template_repo
from json_shapes import assert_documented
from service import Service, owned
from template_repo import FIRST, LAST, RLS, SESSION, Template

import twolane

ANSWERS = ".copier-answers.yml"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return template_repo.make(tmp_path_factory.mktemp("releases") / "twolane")


@pytest.fixture
def service(template: Template, tmp_path: Path) -> Service:
    return template.render(tmp_path / "crm", FIRST)


def record(service: Service, pattern: str, text: str) -> None:
    """Changes what Copier recorded, and commits it."""
    before = service.read(ANSWERS)
    after = re.sub(pattern, text, before, flags=re.MULTILINE)
    assert before != after
    service.write(ANSWERS, after)
    service.commit()


def git_that_interrupts(folder: Path, at: str) -> str:
    """A PATH with a git that presses Ctrl-C for its caller where it is told to do this."""
    folder.mkdir()
    program = folder / "git"
    real = shutil.which("git")
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *"{at}"*) kill -INT $PPID ;; esac\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    path = Path(sys.executable).parent
    return f"{folder}:{path}:/usr/local/bin:/usr/bin:/bin"


def test_a_service_of_the_newest_version_is_fine(template: Template, tmp_path: Path) -> None:
    newest = template.render(tmp_path / "crm", "0.8.0")
    for path in ("README.md", SESSION, "migrations/env.py"):
        newest.write(path, "# mine\n")
    done = newest.invoke("template.check")
    assert "✓ Engine 0.1.0, a working copy; pyproject.toml pins 0.8.0.\n" in done.out
    assert "✓ No newer version." in done.out


def test_check_names_what_conflicts_and_the_newer_version(service: Service) -> None:
    service.write(RLS, f"<<<<<<< before updating\n{service.read(RLS)}")
    service.write("NEW.md", "\r\n>>>>>>> after updating\r\n")
    service.write("docs.md", "The line `<<<<<<< before updating` begins a conflict.\n")
    service.write(".env", ">>>>>>> after updating\n")  # which git ignores
    done = service.invoke("template.check", code=3)
    assert f"git add:\n    NEW.md\n    {RLS}\n" in done.out
    assert "docs.md" not in done.out and ".env" not in done.out
    assert "Version 0.8.0 is there.  Next:  invoke template.update" in done.out
    report = json.loads(service.invoke("template.check", "--json", code=3).out)
    assert_documented("template.check", report)
    assert report.pop("template").endswith("/twolane")
    assert report == {
        "commit": FIRST,
        "pinned": FIRST,
        "installed": twolane.__version__,
        "problems": [],
        "newest": "0.8.0",
        "newer": True,
        "conflicts": ["NEW.md", RLS],
    }


def test_check_names_a_pin_of_another_version(service: Service) -> None:
    settings = service.read("pyproject.toml")
    service.write("pyproject.toml", settings.replace(f"@{FIRST}", "@0.3.0"))
    done = service.invoke("template.check", code=3)
    said = "! pyproject.toml pins twolane 0.3.0, and the service is of version 0.1.0"
    assert said in done.out
    service.write("pyproject.toml", re.sub("^twolane = .*\n", "", settings, flags=re.M))
    assert (
        "✓ Engine 0.1.0; pyproject.toml pins none." in service.invoke("template.check", code=3).out
    )


def test_check_names_a_stale_engine_with_the_command_that_mends_it(
    template: Template, service: Service, tmp_path: Path
) -> None:
    place = engines.put(tmp_path / "site", url=f"file://{template.folder}")
    fine = service.invoke("template.check", code=3, PYTHONPATH=str(place))
    assert f"✓ Engine {FIRST}, as pyproject.toml pins it." in fine.out
    newer = template.render(tmp_path / "newer", "0.3.0")
    newer.write("uv.lock", "")
    done = newer.invoke("template.check", code=3, PYTHONPATH=str(place))
    assert "! pyproject.toml pins twolane 0.3.0, 0.1.0 is installed.\n  First:  uv sync" in done.out


def test_markers_in_pyproject_are_named_by_every_command(service: Service) -> None:
    settings = service.read("pyproject.toml")
    service.write("pyproject.toml", f"<<<<<<< before updating\n{settings}")
    for command in ("template.check", "template.update", "db.targets"):
        failed = service.invoke(command, code=1)
        assert "pyproject.toml can't be read" in failed.err
        assert "First:  Choose, between <<<<<<< and >>>>>>>" in failed.err


def test_an_update_refuses_what_is_not_committed(service: Service) -> None:
    service.write("notes.txt", "mine")
    refused = service.invoke("template.update", code=2)
    assert refused.err.startswith("✗ template.update refused · uncommitted\n")
    assert "    ?? notes.txt\n  First:  git commit" in refused.err


def test_without_git_neither_command_blames_network_or_commits(service: Service) -> None:
    for name in ("template.check", "template.update"):
        told = service.invoke(name, code=1, PATH=str(service.folder / "nothing")).err
        assert "git can't be run" in told and "First:  Install git." in told


def test_an_update_runs_no_commands_of_a_template_and_says_why_it_wants_to(
    service: Service,
) -> None:
    refused = service.invoke("template.update", code=2)
    assert "template.update refused · runs-commands" in refused.err
    assert "Version 0.8.0 of the template wants to run code of its own here (tasks)." in refused.err
    assert "files move, which needs a command: --trust." in refused.err
    assert "copier update --trust --vcs-ref 0.8.0" in refused.err
    assert service.git("status", "--short") == "" and not (service.folder / "ran").exists()


def test_the_users_own_list_of_trusted_templates_changes_nothing(
    service: Service, template: Template, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text(f"trust:\n  - {template.folder}\n")
    trusting = {"COPIER_SETTINGS_PATH": str(settings)}
    service.invoke("template.update", code=2, **trusting)
    assert not (service.folder / "ran").exists()


def test_there_is_no_way_back_and_no_version_that_is_not_there(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", LAST)
    back = service.invoke("template.update", "--to", FIRST, code=1)
    assert "can't go back to 0.1.0" in back.err and "git revert" in back.err
    for version in ("9.9", "main"):
        absent = service.invoke("template.update", "--to", version, code=1)
        assert f"The template has no version {version}." in absent.err and "0.8.0" in absent.err
    same = service.invoke("template.update", "--to", LAST, "--json")
    assert json.loads(same.out)["changed"] == []
    assert_documented("template.update", json.loads(same.out))
    assert "Nothing to update" in service.invoke("template.update", "--to", LAST).out


def test_without_a_record_of_the_template_the_message_says_where_to_find_it(
    service: Service,
) -> None:
    (service.folder / ANSWERS).rename(service.folder / "kept.yml")
    missing = service.invoke("template.check", code=1).err
    assert f"There is no {ANSWERS}" in missing and f"git log -- {ANSWERS}" in missing
    for text in ("a: [", "- a\n", "starter: omnicrm\n"):
        service.write(ANSWERS, text)
        assert f"git log -- {ANSWERS}" in service.invoke("template.update", code=1).err


@pytest.mark.parametrize(
    "place",
    ["/nowhere/twolane", "../nowhere", ".", "https://me:secret@127.0.0.1:1/twolane.git"],
)
def test_a_template_out_of_reach_is_named_without_its_password(
    service: Service, place: str
) -> None:
    record(service, "^_src_path: .*", f"_src_path: {place}")
    for command in ("template.check", "template.update"):
        failed = service.invoke(command, code=1)
        assert place.replace("me:secret@", "") in failed.err and "secret" not in failed.text
        assert f"_src_path of {ANSWERS}" in failed.err


def test_a_relative_template_is_found_from_where_it_was_copied(
    service: Service, template: Template, tmp_path: Path
) -> None:
    (tmp_path / "twolane").symlink_to(template.folder)
    for place in ("twolane", "../twolane"):
        record(service, "^_src_path: .*", f"_src_path: {place}")
        assert "Nothing to update" in service.invoke("template.update", "--to", FIRST).out


def test_a_service_of_no_version_is_told_how_to_get_one(
    service: Service, template: Template, tmp_path: Path
) -> None:
    record(service, "^_commit: .*\n", "")
    untagged = service.invoke("template.check", code=1)
    assert "not from a version in git" in untagged.err
    assert f"copier copy --overwrite --vcs-ref VERSION {template.folder} ." in untagged.err


def of_head(template: Template, folder: Path) -> Service:
    """A service of what the template's repository has now, with or without a version."""
    source = str(template.folder)
    copier.run_copy(source, folder, vcs_ref="HEAD", defaults=True, quiet=True, skip_tasks=True)
    return owned(folder)


def test_a_service_of_uncommitted_changes_is_told_how_to_get_a_version(
    template: Template, tmp_path: Path
) -> None:
    draft = Template(tmp_path / "draft")
    shutil.copytree(template.folder, draft.folder)
    draft.replace("copier.yml", "\n_tasks:\n  - touch ran\n", "")
    with pytest.warns(UserWarning, match="Dirty template"):
        service = of_head(draft, tmp_path / "crm")
    assert "_commit: 0.8.0-1-g" in service.read(ANSWERS)
    draft.git("commit", "--quiet", "--all", "--message", "next")
    draft.git("tag", "0.9.0")
    gone = service.invoke("template.update", code=1)
    assert "has no commit 0.8.0-1-g" in gone.err and "not committed" in gone.err
    assert "copier copy --overwrite --vcs-ref VERSION" in gone.err


def test_between_two_releases_the_next_one_is_newer(template: Template, tmp_path: Path) -> None:
    ahead = Template(tmp_path / "ahead")
    shutil.copytree(template.folder, ahead.folder)
    ahead.edit("template/tasks.py", lambda text: f"{text}\n\n# next\n")
    ahead.git("commit", "--quiet", "--all", "--message", "next")
    service = of_head(ahead, tmp_path / "crm")
    assert "✓ No newer version." in service.invoke("template.check").out
    for tag in ("0.9.0", "1.0.0rc1"):
        ahead.git("tag", tag)
    assert "Version 0.9.0 is there." in service.invoke("template.check", code=3).out


def test_an_interrupt_in_the_middle_changes_nothing(service: Service, tmp_path: Path) -> None:
    service.env["PATH"] = git_that_interrupts(tmp_path / "bin", at="apply --reject")
    update = service.start("template.update", "--to", LAST)
    said = update.communicate()[0]
    assert update.returncode == 130 and "Interrupted" in said, said
    assert service.git("status", "--short") == ""
    assert service.git("worktree", "list").count("\n") == 0


def test_an_interrupt_while_the_files_are_written_comes_too_late(
    service: Service, template: Template, tmp_path: Path
) -> None:
    service.write(RLS, service.read(RLS).replace(template_repo.LOOSE, "using (false);"))
    service.commit()  # a conflict, so that nothing comes after
    service.env["PATH"] = git_that_interrupts(tmp_path / "bin", at="apply --whitespace")
    update = service.start("template.update", "--to", LAST)
    said = update.communicate()[0]
    assert update.returncode == 3 and "From version 0.1.0 to 0.6.0" in said, said
    assert f"UU {RLS}" in service.git("status", "--short")
    assert "_commit: 0.6.0" in service.read(ANSWERS)


def test_an_update_as_json(service: Service) -> None:
    settings = service.read("pyproject.toml")
    service.write(
        "pyproject.toml", settings.replace('    "mypy>', '    "no-such-package",\n    "mypy>')
    )
    service.commit()
    report = json.loads(
        service.invoke(
            "template.update", "--to", "0.4.0", "--data", "project_name=Sales", "--json"
        ).out
    )
    assert_documented("template.update", report)
    assert (report["from"], report["to"]) == (FIRST, "0.4.0")
    assert report["install"] == ["no-such-package"]
    assert [note["version"] for note in report["upgrading"]] == ["0.2.0", "0.3.0", "0.4.0"]
    assert {"file": RLS, "state": "changed", "kind": "sql"} in report["changed"]
    assert {"file": SESSION, "state": "changed", "kind": "merged"} in report["changed"]
