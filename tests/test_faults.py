"""A command cut short at any point: nothing is lost or half done, and the same command ends it.

Each attempt is a copy of a prepared service: folder and database. The command is started in it and
cut, by a signal or by the loss of its connections; then the database stands at one of the points
that an undisturbed run passes, ledger and facts together, and the files are those of before or of
after.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from faults import CUTS, PREPARATIONS, Cut, Ground, Prepared, files, standing
from servers import Server, running
from service import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")


@pytest.fixture(scope="module")
def ground(blank_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with running(18) as server:
        yield Ground(server, blank_service, tmp_path_factory.mktemp("faults"))


def assert_between(prepared: Prepared, service: Service) -> None:
    """Files of before or of after; of the mirror's two, the lock is the last."""
    drafts, now = 0, files(service)
    for name in [name for name in now if name.endswith(".draft")]:
        drafts, _ = drafts + 1, now.pop(name)
    changed = {name for name in now if now.get(name) != prepared.before.get(name)}
    assert all(now[name] == prepared.after.get(name) for name in changed), changed
    assert prepared.before.keys() <= now.keys()
    if "supabase/schema.lock.json" in changed:
        assert now == prepared.after
    ledger, facts = standing(service)
    assert ledger in prepared.passed, ledger
    assert facts == prepared.passed[ledger]


def run_and_cut(
    service: Service, prepared: Prepared, cut: Cut, server: Server, at: float, cold: bool
) -> bool:
    """Starts the command and cuts it after so many seconds; whether it had already ended."""
    begun = time.monotonic()
    process = service.start(*prepared.words, cold=cold)
    with suppress(subprocess.TimeoutExpired):
        process.wait(at)
    late = process.poll() is not None
    cut.cut(process, server)
    said, _ = process.communicate(timeout=120)
    assert f'File "{service.folder}' not in said, said
    assert process.returncode in (0, 1, 130, -signal.SIGINT, -signal.SIGKILL), said
    if late:
        assert process.returncode == 0, said
        prepared.seconds = min(prepared.seconds, time.monotonic() - begun)
    return late


def wait_until_alone(service: Service) -> None:
    """A backend whose client was killed sees it when it next speaks to it."""
    query = (
        "select pid from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 120
    while service.sql(query):
        assert time.monotonic() < deadline, "the command's backend is still there"
        time.sleep(0.005)


# A bootstrap is a deploy, and is cut in all ways; a deploy into what is there, in two of them.
PAIRS = [
    pytest.param(command, cut, marks=pytest.mark.xdist_group(command), id=f"{command}-{cut.name}")
    for command in PREPARATIONS
    for cut in CUTS
    if command != "deploy" or cut.name in ("kill", "disconnect")
]


@pytest.mark.parametrize(("command", "cut"), PAIRS)
def test_what_is_cut_short_is_finished_by_the_same_command(
    ground: Ground, command: str, cut: Cut
) -> None:
    prepared = ground.prepare(command)
    chance = random.Random(f"{command} {cut.name}")
    cuts = tries = 0
    times = (cut.times + 1) // 2 if command == "deploy" else cut.times
    while cuts < times:
        service = ground.copy(prepared.service, with_database=len(prepared.passed) > 1)
        at = prepared.seconds * (cuts + chance.random()) / times
        is_first = cuts + tries == 0  # this one while it imports, the others at its work
        late = run_and_cut(service, prepared, cut, ground.server, at, cold=is_first)
        wait_until_alone(service)
        assert_between(prepared, service)
        service.invoke(*prepared.words)
        assert standing(service) == prepared.end
        assert files(service) == prepared.after
        ground.remove(service)
        # A cut that came late does not count; the time that the run took is known better now.
        cuts, tries = cuts + (not late), tries + 1
        assert tries <= 2 * times + 3, "most cuts come while the command runs"


DRAFTS = "select from pg_database where datname ~ '^shadow_.*_draft_'"


@pytest.mark.parametrize("cut", CUTS[:3], ids=lambda cut: cut.name)
def test_a_shadow_cut_short_is_built_anew(ground: Ground, cut: Cut) -> None:
    """Another URL, so nothing replayed before counts; cut while a step is under way."""
    prepared = ground.prepare("sync")
    chance = random.Random(cut.name)
    for number in range(2):
        service = ground.copy(prepared.service, with_database=False)
        cold = f"?connect_timeout={100 + 10 * CUTS.index(cut) + number}"
        service.env |= {"SHADOW_DATABASE_URL": ground.server.url() + cold}
        process = service.start(*prepared.words)
        with psycopg.connect(ground.server.url(), autocommit=True) as connection:
            while not connection.execute(DRAFTS).fetchall():
                assert process.poll() is None, "the shadow is built in drafts"
            time.sleep(chance.random() / 5)
            cut.cut(process, ground.server)
            said, _ = process.communicate(timeout=120)
            assert f'File "{service.folder}' not in said, said
            service.invoke(*prepared.words)
            assert files(service) == prepared.after
            assert not connection.execute(DRAFTS).fetchall(), "no draft is left"
