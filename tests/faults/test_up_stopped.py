"""`dispatcher up` is told to stop in the middle of everything: it ends in time, and the next one
goes on at once.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from service import embedded
from service.sandbox import Sandbox, Worker, running
from tests.ports import free_port
from tests.up import Up
from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.connection import embedded_socket
from workers.inbox import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Figure

ROOMS = 50
STOP_SECONDS = 10.0
BUSY_SECONDS = 2.0
"""What a busy machine may add."""


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_it_ends_in_time_with_calls_in_flight_and_hands_everything_back(
    tmp_path: Path, figure: Figure
) -> None:
    port = free_port()
    sandbox = Sandbox(
        webhook_urls=[f"http://127.0.0.1:{port}/webhooks/livekit"],
        workers=[Worker("greeter", accept_delay=0.02, join_delay=0.02)],
        job_listing_delay=0.0,
    )
    rooms = [f"room-{n}" for n in range(ROOMS)]
    with running(sandbox):
        environ = {
            "LIVEKIT_URL": sandbox.url,
            "LIVEKIT_API_KEY": sandbox.key,
            "LIVEKIT_API_SECRET": sandbox.secret,
        }
        sandbox.fault("hang", "CreateDispatch")
        with Up(tmp_path, GREET, environ, port=port) as up:
            eventually(lambda: '"worker_started"' in up.log, timeout=30)
            for room in rooms:
                sandbox.join(room, "ana")
            eventually(lambda: len(sandbox.calls.of("CreateDispatch")) == ROOMS, timeout=30)
            with _dawdling(port):
                began = time.monotonic()
                up.process.send_signal(signal.SIGTERM)
                assert up.process.wait(STOP_SECONDS + BUSY_SECONDS) == 0
                took = time.monotonic() - began
        figure(f"`up` stopped with {ROOMS} calls and a request in flight: {took:.1f} s")
        assert '"child_killed"' not in up.log
        assert _ends(up.log) == ["stopped"]
        with _valkey_of(up.home / "data") as redis:
            assert redis.keys(f"{keys.CLAIM}*") == []
            assert [key for key in redis.keys(f"{keys.ROOM}*") if redis.hget(key, "until")] == []

        sandbox.heal()
        with Up(tmp_path, GREET, environ, port=port) as again:
            eventually(lambda: again.log.count('"agent_joined"') == ROOMS, timeout=60)
        took = _logged_at(again.log, "agent_joined") - _logged_at(again.log, "worker_started")
    figure(f"`up` started again, and {ROOMS} rooms had their agents after {took:.1f} s")
    assert took < LEASE_SECONDS - 2
    done = Counter(call.room for call in sandbox.calls.of("CreateDispatch") if call.worked)
    assert done == dict.fromkeys(rooms, 1)


def _logged_at(log: str, event: str) -> float:
    """When something was last logged."""
    lines = [line for line in log.splitlines() if f'"{event}"' in line]
    return datetime.fromisoformat(json.loads(lines[-1])["timestamp"]).timestamp()


def _ends(log: str) -> list[str]:
    """What was logged last of all."""
    return [json.loads(log.splitlines()[-1])["event"]]


@contextmanager
def _dawdling(port: int) -> Iterator[None]:
    """A request that has begun and does not go on."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = "POST /webhooks/livekit HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        connection.sendall(head.encode())
        yield


@contextmanager
def _valkey_of(data: Path) -> Iterator[Redis]:
    """What an `up` has left behind."""
    server = subprocess.Popen(embedded.command(data))
    try:
        eventually(lambda: embedded.answers(data))
        with Redis(unix_socket_path=str(embedded_socket(data))) as redis:
            yield redis
    finally:
        server.terminate()
        server.wait()
