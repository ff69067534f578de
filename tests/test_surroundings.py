"""Disks that are full, files that can't be written, git that is absent, clocks that jump."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from service import DEV_MARKERS, Result, Service, clean_environment
from steps import MIRROR, add_sql, mirror, pushes, tables

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and users are Unix's")

# A write beyond the limit fails as on a full disk, once SIGXFSZ is ignored.
ON_A_FULL_DISK = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    "import sys; sys.dont_write_bytecode = True\n"
    "from invoke.main import program; program.run(['invoke', *sys.argv[1:]])\n"
)


def run(service: Service, command: list[str], **options: object) -> Result:
    done = subprocess.run(
        command,
        cwd=service.folder,
        env=clean_environment() | service.env,
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def on_a_full_disk(service: Service, size: int, *words: str) -> Result:
    return run(service, [sys.executable, "-c", ON_A_FULL_DISK.format(size=size), *words])


def drafts(service: Service) -> list[Path]:
    return [path for path in service.folder.rglob("*.draft") if ".postgres" not in path.parts]


@pytest.mark.parametrize("has_room_for_one", [False, True])
def test_a_sync_on_a_full_disk_leaves_both_files_as_they_were(
    service: Service, has_room_for_one: bool
) -> None:
    service.sql("alter table public.contacts add column nickname text")
    before = mirror(service)
    models, lock = (len(text.encode()) for text in before)
    assert models + 1000 < lock

    result = on_a_full_disk(service, models + 1000 if has_room_for_one else 0, "db.sync")

    assert result.code == 1 and "File too large" in result.err
    assert "free space on the disk" in result.err
    assert mirror(service) == before and drafts(service) == []
    service.invoke("db.sync")
    assert "nickname" in mirror(service)[0]


def test_a_gen_on_a_full_disk_leaves_no_revision(service: Service) -> None:
    service.write_app(DEV_MARKERS)

    result = on_a_full_disk(service, 400, "db.gen", "-m", "add dev markers")

    assert result.code == 1 and "File too large" in result.err
    assert service.revisions() == [] and drafts(service) == []
    said = service.invoke("db.gen", "-m", "add dev markers", code=None)
    if said.code:  # Pythons before 3.12.8 keep what they could write of a compiled module
        assert "Delete the folders __pycache__" in said.err
        for folder in service.folder.rglob("__pycache__"):
            shutil.rmtree(folder)
        service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")


def test_a_checkout_that_is_read_only_is_read_all_the_same(service: Service) -> None:
    service.sql("alter table public.contacts add column nickname text")
    if os.geteuid() == 0:
        pytest.skip("this runs as root, who may write everywhere")
    for path in [service.folder, *service.folder.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o555)
    assert "nickname" in service.invoke("db.status").out
    assert "Permission denied" in service.invoke("db.sync", code=1).err


@pytest.mark.parametrize("path", MIRROR)
def test_a_folder_in_the_place_of_a_file_of_the_mirror(service: Service, path: str) -> None:
    text = service.read(path)
    (service.folder / path).unlink()
    (service.folder / path).mkdir()

    result = service.invoke("db.sync", code=1)

    assert path in result.err and "First:" in result.err
    assert drafts(service) == []
    (service.folder / path).rmdir()
    service.invoke("db.sync")
    assert service.read(path) == text


def test_without_git_everything_but_a_commit_works(waiting: Service, tmp_path: Path) -> None:
    path = str(tmp_path / "nothing")
    waiting.invoke("db.push", PATH=path)
    assert pushes(waiting)[0][1] is None
    waiting.sql("alter table public.contacts add column nickname text")

    result = waiting.invoke("db.sync", "--commit", code=1, PATH=path)

    assert "git can't be run" in result.err and "commit by other means" in result.err
    assert "nickname" in mirror(waiting)[0]
    waiting.invoke("db.sync", "--commit")
    waiting.invoke("db.sync", "--check")


def test_a_detached_head_is_a_commit_like_any_other(waiting: Service) -> None:
    waiting.commit()
    head = waiting.git("rev-parse", "HEAD")
    waiting.git("checkout", "--quiet", "--detach")

    waiting.invoke("db.push", "--commit")

    assert pushes(waiting)[0][1] == head


def test_a_second_service_on_the_same_database_is_told_of_the_first(
    pushed: Service, ready_service: Service, tmp_path: Path
) -> None:
    """Its own copy of the ledger would say nothing: the first one's revision is unknown to it."""
    shutil.copytree(ready_service.folder, tmp_path / "other")
    other = Service(tmp_path / "other", pushed.env)
    other.write_app(DEV_MARKERS.replace("dev_markers", "notes").replace("DevMarkers", "Notes"))
    before = tables(pushed)

    for words in (["db.gen", "-m", "notes"], ["db.push"], ["db.sync"]):
        result = other.invoke(*words, code=2)
        assert "G11 history" in result.err

    assert tables(pushed) == before
    assert pushed.invoke("db.status").out.endswith("nothing to do\n")


def test_clocks_that_jump_are_no_change(pushed: Service) -> None:
    """Files from tomorrow and from the seventies: contents count, not times."""
    for number, path in enumerate(sorted(pushed.folder.rglob("*"))):
        if ".git" not in path.parts:
            moment = time.time() + 86_400 if number % 2 else 0
            os.utime(path, (moment, moment), follow_symlinks=False)
    assert pushed.invoke("db.apply").out.startswith("✓ Nothing to apply")
    assert pushed.invoke("db.status").out.endswith("nothing to do\n")
    add_sql(pushed, "10_fax.sql", "alter table contacts add column if not exists fax text;")
    os.utime(pushed.folder / "supabase/sql/10_fax.sql", (0, 0))
    assert "10_fax.sql" in pushed.invoke("db.apply").out
    pushed.invoke("db.sync")
