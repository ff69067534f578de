"""A process that is forked where its imports are done is like one that Python started."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import warm
from service import clean_environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes start by fork")

LOOK = """
import json, logging, os, signal, sys, warnings
signals = {number: signal.getsignal(number) for number in signal.valid_signals()}
print(json.dumps({
    "arguments": sys.argv,
    "collector": __import__("gc").isenabled(),
    "files": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
    "filters": [str(each[:3]) for each in warnings.filters],
    "folder": os.getcwd(),
    "handlers": len(logging.getLogger().handlers),
    "leads its session": os.getsid(0) == os.getpid(),
    "path": sys.path,
    "signals": {str(n): str(handler).partition(" at ")[0] for n, handler in signals.items()},
    "streams": [(f.encoding, f.errors, f.line_buffering, f.isatty())
                for f in (sys.stdin, sys.stdout, sys.stderr)],
    "variables": dict(os.environ),
}))
print("an error", file=sys.stderr)
raise SystemExit(7)
"""


@pytest.mark.parametrize(
    "options",
    [{}, {"start_new_session": True}, {"env": clean_environment() | {warm.ENCODING: "utf-8"}}],
    ids=["plain", "with a session", "with an encoding"],
)
def test_it_looks_around_and_sees_what_python_would_have_given_it(
    options: dict[str, Any], tmp_path: Path
) -> None:
    options = {"env": clean_environment() | {"OF_ITS_OWN": "é"}, "cwd": tmp_path} | options
    seen = []
    for start in (warm.popen, warm.cold_popen):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = start(["-c", LOOK, "one", "two"], **pipes, **options)
        out, err = process.communicate()
        seen.append((json.loads(out), err, process.returncode))
    (forked, *said), (started, *expected) = seen
    assert said == expected
    for what in started:
        assert forked[what] == started[what], what


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_and_is_its_exit_code(number: signal.Signals) -> None:
    code = "print('here', flush=True); import time; time.sleep(300)"
    process = warm.popen(["-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert isinstance(process, warm.Forked) and process.stdout
    assert process.stdout.readline() == "here\n" and process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == -number


def test_other_variables_of_pythons_own_are_for_another_python() -> None:
    environment = clean_environment() | {"PYTHONHASHSEED": "5"}
    with warm.popen(["-c", ""], env=environment) as process:
        assert not isinstance(process, warm.Forked)
