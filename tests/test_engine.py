"""An engine that is not the pinned one: who notices, what it says, and who is let be."""

import json
import re
import tomllib
from pathlib import Path

import engines
import pytest
from service import Service

import twolane
from twolane import config, pin
from twolane.errors import Failure
from twolane.template import installed

HERE, OTHER = "a" * 40, "b" * 40
GIT = "git+https://github.com/acme/twolane.git"
WHEELS = "https://wheels.example.org"
NOW = twolane.__version__
NEXT = "99.0.0"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as pip leaves it, out of which the engine runs."""
    folder = tmp_path / "site-packages"
    (folder / f"twolane-{NOW}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(twolane, "__file__", str(folder / "twolane/__init__.py"))
    return folder


def came_from(place: Path, **origin: object) -> None:
    record = place / f"twolane-{NOW}.dist-info/direct_url.json"
    record.write_text(json.dumps(origin))


def repository(commit: str, revision: str | None = None) -> dict[str, object]:
    vcs = {"vcs": "git", "commit_id": commit}
    return {
        "url": GIT.removeprefix("git+"),
        "vcs_info": vcs | ({"requested_revision": revision} if revision else {}),
    }


def service(folder: Path, line: str, more: str = "") -> Path:
    """A service with that requirement."""
    folder.mkdir()
    quoted = json.dumps(line)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "crm"\ndependencies = []\n'
        f'[project.optional-dependencies]\ntwolane = [{quoted}]\ndev = ["crm[twolane]"]\n'
        f'[tool.twolane]\npackage = "crm"\n{more}'
    )
    return folder


FITTING = [
    (f"twolane @ {GIT}@{NOW}", repository(HERE, NOW)),
    (f"twolane@{GIT}@v{NOW}", repository(HERE, f"v{NOW}")),
    (f"twolane @ {GIT}@fork-7", repository(HERE, "fork-7")),
    (f"twolane @ {GIT}@{NEXT}", repository(HERE, NEXT)),  # a tag that does not say its version
    (f"twolane @ {GIT}@{HERE}", repository(HERE, HERE)),
    (f"twolane @ {GIT}@{HERE}", repository(HERE, "main")),
    (f"twolane @ {GIT}", repository(HERE)),
    (f"twolane @ {WHEELS}/twolane-{NOW}-py3-none-any.whl#sha256=00", {"archive_info": {}}),
    ("twolane @ file:///srv/two%20lane/", {"url": "file:///srv/two lane", "dir_info": {}}),
    (f"TwoLane[x]=={NOW}", {}),
    ("twolane", {}),
    (f"twolane=={NEXT}; python_version < '3'", {}),
    (f"twolane @ {GIT}@{NEXT} ; python_version < '3'", {}),
    (f"twolane-extras=={NEXT}", {}),
    ("twolane @", {}),
    ("twolane >= what", {}),
    ("twolane ; what", {}),
    ("@ twolane", {}),
    ("", {}),
]


@pytest.mark.parametrize(("line", "origin"), FITTING)
def test_the_pinned_engine_is_found_fitting(
    place: Path, tmp_path: Path, line: str, origin: dict[str, object]
) -> None:
    came_from(place, **origin)
    assert config.load(service(tmp_path / "crm", line)).package == "crm"


STALE = [
    (f"twolane @ {GIT}@{NEXT}", repository(HERE, NOW), NEXT, NOW),
    (f"twolane @ {WHEELS}/twolane-{NEXT}-py3-none-any.whl", {}, NEXT, NOW),
    (f"twolane @ {GIT}@{OTHER}", repository(HERE, HERE), OTHER, HERE),
    (f"twolane @ {GIT}@{OTHER}", {"url": f"{WHEELS}/x.whl", "archive_info": {}}, OTHER, NOW),
    (f"twolane @ {GIT}@main", repository(HERE, "next"), "main", HERE),
    (
        "twolane @ file:///srv/twolane",
        {"url": "file:///srv/other", "dir_info": {}},
        "file:///srv/twolane",
        "file:///srv/other",
    ),
    (
        "twolane @ file:///srv/twolane",
        {"url": "file:///srv/twolane", "vcs_info": {"vcs": "git", "commit_id": HERE}},
        "file:///srv/twolane",
        f"file:///srv/twolane@{HERE}",
    ),
    (f"twolane>={NEXT}", {}, f">={NEXT}", NOW),
]


@pytest.mark.parametrize(("line", "origin", "pinned", "there"), STALE)
def test_another_engine_is_told_with_the_command_that_mends_it(
    place: Path, tmp_path: Path, line: str, origin: dict[str, object], pinned: str, there: str
) -> None:
    came_from(place, **origin)
    crm = service(tmp_path / "crm", line)
    with pytest.raises(Failure) as failed:
        config.load(crm)
    said = f"pyproject.toml pins twolane {pinned}, {there} is installed."
    assert failed.value.message == said
    # pip keeps an engine whose version number is the same.
    keeps = GIT in line and NEXT not in line
    by_pip = "pip install -e '.[dev]'"
    assert failed.value.first == (f"pip uninstall --yes twolane && {by_pip}" if keeps else by_pip)
    (crm / "uv.lock").touch()
    with pytest.raises(Failure) as failed:
        config.load(crm)
    assert failed.value.first == "uv sync"
    assert installed.lacking(crm) == [line]


def test_an_engine_of_a_maintainers_fits_every_pin(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = service(tmp_path / "crm", f"twolane @ {GIT}@{NEXT}")
    # `pip install -e`, or PYTHONPATH: it runs from its own folder, beside which is no record.
    monkeypatch.setattr(twolane, "__file__", str(tmp_path / "checkout/twolane/__init__.py"))
    assert config.load(crm).package == "crm"
    assert installed.lacking(crm) == []


def test_uv_may_take_the_engine_from_where_its_owner_says(place: Path, tmp_path: Path) -> None:
    more = '[tool.uv.sources]\ntwolane = { path = "../twolane" }\n'
    assert config.load(service(tmp_path / "crm", f"twolane @ {GIT}@{NEXT}", more)).package == "crm"


@pytest.mark.parametrize("record", ["", "{", "[]", '"x"', '{"vcs_info": [], "url": 7}'])
def test_a_broken_record_of_the_installation_is_no_traceback(
    place: Path, tmp_path: Path, record: str
) -> None:
    (place / f"twolane-{NOW}.dist-info/direct_url.json").write_text(record)
    with pytest.raises(Failure, match=f"pins twolane {OTHER}"):
        config.load(service(tmp_path / "crm", f"twolane @ {GIT}@{OTHER}"))


@pytest.mark.parametrize(
    "text", ["dependency-groups = 7", "[project]\ndependencies = 7", "[[project]]\nname = 1"]
)
def test_a_pyproject_of_odd_shape_has_no_pin(text: str) -> None:
    assert pin.read(tomllib.loads(text)) == []


def test_a_requirement_by_url_is_met_by_what_came_from_there(tmp_path: Path) -> None:
    """Nothing of this environment came from there."""
    crm = service(
        tmp_path / "crm", "invoke @ https://wheels.example.org/invoke-1.0-py3-none-any.whl"
    )
    assert installed.lacking(crm) == [
        "invoke @ https://wheels.example.org/invoke-1.0-py3-none-any.whl"
    ]


def test_every_command_notices_a_stale_engine(folder: Service, tmp_path: Path) -> None:
    """As pip leaves it, the engine is in a folder with its record; it is of another version."""
    place = engines.put(tmp_path / "site-packages")
    settings = re.sub(
        "^twolane = .*",
        f'twolane = ["twolane @ {GIT}@{NEXT}"]',
        folder.read("pyproject.toml"),
        flags=re.M,
    )
    folder.write("pyproject.toml", settings)
    folder.commit()
    listed = folder.invoke("--list", "--list-format=json").out
    commands = [
        f"{collection['name']}.{task['name']}"
        for collection in json.loads(listed)["collections"]
        for task in collection["tasks"]
    ]
    assert {"db.status", "db.doctor", "template.update"} <= {*commands}
    arguments = {
        "db.diff": ["live", "lock"],
        "db.gen": ["-m", "x"],
        "db.psql": ["-c", "select 1"],
        "db.rls": ["notes"],
        "db.own": ["contacts"],
        "db.why": ["contacts"],
        "db.disown": ["notes"],
        "db.downgrade": ["--to=base"],
    }
    for name in commands:
        command = [name, *arguments.get(name, [])]
        done = folder.invoke(*command, code=None, PYTHONPATH=str(place))
        assert done.code != 0, name
        if name == "template.check":
            continue
        assert f"pyproject.toml pins twolane {NEXT}, {NOW} is installed." in done.text, name
        assert "pip install -e '.[dev]'" in done.text, name
