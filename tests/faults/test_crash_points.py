"""A worker dies at every point of a ladder in turn: between any two writes or calls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import explicit
from workers import keys

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from service.sandbox import Sandbox
    from tests.conftest import Figure
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, deployment: nobody-serves-it}
    join_within: 300ms
    fallback: [{deployment: ""}]
"""
MOST_POINTS = 80


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_a_worker_may_die_between_any_two_effects(
    house: House,
    sandbox: Sandbox,
    worker: Start,
    crashing_worker: Start,
    crashed: Path,
    figure: Figure,
) -> None:
    house.rules.write_text(RULES)
    dying = crashing_worker()
    walked = 0
    for number in range(MOST_POINTS):
        room = f"crash-{number}"
        sandbox.join(room, "ana")
        eventually(lambda d=dying, r=room: d.poll() is not None or done(house, r), timeout=40)
        if dying.poll() is None:
            break  # its agent came before this point
        dying = crashing_worker()
        walked += 1
    dying.kill()
    dying.wait()
    worker()
    rooms = [f"crash-{number}" for number in range(walked + 1)]
    eventually(lambda: not_done(house, rooms) == {}, timeout=60, interval=0.2)
    eventually(lambda: house.redis.exists(keys.DUE) == 0, timeout=60, interval=0.2)
    told = Counter(path.read_text() for path in crashed.iterdir())
    figure(f"a worker died at {walked} points, before: {dict(told)}")
    assert walked > 12
    assert {len(explicit(sandbox, room)) for room in rooms} == {1}
    agents = Counter(
        room
        for room in rooms
        for identity in sandbox.rooms.open[room].participants
        if identity.startswith("agent-")
    )
    assert agents == dict.fromkeys(rooms, 1)


def not_done(house: House, rooms: list[str]) -> dict[str, list[str]]:
    """The rooms that have not gone through their ladder, and what became of them."""
    found = {room: [d["state"] for d in house.dispatches(room=room)] for room in rooms}
    left = {room: states for room, states in found.items() if states != ["superseded", "active"]}
    assert left == {}
    return left


def done(house: House, room: str) -> bool:
    """Whether a room has gone through its ladder."""
    return [d["state"] for d in house.dispatches(room=room)] == ["superseded", "active"]
