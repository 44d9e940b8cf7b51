"""Workers are killed in turn while the callers of many rooms share the places of a `limit`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.shares import shares, watched
from workers import keys
from workers.inbox import LEASE_SECONDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

ROOMS = 150
PLACES = 7
KILLS = 4
RULES = f"""
version: 1
rules:
  - id: few
    on: participant_joined
    group: g
    limit: {{active: {PLACES}}}
    dispatch: {{agent: greeter, restart_policy: never}}
  - id: rest
    on: participant_joined
    group: g
    dispatch: {{agent: greeter, deployment: staging, restart_policy: never}}
"""


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_no_place_is_taken_twice_or_lost_though_workers_are_killed(
    house: House, sandbox: Sandbox, worker: Start
) -> None:
    house.rules.write_text(RULES)
    working = [worker(), worker()]
    eventually(lambda: house.redis.zcard(keys.WORKERS) >= 2, timeout=20)
    with watched(house.redis) as watch:
        traffic = threading.Thread(target=_traffic, args=(house, sandbox))
        traffic.start()
        for kill in range(KILLS):
            enough = (kill + 1) * ROOMS // (KILLS + 2)
            eventually(lambda enough=enough: len(house.dispatches()) > enough, timeout=60)
            working.pop(0).kill()
            working.append(worker())
        traffic.join()
        eventually(lambda: _all_decided(house, ROOMS), timeout=2 * LEASE_SECONDS + 60)
        # Whoever has gone was perhaps heard of last: these find the places that are left.
        for n in range(PLACES):
            sandbox.join(f"late-{n}", f"caller-{n}")
        eventually(lambda: _all_decided(house, ROOMS + PLACES), timeout=20)
    assert watch.differing == []
    assert watch.most == {"few:": PLACES}
    members, live = shares(house.redis)
    assert members == live
    active = [d for d in house.dispatches(state="active") if d["rule"] == "few"]
    assert {d["id"] for d in active} == members["few:"]
    assert len(active) == PLACES
    assert len(house.dispatches()) == ROOMS + PLACES
    assert len(house.dispatches(state="ended")) > 0
    assert house.redis.zcard(keys.DEAD_LETTERS) == 0


def _traffic(house: House, sandbox: Sandbox) -> None:
    """Somebody comes to each room; now and then an agent that has a place leaves."""
    pace = threading.Event()
    for n in range(ROOMS):
        sandbox.join(f"room-{n}", f"caller-{n}")
        if n % 5 == 4:
            held = [d for d in house.dispatches(state="active") if d["rule"] == "few"]
            here = [d for d in held if d["agent_identity"] in _people(sandbox, d["room"])]
            for dispatch in here[:1]:
                sandbox.leave(dispatch["room"], dispatch["agent_identity"])
        pace.wait(0.04)


def _people(sandbox: Sandbox, room: str) -> list[str]:
    return list(sandbox.rooms.open[room].participants)


def _all_decided(house: House, rooms: int) -> bool:
    """Whether so many have been heard of, nothing waits and every agent that is wanted has come."""
    if len(house.dispatches()) < rooms:
        return False
    waits = house.redis.keys(f"{keys.INBOX}*") or house.redis.zcard(keys.DUE)
    coming = house.dispatches(state="requested") or house.dispatches(state="pending")
    return not waits and not coming
