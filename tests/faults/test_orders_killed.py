"""A worker dies while it carries out what somebody has ordered by hand: it is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually
from tests.workers.conftest import explicit
from workers import keys
from workers.inbox import LEASE_SECONDS
from workers.orders import Orders

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from service.sandbox import Sandbox
    from tests.conftest import Figure
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RULES = "version: 1\nrules: []\n"
MOST_POINTS = 40
PATIENCE = LEASE_SECONDS + 25


def states(house: House, room: str) -> list[str]:
    return [d["state"] for d in house.dispatches(room=room)]


def agents(sandbox: Sandbox, room: str) -> list[str]:
    return [i for i in sandbox.rooms.open[room].participants if i.startswith("agent-")]


def test_an_agent_that_is_ordered_comes_once_wherever_a_worker_dies(
    house: House,
    sandbox: Sandbox,
    worker: Start,
    crashing_worker: Start,
    crashed: Path,
    figure: Figure,
) -> None:
    house.rules.write_text(RULES)
    orders, server = Orders(house.redis), house.settings.servers[0].id
    dying = crashing_worker()
    rooms = []
    for where in ("create", *range(MOST_POINTS)):
        room = f"crash-{where}"
        rooms.append(room)
        sandbox.join(room, "ana")
        orders.dispatch(server, room, "greeter", key=room)
        eventually(
            lambda d=dying, r=room: d.poll() is not None or states(house, r) == ["active"],
            timeout=40,
        )
        if dying.poll() is None:
            break  # its agent came before this point
        orders.dispatch(server, room, "greeter", key=room)  # whoever ordered it asks again
        dying = crashing_worker()
    dying.kill()
    dying.wait()
    worker()
    eventually(
        lambda: (
            {room: states(house, room) for room in rooms} == {room: ["active"] for room in rooms}
        ),
        timeout=60,
        interval=0.2,
    )
    eventually(lambda: house.redis.exists(keys.DUE) == 0, timeout=60, interval=0.2)
    told = {path.name: path.read_text() for path in crashed.iterdir()}
    figure(f"a worker died at {len(rooms) - 1} points of an order, before: {told}")
    assert {"room_sid", "commit", "create"} <= set(told.values())
    assert {len(explicit(sandbox, room)) for room in rooms} == {1}
    assert {len(agents(sandbox, room)) for room in rooms} == {1}


def test_an_agent_that_is_to_go_is_gone_though_its_worker_dies_before_it_says_so(
    house: House, sandbox: Sandbox, worker: Start, crashing_worker: Start, crashed: Path
) -> None:
    house.rules.write_text(RULES)
    orders, server = Orders(house.redis), house.settings.servers[0].id
    dying = crashing_worker()
    room = "crash-delete"
    sandbox.join(room, "ana")
    ours = orders.dispatch(server, room, "greeter")
    eventually(lambda: states(house, room) == ["active"], timeout=20)
    orders.remove(server, room, ours)
    assert dying.wait(20) != 0
    assert (crashed / room).read_text() == "delete"
    assert len(agents(sandbox, room)) == 1
    worker()
    eventually(lambda: states(house, room) == ["released"], timeout=PATIENCE)
    eventually(lambda: explicit(sandbox, room) == [] and agents(sandbox, room) == [])


def test_a_strangers_agent_is_gone_though_its_worker_dies_before_it_says_so(
    house: House, sandbox: Sandbox, worker: Start, crashing_worker: Start, crashed: Path
) -> None:
    sandbox.add_worker(Worker("", accept_delay=0.02, join_delay=0.02))
    house.rules.write_text(RULES)
    orders, server = Orders(house.redis), house.settings.servers[0].id
    room = "crash-remove"
    sandbox.join(room, "ana")
    [stranger] = eventually(lambda: agents(sandbox, room))
    dying = crashing_worker()
    orders.remove_agent(server, room, stranger)
    assert dying.wait(20) != 0
    assert (crashed / room).read_text() == "remove"
    worker()
    eventually(lambda: agents(sandbox, room) == [], timeout=PATIENCE)
    eventually(lambda: house.redis.exists(f"{keys.INBOX}{server}:{room}") == 0)
