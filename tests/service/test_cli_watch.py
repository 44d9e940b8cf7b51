"""`--watch`: what is shown changes as things happen, until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.environment import needed
from tests.service.cli import keep
from tests.service.rooms import HUMAN, dispatch, put_room
from tests.waiting import eventually
from workers.history import dispatch_document


@pytest.fixture
def started(environ):
    """Starts a command; it is killed if it does not end."""
    running = []

    def start(*args, stdout=subprocess.PIPE):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "service", *args],
            env={**needed(), **environ, "TERM": "xterm", "COLUMNS": "160"},
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_in_a_pipe_it_is_a_line_of_json_each_round(started, redis):
    process = started("dispatches", "list", "--watch", "--json")
    assert json.loads(process.stdout.readline()) == {"dispatches": []}
    keep(redis, dispatch_document(None, dispatch("support-1")))
    seen = [json.loads(process.stdout.readline()) for _ in range(2)][-1]
    assert [each["id"] for each in seen["dispatches"]] == ["Done"]
    process.send_signal(signal.SIGINT)
    assert (process.wait(10), process.stderr.read()) == (0, b"")


def test_on_a_terminal_it_is_drawn_anew(started, redis, settings):
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    process = started("rooms", "--watch", stdout=theirs)
    os.close(theirs)
    shown = bytearray()

    def has(text):
        with contextlib.suppress(OSError):  # nothing is there yet, or nothing more
            shown.extend(os.read(ours, 65536))
        return text in shown

    eventually(lambda: has(b"no room is live"))
    put_room(redis, settings.servers[0].id, "support-1", HUMAN)
    eventually(lambda: has(b"support-1"))
    process.send_signal(signal.SIGINT)
    assert (process.wait(10), process.stderr.read()) == (0, b"")
    os.close(ours)
