"""The line of pyproject.toml that pins the engine, by real runs of Copier on real git repositories.

Sources on other hosts are found by git's own `insteadOf`, so that nothing leaves this machine.
"""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import copier
import plumbum
import pytest
from packaging.requirements import Requirement
from service import ROOT, owned
from template_repo import Template

FIRST, SECOND = "0.1.0", "0.2.0"
HOSTS = (
    "https://github.com/acme/twolane",
    "https://gitlab.com/acme/group/twolane",
    "https://git.example.org/x/twolane",
    "https://bob:se@cret@git.example.org/x/twolane",
    "git@github.com:acme/twolane",
    "forge:acme/twolane",
    "ssh://git@git.example.org:2222/a/twolane",
    "ssh://bob:secret@git.example.org/a/twolane",
)
REMOTE = {
    "gh:acme/twolane": "git+https://github.com/acme/twolane.git",
    "gh:acme/twolane.git": "git+https://github.com/acme/twolane.git",
    "gl:acme/group/twolane": "git+https://gitlab.com/acme/group/twolane.git",
    "https://github.com/acme/twolane": "git+https://github.com/acme/twolane",
    "https://git.example.org/x/twolane.git": "git+https://git.example.org/x/twolane.git",
    "git+https://git.example.org/x/twolane": "git+https://git.example.org/x/twolane",
    "https://bob:se@cret@git.example.org/x/twolane.git": (
        "git+https://git.example.org/x/twolane.git"
    ),
    "git@github.com:acme/twolane.git": "git+ssh://git@github.com/acme/twolane.git",
    "forge:acme/twolane.git": "git+ssh://forge/acme/twolane.git",
    "ssh://git@git.example.org:2222/a/twolane.git": (
        "git+ssh://git@git.example.org:2222/a/twolane.git"
    ),
    "git+ssh://git@git.example.org:2222/a/twolane": (
        "git+ssh://git@git.example.org:2222/a/twolane"
    ),
    "ssh://bob:secret@git.example.org/a/twolane.git": (
        "git+ssh://bob@git.example.org/a/twolane.git"
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Two releases of what a pin depends on, and a commit after them, in a folder with a space."""
    folder = tmp_path_factory.mktemp("pins") / "two lane"
    (folder / "template").mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", folder)
    for name in ("pyproject.toml.jinja", "{{_copier_conf.answers_file}}.jinja"):
        shutil.copy(ROOT / "template" / name, folder / "template")
    (folder / "template/README.md").write_text("One.\n")
    template = Template(folder)
    template.git("init", "--quiet", "--initial-branch=main")
    template.git("config", "user.name", "Maintainer")
    template.git("config", "user.email", "maintainer@example.invalid")
    commit(template, "One.\n")
    template.git("tag", FIRST)
    commit(template, "Two.\n")
    template.git("tag", SECOND)
    commit(template, "Three.\n")
    commit(template, "Four.\n")
    return template


@pytest.fixture(autouse=True)
def hosts(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All hosts have the template. Copier's git has an environment of its own."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "".join(
            f'[url "{template.folder}"]\n  insteadOf = "{host}{end}"\n'
            for host in HOSTS
            for end in ("", ".git")
        )
        + "[user]\n  name = Owner\n  email = owner@example.invalid\n"
    )
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    with plumbum.local.env(GIT_CONFIG_GLOBAL=str(settings)):
        yield


def commit(template: Template, readme: str) -> None:
    (template.folder / "template/README.md").write_text(readme)
    template.git("add", "--all")
    template.git("commit", "--quiet", "--message", readme)


def copy(source: str, folder: Path, ref: str | None = FIRST, **answers: str) -> Path:
    copier.run_copy(
        source, folder, {"project_name": "CRM", **answers}, vcs_ref=ref, defaults=True, quiet=True
    )
    return folder


def project(service: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((service / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    return found


def pinned(service: Path) -> str:
    """The URL of the pin, which is a requirement as PEP 508 has it."""
    (line,) = project(service)["optional-dependencies"]["twolane"]
    requirement = Requirement(line)
    assert requirement.name == "twolane" and requirement.url
    return requirement.url


def file(path: Path) -> str:
    return f"file://{str(path.resolve()).replace(' ', '%20')}"


def fetched(path: Path) -> str:
    """As a repository; Python 3.11's own pip takes no such URL without a host."""
    return file(path).replace("file://", "git+file://localhost")


@pytest.mark.parametrize(("source", "url"), REMOTE.items())
def test_a_release_on_a_host_is_pinned_by_its_tag_and_without_a_login(
    tmp_path: Path, source: str, url: str
) -> None:
    service = copy(source, tmp_path / "crm")
    assert pinned(service) == f"{url}@{FIRST}"
    assert "secret" not in (service / "pyproject.toml").read_text()


@pytest.mark.parametrize("source", ["gh:acme/twolane", "git@github.com:acme/twolane.git"])
def test_what_is_no_release_on_a_host_is_pinned_by_its_commit(
    template: Template, tmp_path: Path, source: str
) -> None:
    service = copy(source, tmp_path / "crm", "HEAD")
    assert pinned(service) == f"{REMOTE[source]}@{template.git('rev-parse', 'HEAD')}"


@pytest.mark.parametrize("ref", [SECOND, None])
def test_a_release_in_a_folder_is_pinned_by_its_tag(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str | None
) -> None:
    monkeypatch.chdir(template.folder.parent)
    url = file(template.folder)
    here = {template.folder.name, f"./{template.folder.name}", f"{template.folder}/", f"git+{url}"}
    for place, source in enumerate({*here, str(template.folder)}):
        service = copy(source, tmp_path / f"crm{place}", ref)
        assert pinned(service) == f"{fetched(template.folder)}@{SECOND}"


def test_the_checked_out_tag_is_a_release_however_it_is_named(
    template: Template, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    template.git("clone", "--quiet", "--branch", SECOND, str(template.folder), str(clone))
    assert pinned(copy(str(clone), tmp_path / "crm", "HEAD")) == f"{fetched(clone)}@{SECOND}"


def test_a_bundle_and_a_bare_repository_are_pinned_by_what_can_be_fetched(
    template: Template, tmp_path: Path
) -> None:
    bundle, bare = tmp_path / "twolane.bundle", tmp_path / "bare.git"
    template.git("bundle", "create", "--quiet", str(bundle), "HEAD", "main", "--tags")
    template.git("clone", "--quiet", "--bare", str(template.folder), str(bare))
    head = template.git("rev-parse", "HEAD")
    for place, source in enumerate((bundle, bare)):
        for ref, pin in ((SECOND, SECOND), ("main", head)):
            service = copy(str(source), tmp_path / f"crm{place}{ref}", ref)
            assert pinned(service) == f"{fetched(source)}@{pin}"


def test_a_working_copy_is_pinned_as_it_is_edited_or_not(
    template: Template, tmp_path: Path
) -> None:
    clone = Template(tmp_path / "clone")
    template.git("clone", "--quiet", str(template.folder), str(clone.folder))
    service = copy(str(clone.folder), tmp_path / "clean", "HEAD")
    assert pinned(service) == file(clone.folder)
    (clone.folder / "template/README.md").write_text("Not committed.\n")
    with pytest.warns(UserWarning, match="Dirty template"):
        service = copy(str(clone.folder), tmp_path / "dirty", "HEAD")
    assert (service / "README.md").read_text() == "Not committed.\n"
    assert pinned(service) == file(clone.folder)
    clone.git("tag", "--delete", FIRST, SECOND)
    with pytest.warns(UserWarning, match="Dirty template"):
        service = copy(str(clone.folder), tmp_path / "untagged", None)
    assert pinned(service) == file(clone.folder)


def test_a_plain_folder_is_pinned_as_it_is(template: Template, tmp_path: Path) -> None:
    plain = tmp_path / 'a "plain" földer @1: 100% #?'
    shutil.copytree(template.folder, plain, ignore=shutil.ignore_patterns(".git"))
    service = copy(str(plain), tmp_path / "crm", None)
    assert pinned(service) == (
        f"file://{tmp_path}/a%20%22plain%22%20f%C3%B6lder%20%401:%20100%25%20%23%3F"
    )


@pytest.mark.parametrize(
    ("index", "wheels"),
    [
        ("https://wheels.example.org/", "https://wheels.example.org"),
        ("https://git.example.org/releases/{version}", f"https://git.example.org/releases/{FIRST}"),
        ("file:///srv/wheels", "file:///srv/wheels"),
    ],
)
def test_an_index_of_the_owners_is_pinned_by_the_url_of_the_wheel(
    tmp_path: Path, index: str, wheels: str
) -> None:
    service = copy("gh:acme/twolane", tmp_path / "crm", engine_from="index", engine_index=index)
    assert pinned(service) == f"{wheels}/twolane-{FIRST}-py3-none-any.whl"


def test_what_no_index_has_is_pinned_by_its_commit(template: Template, tmp_path: Path) -> None:
    index = {"engine_from": "index", "engine_index": "https://wheels.example.org"}
    service = copy("gh:acme/twolane", tmp_path / "crm", "HEAD", **index)
    head = template.git("rev-parse", "HEAD")
    assert pinned(service) == f"git+https://github.com/acme/twolane.git@{head}"


@pytest.mark.parametrize(
    "index",
    [
        "",
        "pypi",
        "wheels.example.org/simple",
        "http://wheels.example.org",
        "https://bob:secret@wheels.example.org",
        "https://wheels.example.org/a b",
        'https://wheels.example.org/"',
        "https://wheels.example.org/\n",
    ],
)
def test_an_index_without_a_url_or_with_a_login_is_refused(
    template: Template, tmp_path: Path, index: str
) -> None:
    """Or pip would ask a public index, where a package of that name is a stranger's."""
    source = str(template.folder)
    with pytest.raises(ValueError, match="question 'engine_index'"):
        copy(source, tmp_path / "crm", engine_from="index", engine_index=index)
    assert not (tmp_path / "crm").exists()


def test_no_answer_leaves_the_engine_to_a_public_index(tmp_path: Path) -> None:
    service = copy("gh:acme/twolane", tmp_path / "crm")
    every = [
        *project(service)["dependencies"],
        *(each for extra in project(service)["optional-dependencies"].values() for each in extra),
    ]
    named = [Requirement(each) for each in every if "twolane" in each.partition("[")[0]]
    assert [each.url is not None for each in named] == [True]


@pytest.mark.parametrize("source", ["gh:acme/twolane", "folder"])
@pytest.mark.parametrize(
    ("before", "after"), [(FIRST, SECOND), (FIRST, "HEAD"), ("main~1", "HEAD"), ("main~1", "main")]
)
def test_an_update_moves_the_pin_between_lines_that_the_owner_edits(
    template: Template, tmp_path: Path, source: str, before: str, after: str
) -> None:
    place = str(template.folder) if source == "folder" else source
    service = owned(copy(place, tmp_path / "crm", template.git("rev-parse", before)))
    old = service.read("pyproject.toml")
    fresh = copy(place, tmp_path / "fresh", after)
    text = (fresh / "pyproject.toml").read_text(encoding="utf-8")
    assert (old == text) == (before == "main~1" and source == "folder"), "only the pin differs"

    service.write("pyproject.toml", with_the_owners_lines(old))
    service.commit()
    copier.run_update(service.folder, vcs_ref=after, defaults=True, overwrite=True, quiet=True)
    assert service.read("pyproject.toml") == with_the_owners_lines(text)
    assert service.git("ls-files", "--unmerged") == ""


def with_the_owners_lines(text: str) -> str:
    """Lines of the owner's at the ends of the lists above and below the pin."""
    for old, new in {
        'asyncio]>=2.1,<2.2",\n]': 'asyncio]>=2.1,<2.2",\n    "uvicorn",\n]',
        "[dev]'\n": '[dev]\'\n    "httpx",\n',
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_an_update_moves_the_service_to_an_index(template: Template, tmp_path: Path) -> None:
    service = owned(copy("gh:acme/twolane", tmp_path / "crm"))
    index = {"engine_from": "index", "engine_index": "https://wheels.example.org"}
    copier.run_update(
        service.folder, index, vcs_ref=SECOND, defaults=True, overwrite=True, quiet=True
    )
    assert pinned(service.folder) == f"https://wheels.example.org/twolane-{SECOND}-py3-none-any.whl"
    service.commit()
    git = {"engine_from": "git"}
    copier.run_update(
        service.folder, git, vcs_ref=SECOND, defaults=True, overwrite=True, quiet=True
    )
    assert pinned(service.folder) == f"git+https://github.com/acme/twolane.git@{SECOND}"
