"""What an update brings, and what of the owner's it keeps: real templates, tags and merges."""

import shutil
from pathlib import Path

import pytest
import template_repo
import warm
from service import APP, ROOT, Service, clean_environment, owned
from steps import MIRROR, ORDER, SQL
from template_repo import FIRST, LAST, LOOSE, RENAMED, RLS, SESSION, STRICT, Template

from twolane.errors import Failure
from twolane.template import origin
from twolane.template import update as updating

WORKFLOW = ".github/workflows/db.yml"
DEPENDENCY = '    "python-dotenv>=1.2,<2",\n'


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return template_repo.make(tmp_path_factory.mktemp("releases") / "twolane")


def tree(service: Service) -> dict[str, bytes]:
    """All files but git's and the servers', by path."""
    return {
        path.relative_to(service.folder).as_posix(): path.read_bytes()
        for path in service.folder.rglob("*")
        if path.is_file() and not {".git", ".postgres", "__pycache__"} & set(path.parts)
    }


def edited(service: Service) -> Service:
    """The service with all kinds of an owner's edits, committed."""
    service.write(APP, "# my tables\n")
    for path in MIRROR:
        service.write(path, "as of the last sync\n")
    service.write("migrations/versions/0001_mine.py", "# my revision\n")
    service.write("tasks.py", service.read("tasks.py") + "\n\n# my tasks\n")
    service.write("src/crm/mine.py", "# beside the template's\n")
    service.write("README.md", "# Sales\n\nWritten from scratch.\n")
    service.write(RLS, "-- reviewed\n" + service.read(RLS))
    service.write(SESSION, service.read(SESSION) + "\n\n# me\n")
    for gone in ("tests/test_migrations.py", f"{SQL}/99_cleanup_drop_jacuzzi_models.sql"):
        (service.folder / gone).unlink()
    service.write(f"{SQL}/30_sales.sql", "select 1;\n")
    order = service.read(ORDER).replace("99_cleanup_drop_jacuzzi_models.sql\n", "")
    service.write(ORDER, order + "30_sales.sql\n")
    settings = service.read("pyproject.toml")
    assert DEPENDENCY in settings
    service.write("pyproject.toml", settings.replace(DEPENDENCY, f'    "httpx",\n{DEPENDENCY}'))
    service.write(".env", "DATABASE_URL=postgresql://me@127.0.0.1/mine\n")
    service.commit()
    return service


def update(service: Service, tag: str, **data: str) -> updating.Outcome:
    return updating.update(origin.read(service.folder), tag, data)


@pytest.mark.parametrize("before", [FIRST, "0.3.0", "0.5.0"])
def test_an_update_is_a_fresh_render_with_the_owners_edits(
    template: Template, tmp_path: Path, before: str
) -> None:
    service = edited(template.render(tmp_path / "crm", before))
    made = update(service, LAST)
    fresh = edited(template.render(tmp_path / "fresh" / "crm", LAST))
    assert tree(service) == tree(fresh)
    assert (made.conflicts, made.kept, made.untouched) == ([], [], ["README.md"])
    assert made.answers == {"region": "eu"} and made.commit == LAST
    assert "??" not in service.git("status", "--short", "--", "*.rej")
    assert service.git("ls-files", "--unmerged") == ""


