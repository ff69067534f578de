"""What pyproject.toml asks for, against what is installed: every form of a requirement."""

import json
from pathlib import Path

import pytest

from twolane.template import installed

COMMIT = "a" * 40
GIT = {"vcs": "git", "requested_revision": "v1", "commit_id": COMMIT}
PLACES = {
    "of_index": None,
    "of_git": {"url": "https://host/a/of_git.git", "vcs_info": GIT},
    "of_wheel": {"url": "https://host/of_wheel-1.0-py3-none-any.whl", "archive_info": {}},
    "of_folder": {"url": "file:///x/of%20folder", "dir_info": {}},
    "of_owner": {"url": "file:///x/mine", "dir_info": {"editable": True}},
}
MET = [
    "of-index",
    "Of_Index (>=0.5)",
    "of-index ~= 1.0",
    "of-index @ git+https://host/x.git ; python_version < '3'",
    "of-index[unknown]",
    "of-index[light]",
    "of-git >= 1",
    "of-git @ git+https://host/a/of_git.git",
    "of-git @ git+https://host/a/of_git",
    "of-git @ git+https://host/a/of_git.git@v1",
    "of-git @ git+https://host/a/of_git.git@v1#subdirectory=x",
    "of-git @ git+https://user:word@HOST/a/of_git.git@v1",
    "of-git @ git+ssh://git@host/a/of_git.git@v1",
    "of-git @ git+ssh://git@host/a/of_git.git",
    f"of-git @ git+https://host/a/of_git.git@{COMMIT}",
    "of-wheel @ https://host/of_wheel-1.0-py3-none-any.whl",
    "of-wheel @ https://host/of_wheel-1.0-py3-none-any.whl#sha256=abc",
    "of-folder @ file:///x/of%20folder/",
    "of-owner @ git+https://host/e.git@v9",
    "what is this",
]
NOT_MET = [
    "missing",
    "missing[x] > 1",
    "missing @ git+https://host/missing.git",
    "OF-INDEX >= 2",
    "of-index === 1.1",
    "of-index[fast]",
    "of-index[all]",
    "of-index @ git+https://host/a/of_index.git",
    "of-index @ git+https://host/a/of_index.git@v1",
    "of-index @ hg+https://host/of_index",
    "of-index @ https://host/of_index-1.0-py3-none-any.whl",
    "of-index @ https://host/of_index-1.0.tar.gz",
    "of-index @ file:///x/of_index",
    "of-git >= 2",
    "of-git @ git+https://host/a/of_git.git@v2",
    "of-git @ git+https://host/b/of_git.git@v1",
    "of-git @ git+https://other/a/of_git.git@v1",
    "of-git @ https://host/of_git-1.0.tar.gz",
    "of-wheel @ https://host/of_wheel-1.1-py3-none-any.whl",
    "of-wheel @ git+https://host/of_wheel-1.0-py3-none-any.whl",
    "of-folder @ file:///y/of%20folder",
]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service beside packages of version 1.0 from several places."""
    requires = [
        "of-git; extra == 'light'",
        "nowhere >= 2; extra == 'fast'",
        "of-index[fast, all]; extra == 'all'",
    ]
    for name, origin in PLACES.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        lines += [f"Requires-Dist: {each}" for each in requires] if name == "of_index" else []
        (folder / "METADATA").write_text("\n".join([*lines, ""]))
        if origin:
            (folder / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(tmp_path)
    service = tmp_path / "service"
    service.mkdir()
    (service / "pyproject.toml").write_text(
        f'[project]\nname = "crm"\ndependencies = {json.dumps([*MET, *NOT_MET])}\n'
        "optional-dependencies.dev = []\n"
    )
    return service


def test_what_is_lacking_is_what_is_not_installed_from_where_it_is_asked_for(asked: Path) -> None:
    assert installed.lacking(asked) == NOT_MET
