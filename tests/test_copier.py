"""What `copier copy` makes of the template, by real runs of Copier."""

import keyword
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import copier
import pytest
import warm
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

# What Copier must not carry from a working copy into a service.
LITTER = (
    "tests/__pycache__/conftest.cpython-311.pyc",
    "src/{{package_name}}/db/__pycache__/session.cpython-311.pyc",
    "migrations/versions/stray.pyc",
    ".postgres/18/PG_VERSION",
    ".mypy_cache/CACHEDIR.TAG",
    ".ruff_cache/CACHEDIR.TAG",
    ".pytest_cache/CACHEDIR.TAG",
    "supabase/.DS_Store",
)

MINIMAL = {"01_extensions_and_vector.sql", "05_guardrails.sql"}

Render = Callable[..., Path]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain copy of the template as it stands, so that Copier renders neither tag nor commit."""
    folder = tmp_path_factory.mktemp("template")
    shutil.copy(ROOT / "copier.yml", folder)
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache", ".postgres")
    shutil.copytree(ROOT / "template", folder / "template", ignore=ignore)
    return folder


def copy(template: Path, target: Path, **answers: str | bool) -> Path:
    """Render a service as `copier copy --defaults` does, without --trust."""
    copier.run_copy(str(template), target, data=answers, defaults=True, quiet=True)
    return target


@pytest.fixture
def render(template: Path, tmp_path: Path) -> Render:
    """Render a service into a folder of that name, with those answers."""

    def run(folder: str = "my-service", **answers: str | bool) -> Path:
        return copy(template, tmp_path / folder, **answers)

    return run


def pyproject(service: Path) -> dict[str, Any]:
    """Read a service's pyproject.toml."""
    return tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))


def package(service: Path) -> str:
    """The one package under `src`."""
    (folder,) = (service / "src").iterdir()
    return folder.name