def test_an_unedited_service_becomes_a_fresh_render_but_for_what_is_written_once(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", FIRST)
    once = {path: service.read(path) for path in MIRROR}
    made = update(service, LAST)
    assert made.changed[RENAMED[0]] == "removed" and made.kept == []
    fresh = tree(template.render(tmp_path / "fresh" / "crm", LAST))
    assert {path: service.read(path) for path in MIRROR} == once
    for path in MIRROR:
        assert fresh[path] == once[path].encode() + b"\n", "the release shipped another"
        fresh[path] = once[path].encode()
    assert tree(service) == fresh


def test_copier_alone_merges_the_same(template: Template, tmp_path: Path) -> None:
    service = edited(template.render(tmp_path / "crm", "0.3.0"))
    command = ["-m", "copier", "update", "--defaults", "--vcs-ref", LAST]
    done = warm.run(command, cwd=service.folder, env=clean_environment())
    assert done.returncode == 0, done.stderr
    assert "invoke template.check" in done.stderr and "CHANGELOG.md" in done.stderr
    assert "File not found" not in done.stderr
    fresh = tree(edited(template.render(tmp_path / "fresh" / "crm", LAST)))
    merged = tree(service)
    readme = merged.pop("README.md").decode()
    assert all(text in readme for text in ("<<<<<<<", "Written from scratch.", ">>>>>>>"))
    fresh.pop("README.md")
    assert merged == fresh


def test_both_lists_of_what_is_written_once_agree() -> None:
    import yaml

    settings = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    own = set(settings["_skip_if_exists"])
    (on_update,) = [entry for entry in settings["_exclude"] if "update" in entry]
    assert {line for line in on_update.split() if line.startswith("/")} == own
    assert not {"_tasks", "_migrations", "_jinja_extensions"} & settings.keys()


def test_what_the_owner_deleted_stays_deleted(template: Template, tmp_path: Path) -> None:
    service = template.render(tmp_path / "crm", "0.3.0")
    gone = ["tasks.py", "tests/test_barrel.py", RLS, WORKFLOW, "README.md"]
    for path in gone:
        (service.folder / path).unlink()
    service.write(ORDER, service.read(ORDER).replace("03_rls_ai_tables.sql\n", ""))
    service.commit()
    made = update(service, LAST)
    assert made.conflicts == []
    assert not [path for path in gone if (service.folder / path).exists()]
    assert "03_rls_ai_tables.sql" not in service.read(ORDER)


def test_lines_that_both_changed_get_conflict_markers_and_nothing_is_lost(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", "0.6.0")
    mine = STRICT.replace("aal2", "mine")
    service.write(RLS, service.read(RLS).replace(STRICT, mine))
    service.write("tests/reports.py", '"""The owner\'s."""\n')
    service.commit()
    done = service.invoke("template.update", "--to", "0.7.0", code=3)
    assert "Both sides changed the same lines" in done.out and "invoke db.check" in done.out
    for path, texts in {
        RLS: (mine, STRICT.replace("aal2", "aal3")),
        "tests/reports.py": ("The owner's", "The template's"),
    }.items():
        assert f"    {path}\n" in done.out
        assert all(text in service.read(path) for text in (*texts, "<<<<<<<", "=======", ">>>>>>>"))
        assert f"UU {path}" in service.git("status", "--short")


def test_an_edited_file_that_the_template_gave_up_is_kept(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", "0.4.0")
    files = [WORKFLOW, "tests/test_barrel.py", RENAMED[0]]
    texts = {path: f"{service.read(path)}\n# mine\n" for path in files}
    for path, text in texts.items():
        service.write(path, text)
    service.commit()
    made = update(service, "0.7.0", ci="false")
    assert made.kept == files
    assert {path: service.read(path) for path in files} == texts
    assert (service.folder / RENAMED[1]).exists()


def test_an_edited_readme_is_merged_and_one_written_anew_left_alone(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", "0.5.0")
    service.write("README.md", service.read("README.md") + "\n## Ours\n")
    service.commit()
    made = update(service, LAST)
    assert made.untouched == []
    text = service.read("README.md")
    assert "## Ours" in text and "In region eu." in text


def test_the_project_is_renamed_and_the_workflow_goes_and_comes_by_an_answer(
    template: Template, tmp_path: Path
) -> None:
    service = edited(template.render(tmp_path / "crm", LAST))
    workflow = service.folder / WORKFLOW
    rendered = workflow.read_text()
    made = update(service, LAST, project_name="Sales & Co", ci="false")
    assert made.changed == {WORKFLOW: "removed", "pyproject.toml": "changed"}
    assert 'description = "Sales & Co"' in service.read("pyproject.toml")
    assert 'name = "crm"' in service.read("pyproject.toml"), "the package keeps its name"
    service.commit()
    made = update(service, LAST, ci="true")
    assert made.changed == {WORKFLOW: "added"} and made.answers == {}
    assert workflow.read_text() == rendered


@pytest.mark.parametrize("answer", ["package_name=sales", "starter=minimal"])
def test_package_and_starter_cant_change(template: Template, tmp_path: Path, answer: str) -> None:
    service = template.render(tmp_path / "crm", LAST)
    name = answer.partition("=")[0]
    refused = service.invoke("template.update", "--data", answer, code=1)
    assert f"An update can't change {name}" in refused.err
    command = ["-m", "copier", "update", "--defaults", "--data", answer]
    command += ["--vcs-ref", LAST]
    plain = warm.run(command, cwd=service.folder, env=clean_environment())
    assert plain.returncode != 0 and "An update can't" in plain.stderr
    assert service.git("status", "--short") == ""


def test_an_answer_to_no_question_is_an_error_and_changes_nothing(
    template: Template, tmp_path: Path
) -> None:
    service = template.render(tmp_path / "crm", "0.5.0")
    with pytest.raises(Failure, match="asks no question 'colour'"):
        update(service, LAST, colour="red")
    assert service.git("status", "--short") == ""
    assert service.git("worktree", "list").count("\n") == 0


def test_a_service_in_a_folder_of_a_larger_repo_is_updated_alone(
    template: Template, tmp_path: Path
) -> None:
    template.render(tmp_path / "whole" / "services" / "crm", "0.3.0")
    shutil.rmtree(tmp_path / "whole/services/crm/.git")
    (tmp_path / "whole" / "other.txt").write_text("theirs\n")
    whole = owned(tmp_path / "whole")
    service = Service(tmp_path / "whole/services/crm")
    service.write(RLS, "-- reviewed\n" + service.read(RLS))
    whole.commit()
    made = update(service, LAST, region="us")
    assert made.changed[RENAMED[0]] == "removed" and made.conflicts == []
    assert made.answers == {} and "# Region: us" in service.read("supabase/config.toml")
    assert STRICT in service.read(RLS) and LOOSE not in service.read(RLS)
    changed = whole.git("status", "--short", "--untracked-files=all").splitlines()
    assert changed and all(" services/crm/" in line for line in changed)
