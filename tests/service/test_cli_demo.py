from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from service import embedded
from service.demo import Demo
from service.embedded import DataError
from service.sandbox import EXPECTED
from service.scenarios import SCENARIOS
from tests.environment import needed
from tests.service.cli import dispatcher


@pytest.fixture
def temporary(tmp_path):
    return {"TMPDIR": str(tmp_path)}


def test_once_runs_it_all_and_prints_the_summary(temporary, tmp_path):
    done = dispatcher("demo", "--once", "--json", environ=temporary)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["events"] > len(EXPECTED)
    found = {(d["room"], d["agent"], d["deployment"]) for d in told["dispatches"]}
    assert found == {(e.room, e.agent, e.deployment) for e in EXPECTED}
    assert {d["state"] for d in told["dispatches"]} <= {"active", "ended"}
    assert set(told["dispatches"][0]) == {
        "room", "rule", "agent", "deployment", "metadata", "state"
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_once_tells_the_story_in_a_pipe_without_colour(temporary):
    done = dispatcher("demo", "--once", environ=temporary)
    assert done.returncode == 0
    assert done.stdout.startswith("Ana, who speaks Spanish, enters support-1\n")
    count = len(EXPECTED)
    assert f"{count} dispatches, {count} agents joined\n" in done.stdout
    assert done.stdout.endswith("\nAll is as the sample rules say.\n")
    assert "\x1b" not in done.stdout


def test_once_with_both_providers_prints_who_was_sent_by_which(temporary):
    done = dispatcher("demo", "--once", "--scenario", "videosdk", "--json", environ=temporary)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    found = {(d["provider"], d["room"], d["agent"], d["state"]) for d in told["dispatches"]}
    assert found == {
        ("videosdk", "abcd-efgh-ijkl", "host", "active"),
        ("livekit", "night-1", "night-desk", "superseded"),
        ("videosdk", "night-1", "voicemail", "active"),
        ("livekit", "support-1", "greeter", "active"),
    }
    assert {d["rule"] for d in told["dispatches"]} == {"meeting", "night", "support"}
    assert len(told["dispatches"]) == 4
    assert told["events"] == 15


def test_once_with_both_providers_shows_them_in_its_table(temporary):
    done = dispatcher("demo", "--once", "--scenario", "videosdk", environ=temporary)
    assert done.returncode == 0
    assert done.stdout.startswith("Ana enters VideoSDK's meeting abcd-efgh-ijkl\n")
    (voicemail,) = [line.split() for line in done.stdout.splitlines() if "voicemail" in line]
    assert voicemail[:5] == ["night-1", "night", "videosdk", "voicemail", "active"]
    assert "\nROOM            RULE     PROVIDER  AGENT " in done.stdout
    assert "4 dispatches, 3 agents joined\n" in done.stdout
    assert done.stdout.endswith("\nAll is as the sample rules say.\n")


def test_a_scenario_that_is_not_there_is_wrong_use():
    done = dispatcher("demo", "--scenario", "zoom")
    assert done.returncode == 2
    assert "'zoom' is not one of 'livekit', 'videosdk'" in done.stderr


def test_settings_of_the_environment_do_not_touch_it(temporary):
    wrong = {"LIVEKIT_URL": "nonsense", "REDIS_URL": "nonsense", "DISPATCHER_PORT": "nonsense",
             "VIDEOSDK_URL": "nonsense", "VIDEOSDK_TOKEN": "nonsense"}  # fmt: skip
    assert dispatcher("demo", "--once", "--json", environ=temporary | wrong).returncode == 0


def test_on_a_terminal_it_shows_what_happens_until_ctrl_c(temporary, tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "service", "demo"],
        env={**needed(), **temporary, "TERM": "xterm", "COLUMNS": "120", "LINES": "60"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = _read(ours, until="The traffic is over", seconds=60)
        assert "What was dispatched" in shown
        assert re.search(r"Dashboard: http://127\.0\.0\.1:\d+/, token: \S{32,}", shown)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        shown += _read(ours, until=None, seconds=20)
        assert process.wait(20) == 0
        assert "Traceback" not in shown
        assert [p for p in Path(tmp_path).iterdir() if "demo" in p.name] == []
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal, until, seconds):
    """What appears on a terminal until some words do, or until it is closed."""
    shown = ""
    deadline = time.monotonic() + seconds
    while until is None or until not in shown:
        assert time.monotonic() < deadline, shown[-2000:]
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # nobody has it open any more
                break
    return shown


def test_a_collector_in_the_shell_is_none_of_the_demos(temporary):
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    done = dispatcher("demo", "--once", environ={**temporary, **collector})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_demo_that_cannot_begin_leaves_nothing_behind(tmp_path, monkeypatch):
    def no_valkey(*_):
        raise DataError("there is no Valkey for this platform")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(embedded, "command", no_valkey)
    with pytest.raises(DataError):
        Demo(SCENARIOS["livekit"])
    assert list(tmp_path.iterdir()) == []
