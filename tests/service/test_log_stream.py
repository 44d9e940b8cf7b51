"""A log that cannot be written stops nothing: a full disk, a reader that has gone, no stderr."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from service.log_stream import LogStream
from service.logs import configure_logs
from tests.service.conftest import RULES
from tests.service.served import alive
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET, URL, headers, joined
from tests.up import Up
from tests.waiting import eventually

LOST = {
    "full disk": 'exec "$0" -P -m service "$@" 2>/dev/full',
    "reader gone": 'mkfifo gone; exec 3<>gone; exec 2>gone 3<&-; exec "$0" -P -m service "$@"',
    "no stderr": 'exec "$0" -P -m service "$@" 2>&-',
    "no output": 'exec "$0" -P -m service "$@" >&- 2>&-',
}
LIVEKIT = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
    "DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN,
}


def started(lost, name):
    return ("sh", "-c", LOST[lost], sys.executable, name)


@pytest.fixture
def small_pipe():
    """Takes a page and no more: its reader, and a stream to write to."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    os.close(reader)


@pytest.mark.usefixtures("logging_stays")
@pytest.mark.parametrize("log", [structlog.get_logger, lambda: logging.getLogger("any")])
def test_a_line_that_cannot_be_written_raises_nothing_where_it_is_logged(log, capfd):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        configure_logs("worker", stream=full)
        log().warning("lost")
    log().warning("it is closed now")
    assert capfd.readouterr().err == ""


def test_after_a_line_that_was_cut_short_the_next_is_whole(small_pipe):
    reader, stream = small_pipe
    lines = LogStream(stream)
    lines.write("x" * 5000 + "\n")
    lines.write("lost\n")
    assert os.read(reader, 8192) == b"x" * 4096
    lines.write("whole\n")
    lines.write("again\n")
    assert os.read(reader, 8192) == b"\nwhole\nagain\n"


def test_what_cannot_be_encoded_is_written_escaped(tmp_path):
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        LogStream(stream).write("héllo \ud800\n")
    assert (tmp_path / "log").read_bytes() == b"h\\xe9llo \\ud800\n"


@pytest.mark.parametrize("lost", LOST)
def test_the_web_process_answers_as_ever(house, lost):
    server = house.start(*started(lost, "serve"))
    assert house.post(joined("EV_1"))[::2] == (200, {"status": "accepted"})
    raw = json.dumps(joined("EV_2")).encode()
    assert house.ask("POST", URL, raw, headers(raw, secret="x" * 40))[0] == 401
    house.valkey.kill()
    house.valkey.wait()
    assert house.post(joined("EV_3"))[0] == 503
    server.send_signal(signal.SIGTERM)
    assert server.wait(15) == 0


@pytest.mark.parametrize("lost", LOST)
def test_a_worker_works_and_ends_well(house, lost):
    worker = house._popen(started(lost, "worker"))
    healthy = [sys.executable, "-P", "-m", "service", "worker", "--healthy"]

    def at_work():
        assert worker.poll() is None
        done = subprocess.run(healthy, env=house.environ, capture_output=True, check=False)
        return done.returncode == 0

    eventually(at_work)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0


def test_no_file_takes_the_place_of_a_stderr_that_is_not_there(house):
    server = house.start(*started("no output", "serve"))
    for number in (1, 2):
        assert Path(f"/proc/{server.pid}/fd/{number}").resolve() == Path(os.devnull)


def test_a_command_without_a_stderr_does_its_work(house):
    done = subprocess.run(
        started("no stderr", "dispatches"), env=house.environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"no dispatches")


def test_up_starts_a_killed_worker_again_though_it_cannot_tell(tmp_path):
    with Up(tmp_path, RULES, LIVEKIT, command=started("full disk", "up")) as up:
        [worker] = eventually(lambda: up.pids(" worker"))
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not alive(worker))
        eventually(lambda: len([pid for pid in up.pids(" worker") if alive(pid)]) == 1)
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(30) == 0