def files(folder: Path) -> set[str]:
    """All files of a folder, by their paths in it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_defaults_render_without_trust(template: Path, tmp_path: Path) -> None:
    done = warm.run(
        ["-m", "copier", "copy", "--defaults", str(template), "my-service"], cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert pyproject(tmp_path / "my-service")["project"]["name"] == "my-service"
    assert "invoke db.bootstrap" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ("My Service", "my_service"),
        ("OmniCRM", "omnicrm"),
        ("2nd lane", "service_2nd_lane"),
        ("2024", "service_2024"),
        ("Café Über-Straße", "cafe_uber_strasse"),
        ("Cafe\u0301", "cafe"),
        ("Łódź & Ærø", "lodz_aero"),
        ("İstanbul", "istanbul"),
        ("Проект", "service"),
        ("日本語 API", "api"),
        ("O'Brien's", "obriens"),
        ('say "hi" \\ {{ no }} {% no %} ${x} </b> #', "say_hi_no_no_x_b"),
        ("🚀", "service"),
        ("___", "service"),
        ("class", "class_service"),
        ("json", "json_service"),
        ("Tasks", "tasks_service"),
        ("SQLAlchemy", "sqlalchemy_service"),
        ("con", "con_service"),
        ("x" * 90, "x" * 40),
    ],
)
def test_hostile_project_names_give_a_valid_package(
    template: Path, tmp_path: Path, project: str, expected: str
) -> None:
    service = copy(template, tmp_path / "service", project_name=project)
    assert package(service) == expected
    assert expected.isidentifier() and not keyword.iskeyword(expected)
    settings = pyproject(service)
    assert settings["project"]["description"] == project
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", settings["project"]["name"])
    assert settings["tool"]["twolane"] == {"package": expected}
    config = (service / "supabase/config.toml").read_text(encoding="utf-8")
    assert tomllib.loads(config)["project_id"]
    assert (service / "README.md").read_text(encoding="utf-8").startswith(f"# {project}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such folders")
@pytest.mark.parametrize(
    ("folder", "project"), [("a\nb", "a b"), ('q"\\', 'q"\\'), (" Ünder ", "Ünder"), ("\x7f", None)]
)
def test_any_folder_gives_a_project_name(render: Render, folder: str, project: str | None) -> None:
    assert pyproject(render(folder))["project"]["description"] == (project or "My service")


@pytest.mark.parametrize(
    "name", ["", "My-Service", "2nd", "_x", "a__b", "a b", "été", "x\n", "class", "tasks", "os"]
)
def test_an_invalid_package_name_is_refused(template: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="question 'package_name'"):
        copy(template, tmp_path / "service", package_name=name)
    assert not (tmp_path / "service").exists()


def test_no_package_takes_the_name_of_what_a_service_installs() -> None:
    taken = set(yaml.safe_load((ROOT / "copier.yml").read_text())["taken_names"]["default"].split())
    waiting = ["twolane", "pgvector", "psycopg[binary]", "python-dotenv", "sqlalchemy[asyncio]"]
    waiting += ["mypy", "pytest", "ruff"]
    seen = set(waiting)
    for wanted in map(Requirement, waiting):
        extras = [{"extra": extra} for extra in ("", *wanted.extras)]
        for line in metadata.requires(wanted.name) or ():
            needed = Requirement(line)
            applies = not needed.marker or any(map(needed.marker.evaluate, extras))
            if applies and str(needed.name) not in seen:
                seen.add(needed.name)
                waiting.append(f"{needed.name}[{','.join(needed.extras)}]")
    files = [file for name in map(Requirement, waiting) for file in metadata.files(name.name) or ()]
    modules = {file.parts[0].removesuffix(".py") for file in files if file.suffix in (".py", ".so")}
    assert {name for name in modules if re.fullmatch(r"[a-z][a-z0-9_]*", name)} <= taken


@pytest.mark.parametrize("name", [" ", "two\nlines", "a\tb", "nul\x01"])
def test_an_unprintable_project_name_is_refused(template: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="question 'project_name'"):
        copy(template, tmp_path / "service", project_name=name)


def test_no_package_shadows_the_standard_library() -> None:
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    taken = set(questions["taken_names"]["default"].split())
    modules = {name.lower() for name in sys.stdlib_module_names if not name.startswith("_")}
    words = {word.lower() for word in keyword.kwlist}
    assert modules | words <= taken


@pytest.mark.parametrize("starter", ["omnicrm", "minimal"])
def test_every_listed_sql_file_is_rendered_and_the_other_way_round(
    render: Render, starter: str
) -> None:
    service = render(starter=starter)
    lines = (service / "supabase/bootstrap.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith(("#", "@"))]
    assert set(listed) == {path.name for path in (service / "supabase/sql").iterdir()}
    assert lines[-1] == "@migrations"


def test_minimal_starter_has_only_its_two_files(render: Render) -> None:
    sql = render(starter="minimal") / "supabase/sql"
    assert {path.name for path in sql.iterdir()} == MINIMAL


@pytest.mark.parametrize("starter", ["omnicrm", "minimal"])
def test_generated_files_arrive_byte_for_byte(render: Render, starter: str) -> None:
    service = render(starter=starter)
    shipped = ROOT / "template/starters" / starter
    schema = service / "src" / package(service) / "db/schema"
    lock = (service / "supabase/schema.lock.json").read_bytes()
    assert lock == (shipped / "schema.lock.json").read_bytes()
    assert (schema / "introspected.py").read_bytes() == (shipped / "introspected.py").read_bytes()


@pytest.mark.parametrize("starter", ["omnicrm", "minimal"])
def test_a_render_is_formatted_and_lint_clean(render: Render, starter: str) -> None:
    service = render("Zoë's 2nd service", starter=starter)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(ruff, cwd=service, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_leaves_the_generated_models_alone(render: Render) -> None:
    service = render()
    models = service / "src" / package(service) / "db/schema/introspected.py"
    models.write_text("import os\nx = [ 1 ]\n")
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "src"]
        subprocess.run(ruff, cwd=service, check=True)


def test_a_render_is_typed(render: Render) -> None:
    service = render()
    mypy = [sys.executable, "-m", "mypy", "--strict", "src", "migrations"]
    done = subprocess.run(mypy, cwd=service, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_barrel_tests_of_a_render_pass(render: Render) -> None:
    service = render()
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_barrel.py"]
    done = subprocess.run(tests, cwd=service, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_answers_are_recorded(render: Render) -> None:
    answers = yaml.safe_load(
        (render(project_name="Zoë's", starter="minimal") / ".copier-answers.yml").read_text("utf-8")
    )
    answers.pop("_src_path")
    expected = {"project_name": "Zoë's", "package_name": "zoes", "starter": "minimal", "ci": True}
    expected["engine_from"] = "git"
    assert answers == expected


def test_no_cache_files_leak_into_a_render(template: Path, tmp_path: Path) -> None:
    littered = tmp_path / "template"
    shutil.copytree(template, littered)
    for name in LITTER:
        path = littered / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"litter")
    dirty = copy(littered, tmp_path / "a" / "service")
    assert files(dirty) == files(copy(template, tmp_path / "b" / "service"))


def test_nothing_of_the_template_itself_is_rendered(render: Render) -> None:
    service = render()
    assert not (service / "starters").exists()
    assert not [name for name in files(service) if name.endswith(".jinja") or "{" in name]


def test_without_ci_there_is_no_workflow(render: Render) -> None:
    assert (render("with") / ".github/workflows/db.yml").is_file()
    assert not (render("without", ci=False) / ".github").exists()


def test_the_workflow_checks_without_a_secret_and_migrates_by_hand_alone(render: Render) -> None:
    text = (render() / ".github/workflows/db.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    check, targets, migrate = (workflow["jobs"][job] for job in ("check", "targets", "migrate"))
    assert "pull_request" in workflow[True]  # YAML's `on`
    assert "secrets" not in str(check) and "if" not in check
    assert "invoke db.check" in [step.get("run") for step in check["steps"]]
    assert (targets["needs"], migrate["needs"]) == ("check", "targets")
    by_hand = "github.event_name == 'workflow_dispatch' && vars.MIGRATE == 'yes'"
    assert targets["if"] == migrate["if"] == by_hand
    assert re.findall(r"\$\{\{ (secrets\..*?) \}\}", text) == [
        "secrets.MIGRATE_DATABASE_URL != ''",  # whether there is one
        "secrets.MIGRATE_DATABASE_URL",
    ]


def test_the_workflow_migrates_each_target_in_a_job_with_one_secret(render: Render) -> None:
    text = (render() / ".github/workflows/db.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow[True]["workflow_dispatch"]["inputs"]["targets"]["default"] == "default"
    migrate = workflow["jobs"]["migrate"]
    name = "${{ matrix.target.name }}"
    assert migrate["strategy"] == {
        "matrix": {"target": "${{ fromJSON(needs.targets.outputs.list) }}"},
        "max-parallel": 4,
        "fail-fast": "${{ !inputs.carry_on }}",
    }
    assert migrate["environment"] == name
    assert migrate["concurrency"] == f"migrate-{name}", "one group for all would cancel the others"
    scripts = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert not [script for script in scripts if "${{" in script], "values come by the environment"
    assert "env" not in migrate, "the secret is one step's"


def test_file_names_are_valid_on_windows() -> None:
    names = files(ROOT / "template")
    assert not [name for name in names if re.search(r'[<>:"|?*\\]|[. ](/|$)', name)]


def test_uv_and_pip_install_the_same(render: Render) -> None:
    """One list: the group is the extra, and the extra brings the engine."""
    settings = pyproject(render())
    assert settings["dependency-groups"]["dev"] == ["my-service[dev]"]
    assert "my-service[twolane]" in settings["project"]["optional-dependencies"]["dev"]


def test_a_service_is_small_enough_to_be_read(render: Render) -> None:
    assert len(files(render())) <= 45


def test_a_copy_over_a_service_keeps_what_is_written_once(template: Path, tmp_path: Path) -> None:
    service = copy(template, tmp_path / "service")
    schema = service / "src/service/db/schema"
    once = [schema / "app.py", schema / "introspected.py", service / "supabase/schema.lock.json"]
    for path in (*once, service / "tasks.py"):
        path.write_text("mine\n")
    command = ["-m", "copier", "copy", "--defaults", "--quiet", str(template)]
    for options in (["--skip", "*"], ["--overwrite"]):
        assert (service / "tasks.py").read_text() == "mine\n"
        warm.run([*command, *options, str(service)]).check_returncode()
        assert [path.read_text() for path in once] == ["mine\n"] * 3
    assert "namespace" in (service / "tasks.py").read_text()


def test_both_config_files_for_the_supabase_cli_agree(render: Render) -> None:
    service = tomllib.loads((render() / "supabase/config.toml").read_text(encoding="utf-8"))
    own = tomllib.loads((ROOT / "supabase/config.toml").read_text(encoding="utf-8"))
    assert service | {"project_id": "twolane"} == own
