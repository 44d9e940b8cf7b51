"""Web processes and workers are replaced one by one while webhooks come: none is lost, none counts
twice.

Webhooks come as LiveKit sends them, through a load balancer that knows two web processes.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from tests.environment import needed
from tests.ports import free_port, free_ports
from tests.waiting import eventually
from workers import keys
from workers.ledger import Ledger
from workers.presence import workers_at_work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from tests.conftest import Figure

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {participant: {identity: "caller-*"}}
    dispatch: {agent: greeter}
"""


class Balancer:
    """Passes connections on to whichever web process takes them, the first of them first."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self._listening = socket.create_server(("127.0.0.1", free_port()), backlog=512)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        for port in self.ports:
            with contextlib.suppress(OSError):
                server = socket.create_connection(("127.0.0.1", port), timeout=20)
                break
        else:
            client.close()
            return
        back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
        back.start()
        _pipe(client, server)
        back.join()
        server.close()
        client.close()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class House:
    """Processes on one Redis."""

    def __init__(self, home: Path, redis: Redis, environ: dict[str, str]) -> None:
        self.redis = redis
        self.log = home / "log"
        self._environ = {**needed(), **environ}
        self.started: list[subprocess.Popen[bytes]] = []

    def web(self, port: int) -> subprocess.Popen[bytes]:
        process = self._start("serve", DISPATCHER_PORT=str(port))
        eventually(lambda: _ready(port), timeout=40)
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        before = len(workers_at_work(self.redis))
        process = self._start("worker")
        eventually(lambda: len(workers_at_work(self.redis)) > before, timeout=40)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0

    def _start(self, command: str, **more: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "service", command],
                env={**self._environ, **more}, stdout=log, stderr=log,
            )  # fmt: skip
        self.started.append(process)
        return process


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    balancer = Balancer(free_ports(2))
    yield balancer
    balancer.close()


@pytest.fixture
def livekit(balancer: Balancer) -> Iterator[Sandbox]:
    sandbox = Sandbox(
        webhook_urls=[f"http://127.0.0.1:{balancer.port}/webhooks/livekit"],
        workers=[Worker("greeter", accept_delay=0.05, join_delay=0.05)],
        job_listing_delay=0.0,
    )
    with running(sandbox):
        yield sandbox


@pytest.fixture
def house(livekit: Sandbox, redis: Redis, redis_url: str, tmp_path: Path) -> Iterator[House]:
    (tmp_path / "rules.yaml").write_text(RULES)
    environ = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        "REDIS_URL": redis_url,
        "DISPATCHER_DATA": str(tmp_path),
        "DISPATCHER_RULES": str(tmp_path / "rules.yaml"),
        "DISPATCHER_ADMIN_TOKEN": "open-sesame",
        "DISPATCHER_RECONCILE_INTERVAL": "0",  # what is lost is not made up for
    }
    house = House(tmp_path, redis, environ)
    yield house
    for process in house.started:
        process.kill()
        process.wait()


@pytest.mark.faults
@pytest.mark.timeout(240)
def test_nothing_is_lost_and_nothing_comes_twice(
    house: House, livekit: Sandbox, balancer: Balancer, figure: Figure
) -> None:
    webs = [house.web(port) for port in balancer.ports]
    old = house.worker()
    goes_on = threading.Event()
    goes_on.set()
    joined: list[str] = []
    traffic = threading.Thread(target=_traffic, args=(livekit, goes_on, joined))
    traffic.start()
    try:
        _some_more(livekit)
        house.worker()
        house.stop(old)
        _some_more(livekit)
        for port, web in zip(list(balancer.ports), webs, strict=True):
            house.stop(web)
            _some_more(livekit)
            house.web(port)
            _some_more(livekit)
    finally:
        goes_on.clear()
        traffic.join()
    eventually(lambda: _all_delivered(livekit), timeout=40)
    eventually(lambda: Ledger(house.redis).dispatches(state="pending").items == [], timeout=40)

    again = sum(len(delivery.attempts) > 1 for delivery in livekit.webhooks.deliveries)
    figure(
        f"{len(livekit.webhooks.deliveries)} webhooks while all was replaced, {again} sent again"
    )
    calls = Counter(call.room for call in livekit.calls.of("CreateDispatch") if call.worked)
    assert calls == dict.fromkeys(joined, 1)
    assert int(house.redis.hget(keys.HITS, "greet") or 0) == len(joined)
    assert house.redis.exists(keys.DEAD_LETTERS, keys.DUE) == 0
    assert "Traceback" not in house.log.read_text()


def _traffic(livekit: Sandbox, goes_on: threading.Event, joined: list[str]) -> None:
    """Two people come to each room, then one goes; about 25 rooms a second."""
    pace = threading.Event()
    while goes_on.is_set():
        n = len(joined)
        livekit.join(f"room-{n}", f"caller-{n}")
        joined.append(f"room-{n}")
        livekit.join(f"room-{n}", f"friend-{n}")
        livekit.leave(f"room-{n}", f"friend-{n}")
        pace.wait(0.04)


def _some_more(livekit: Sandbox) -> None:
    """Wait until so many more webhooks have come."""
    before = len(livekit.webhooks.deliveries)
    eventually(lambda: len(livekit.webhooks.deliveries) > before + 100, timeout=60)


def _all_delivered(livekit: Sandbox) -> bool:
    return all(delivery.outcome == "delivered" for delivery in livekit.webhooks.deliveries)
