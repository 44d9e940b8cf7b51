"""The profile `sentinel` of docker-compose.yml as processes: one Valkey dies, the other takes over.

Each service has a loopback address of its own, so that ports are those of the file.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.composed import CHOSEN, KEY, SECRET, Processes, compose
from tests.service.signed import URL, headers, joined, written
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8"),
]
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
ENVIRON = {**CHOSEN, "VALKEY_URL": f"redis+sentinel://{','.join(SENTINELS)}/dispatcher/0"}


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """The service on two Valkeys and three sentinels, all of whom know one another."""
    names = list(compose(ENVIRON)["services"])
    process = os.getpid()
    net = f"127.{1 + process // 250 % 250}.{process % 250}"
    addresses = {name: f"{net}.{number}" for number, name in enumerate(names, start=1)}
    every = Processes(tmp_path, ENVIRON, addresses)
    try:
        for name in ("valkey", "valkey-replica", *SENTINELS):
            every.start(name, "--bind", addresses[name])
            eventually(lambda: _client(every, name).ping(), timeout=30)  # noqa: B023 - within the loop
        for name in SENTINELS:
            eventually(lambda: _agreed(every, name), timeout=30)  # noqa: B023
        every.start("web")
        every.start("worker")
        for name in ("web", "worker"):
            eventually(lambda: every.healthy(name), timeout=60, interval=0.2)  # noqa: B023
        yield every
    finally:
        every.stop()


def test_the_other_valkey_takes_over_with_all_that_was_accepted(processes: Processes) -> None:
    assert _post(processes, "EV_1") == 200
    eventually(lambda: _decided(processes, "valkey-replica") == 1)

    processes.kill("valkey-1")
    eventually(lambda: _role(processes, "valkey-replica") == "master", timeout=60)
    eventually(lambda: processes.healthy("worker"), timeout=30, interval=0.2)
    assert _post(processes, "EV_2") == 503, "it would be on one server alone"

    processes.start("valkey", "--bind", processes.addresses["valkey"])  # as Compose does at once
    eventually(lambda: _role(processes, "valkey") == "slave", timeout=90)
    eventually(lambda: _post(processes, "EV_2") == 200, timeout=30)
    eventually(lambda: _decided(processes, "valkey-replica") == 2)
    eventually(lambda: _decided(processes, "valkey") == 2)

    for name in ("valkey", "valkey-replica", *SENTINELS):
        processes.kill(f"{name}-1")
    for name in ("valkey", "valkey-replica", *SENTINELS):
        processes.start(name, "--bind", processes.addresses[name])
    eventually(lambda: _role(processes, "valkey") == "slave", timeout=30)
    assert _role(processes, "valkey-replica") == "master", "both files must outlive the containers"
    eventually(lambda: _post(processes, "EV_3") == 200, timeout=30)
    eventually(lambda: _decided(processes, "valkey") == 3)


@pytest.mark.skipif(
    not (shutil.which("valkey-cli") or shutil.which("redis-cli")), reason="there is no valkey-cli"
)
def test_valkeys_and_sentinels_are_healthy_until_they_have_lost_one_another(
    processes: Processes,
) -> None:
    for name in ("valkey", "valkey-replica", *SENTINELS):
        eventually(lambda: processes.healthy(name), interval=0.2)  # noqa: B023
    for name in ("valkey", "sentinel-2", "sentinel-3"):
        processes.kill(f"{name}-1")
    assert not processes.healthy("valkey")
    eventually(lambda: not processes.healthy("sentinel-1"), timeout=30, interval=0.2)


def _client(processes: Processes, name: str) -> Redis:
    port = 26379 if name in SENTINELS else 6379
    return Redis(host=processes.addresses[name], port=port, socket_timeout=5)


def _agreed(processes: Processes, name: str) -> bool:
    with _client(processes, name) as sentinel:
        told = sentinel.sentinel_master("dispatcher")
    return (told["num-other-sentinels"], told["num-slaves"]) == (2, 1)


def _role(processes: Processes, name: str) -> str:
    try:
        with _client(processes, name) as server:
            return str(server.info("replication")["role"])
    except RedisError:
        return "away"


def _decided(processes: Processes, name: str) -> int:
    """How many events a Valkey knows to have been decided."""
    with _client(processes, name) as server:
        return len(list(server.scan_iter("lkd:room:*")))


def _post(processes: Processes, event_id: str) -> int:
    body = written(joined(event_id, room=f"room-{event_id}"))
    connection = http.client.HTTPConnection(processes.addresses["web"], 8080, timeout=20)
    try:
        connection.request("POST", URL, body, headers(body, key=KEY, secret=SECRET))
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
