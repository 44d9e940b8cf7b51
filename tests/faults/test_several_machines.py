"""Machines are lost, and the network between them, while callers come.

Each machine is a network namespace. Afterwards every event that was accepted is decided, and each
caller has one agent.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError

from tests.benchmarks.namespaces import NoSecondHost
from tests.faults.callers import Callers
from tests.faults.machines import LAG_SECONDS, REDIS, Machines, machines
from tests.network import network
from tests.waiting import eventually
from workers.inbox import LEASE_SECONDS
from workers.providers.base import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Figure

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def what_is_there() -> tuple[set[str], list[tuple[int, str]]]:
    """Namespaces and interfaces."""
    return {path.name for path in Path("/run/netns").glob("*")}, socket.if_nameindex()


@pytest.fixture(scope="module")
def all_machines() -> Iterator[Machines]:
    before = what_is_there()
    try:
        with machines() as standing:
            yield standing
    except NoSecondHost as missing:
        pytest.skip(str(missing))
    assert what_is_there() == before
    assert [p.pid for each in standing.running.values() for p in each if p.poll() is None] == []


@pytest.fixture
def house(all_machines: Machines) -> Machines:
    """All of it, well."""
    all_machines.make_well()
    return all_machines


def test_the_primary_is_killed(house: Machines, figure: Figure) -> None:
    old = house.primary()
    assert old is not None
    with Callers(house, "killed") as callers:
        callers.go_on()
        house.kill_redis(old)
        house.next_primary(old)
        callers.go_on()
    figure(f"primary killed: {callers.told()}")
    callers.leave()


def test_a_worker_is_cut_off_from_redis_alone(house: Machines, figure: Figure) -> None:
    with Callers(house, "cut") as callers:
        callers.go_on()
        house.livekit.slow_down(seconds=1.5)  # so that calls are under way
        callers.go_on()
        house.net.cut(["worker-1"], REDIS)
        cut = time.time()
        callers.go_on()
        house.livekit.heal()
        eventually(lambda: time.time() > cut + LEASE_SECONDS + CALL_SECONDS, timeout=30)
        mended = time.time()
        house.net.mend()
        callers.go_on()
        address = house.net.hosts["worker-1"].address
        mine = house.livekit.called_at(address)
        late = [at - cut for at in mine if cut + LEASE_SECONDS - CALL_SECONDS < at < mended]
        assert late == []
        eventually(lambda: max(house.livekit.called_at(address)) > mended, timeout=60)
    last = max(at - cut for at in mine if at < mended)
    figure(f"worker cut off: its last call {last:.1f} s after; {callers.told()}")
    callers.leave()


def test_the_primary_is_cut_off_with_a_web_process_and_a_worker(
    house: Machines, figure: Figure
) -> None:
    """LiveKit reaches all of them."""
    old = house.primary()
    assert old is not None
    few = (old, "web-1", "worker-1")
    many = [name for name in house.net.hosts if name not in (*few, "livekit")]
    with Callers(house, "split") as callers:
        callers.go_on()
        house.net.cut(few, many)
        cut = time.time()
        house.next_primary(old)
        callers.go_on()
        eventually(lambda: time.time() > cut + LAG_SECONDS + 2)
        with house.at(old) as there, pytest.raises(ResponseError, match="NOREPLICAS"):
            there.set("lkd:test", "1", ex=60)
        callers.go_on()
        mended = time.time()
        house.net.mend()
        callers.go_on()
    taken = [
        delivery["answered_at"] - cut
        for delivery in callers.deliveries()
        if delivery["url"] == house.webhook_url("web-1")
        and delivery["outcome"] == "delivered"
        and cut + 2.0 < delivery["answered_at"] < mended
    ]
    figure(f"primary cut off: {callers.told()}")
    assert taken == []
    callers.leave()


def test_the_hosts_of_the_primary_and_of_a_worker_are_lost(house: Machines, figure: Figure) -> None:
    old = house.primary()
    assert old is not None
    with Callers(house, "lost") as callers:
        callers.go_on()
        house.lose(old)
        house.lose("worker-2")
        house.next_primary(old)
        callers.go_on()
    figure(f"two hosts lost: {callers.told()}")
    callers.leave()


def test_nothing_is_left_of_a_network_after_an_error() -> None:
    before = what_is_there()
    started = []

    def fail() -> None:
        with network("a", "b") as net:
            started.append(subprocess.Popen([*net.hosts["a"].enter, "sleep", "60"]))
            eventually(lambda: net.pids("a"))
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            fail()
    except NoSecondHost as missing:
        pytest.skip(str(missing))
    assert started[0].wait(10) == -signal.SIGKILL
    assert what_is_there() == before
