"""The terminal is closed: `serve` ends with it, unless it was started to outlive it."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys

from tests.service.served import alive, children
from tests.service.signed import joined
from tests.waiting import eventually, throughout

SERVE = (sys.executable, "-P", "-m", "service", "serve")


def test_serve_ends_with_its_terminal(house):
    terminal, inside = pty.openpty()
    server = subprocess.Popen(
        ["setsid", "--ctty", *SERVE],
        env=house.environ, stdin=inside, stdout=inside, stderr=inside,
    )  # fmt: skip
    house.started.append(server)
    os.close(inside)
    eventually(house.healthy)
    [worker] = children(server.pid)
    os.close(terminal)
    assert server.wait(15) == 0
    assert not alive(worker)
    socket.create_server(("127.0.0.1", house.port)).close()


def test_a_hangup_sent_to_all_of_serve_ends_it_well(house):
    server = house.start("setsid", *SERVE)
    os.killpg(server.pid, signal.SIGHUP)
    assert server.wait(15) == 0
    assert '"event": "web_stopped"' in house.log


def test_serve_under_nohup_goes_on(house):
    server = house.start("setsid", "nohup", *SERVE)
    before = children(server.pid)
    os.killpg(server.pid, signal.SIGHUP)
    throughout(lambda: server.poll() is None and children(server.pid) == before, seconds=1)
    assert house.post(joined())[0] == 200
    server.send_signal(signal.SIGTERM)
    assert server.wait(15) == 0
