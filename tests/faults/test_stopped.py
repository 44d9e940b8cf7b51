"""A worker that is told to stop ends within ten seconds and keeps nothing: who comes after it need
not wait for its leases to end.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from workers import keys
from workers.inbox import LEASE_SECONDS
from workers.presence import workers_at_work

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from service.sandbox import Sandbox
    from tests.conftest import Figure
    from tests.valkey import Valkey
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = pytest.mark.faults
ROOMS = 50
STOP_SECONDS = 10.0
BUSY_SECONDS = 2.0
"""What a busy machine may add: a process takes its time to end."""


@pytest.mark.parametrize(
    ("fault", "seconds", "methods"),
    [
        ("hang", 0.0, ("CreateDispatch",)),
        ("hang_after_work", 0.0, ("CreateDispatch",)),
        ("slow", 4.5, ("ListRooms", "CreateDispatch")),
        ("hang", 0.0, ("ListRooms",)),
    ],
    ids=["hangs", "hangs when it is done", "is slow at each call", "hangs when asked for rooms"],
)
def test_rooms_in_flight_and_waiting_are_handed_back(
    house: House,
    sandbox: Sandbox,
    worker: Start,
    figure: Figure,
    fault: str,
    seconds: float,
    methods: tuple[str, ...],
) -> None:
    house.rules.write_text(GREET)
    first = worker()
    eventually(lambda: workers_at_work(house.redis), timeout=40)
    sandbox.fault(fault, *methods, seconds=seconds)
    first.send_signal(signal.SIGSTOP)
    rooms = [f"room-{n}" for n in range(ROOMS)]
    for room in rooms:
        sandbox.join(room, "ana")
    eventually(lambda: all(house.redis.exists(keys.INBOX + key(house, room)) for room in rooms))
    if "ListRooms" in methods:  # so late that each room is looked up first
        eventually(lambda: _oldest(house) > 4.0, timeout=20)
    before = len(sandbox.calls.of(methods[0]))
    first.send_signal(signal.SIGCONT)
    eventually(lambda: len(sandbox.calls.of(methods[0])) > before, timeout=20)

    began = time.monotonic()
    first.send_signal(signal.SIGTERM)
    status = first.wait(STOP_SECONDS + BUSY_SECONDS)
    took = time.monotonic() - began

    figure(f"stopped with {ROOMS} rooms while LiveKit {fault}s at {methods[0]}: {took:.1f} s")
    assert status == 0
    assert house.redis.keys(f"{keys.CLAIM}*") == []
    leases = (keys.RECONCILE, keys.RETENTION, keys.AGENTS_LEASE)
    assert house.redis.mget(leases) == [None, None, None]
    assert [room for room in rooms if house.redis.hget(_room(house, room), "until")] == []
    assert workers_at_work(house.redis) == {}

    sandbox.heal()
    worker()
    eventually(lambda: len(house.dispatches(state="active")) == ROOMS, timeout=60)
    eventually(lambda: {len(explicit(sandbox, room)) for room in rooms} == {1}, timeout=20)
    done = Counter(call.room for call in sandbox.calls.of("CreateDispatch") if call.worked)
    assert done == dict.fromkeys(rooms, 1)


def test_what_waits_is_taken_over_at_once(
    house: House, sandbox: Sandbox, worker: Start, figure: Figure
) -> None:
    house.rules.write_text(GREET)
    first, second = worker(), worker()
    eventually(lambda: len(workers_at_work(house.redis)) == 2, timeout=40)
    second.send_signal(signal.SIGSTOP)
    sandbox.fault("hang", "CreateDispatch", times=1)
    sandbox.join("room-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    first.send_signal(signal.SIGTERM)
    for n in range(2, ROOMS):  # nobody takes these
        sandbox.join(f"room-{n}", "ana")
    assert first.wait(STOP_SECONDS + BUSY_SECONDS) == 0
    began = time.monotonic()
    second.send_signal(signal.SIGCONT)
    eventually(lambda: len(house.dispatches(state="active")) == ROOMS - 1, timeout=40)
    took = time.monotonic() - began
    figure(f"{ROOMS - 1} rooms of a stopped worker had their agents after {took:.1f} s")
    assert took < LEASE_SECONDS - 2


def test_a_worker_whose_terminal_is_closed_hands_its_rooms_back(
    house: House, sandbox: Sandbox, worker: Start
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("hang", "CreateDispatch")
    first = worker()
    eventually(lambda: workers_at_work(house.redis), timeout=40)
    sandbox.join("room-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    first.send_signal(signal.SIGHUP)
    assert first.wait(STOP_SECONDS + BUSY_SECONDS) == 0
    assert house.redis.keys(f"{keys.CLAIM}*") == []
    assert house.redis.hget(_room(house, "room-1"), "until") is None
    assert workers_at_work(house.redis) == {}


def test_it_ends_in_time_though_a_thread_hangs(house: House, hanging_worker: Start) -> None:
    house.rules.write_text(GREET)
    first = hanging_worker()
    eventually(lambda: workers_at_work(house.redis), timeout=40)
    first.send_signal(signal.SIGTERM)
    assert first.wait(STOP_SECONDS + BUSY_SECONDS) == 0


def test_it_ends_in_time_though_redis_hangs(
    house: House, sandbox: Sandbox, worker: Start, valkey: Valkey, figure: Figure
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("hang", "CreateDispatch")
    first = worker()
    eventually(lambda: workers_at_work(house.redis), timeout=40)
    sandbox.join("room-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        first.send_signal(signal.SIGTERM)
        assert first.wait(STOP_SECONDS + BUSY_SECONDS) == 0
        figure(f"stopped while Redis hangs: {time.monotonic() - began:.1f} s")
    finally:
        os.kill(valkey.pid, signal.SIGCONT)
    sandbox.heal()
    worker()
    eventually(lambda: house.dispatches(state="active"), timeout=LEASE_SECONDS + 20)
    assert len([call for call in sandbox.calls.of("CreateDispatch") if call.worked]) == 1


def key(house: House, room: str) -> str:
    return keys.room_key(house.settings.servers[0].id, room)


def _room(house: House, room: str) -> str:
    return keys.ROOM + key(house, room)


def _oldest(house: House) -> float:
    """How long the first room has waited, seconds."""
    [(_, since)] = house.redis.zrange(keys.DUE, 0, 0, withscores=True)
    return house.redis.time()[0] - since / 1000
