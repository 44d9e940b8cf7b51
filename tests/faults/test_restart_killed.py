"""A worker dies in the middle of a restart or a release: another goes on, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually
from tests.workers.conftest import explicit
from tests.workers.shares import watched
from tests.workers.test_ladder import agents, states
from workers.inbox import LEASE_SECONDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

ROOM = "support-1"
RULE = """
version: 1
rules:
  - id: greet
    on: participant_joined
    limit: {active: 1}
    dispatch: {agent: greeter}
    release: last_human_left
"""
PATIENCE = LEASE_SECONDS + 25
DONE = "hang_after_work"
"""LiveKit does it, and nobody is left to hear of it."""


def kill_in(method: str, sandbox: Sandbox, worker: Start, cause: Callable[[], object]) -> None:
    """Have something happen, and kill the worker that calls this method for it; another comes."""
    first = worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    before = len(sandbox.calls.of(method))
    sandbox.fault(DONE, method, times=1)
    cause()
    eventually(lambda: len(sandbox.calls.of(method)) > before, timeout=20)
    first.kill()
    sandbox.heal()
    worker()


@pytest.mark.parametrize("method", ["DeleteDispatch", "CreateDispatch"])
def test_in_a_restart(house: House, sandbox: Sandbox, worker: Start, method: str) -> None:
    house.rules.write_text(RULE)

    def fail() -> None:
        eventually(lambda: [s for *_, s in states(house)] == ["active"], timeout=20)
        sandbox.leave(ROOM, *agents(sandbox, ROOM), "SIGNAL_CLOSE")

    with watched(house.redis) as watch:
        kill_in(method, sandbox, worker, fail)
        eventually(lambda: [s for *_, s in states(house)] == ["ended", "active"], timeout=PATIENCE)
    [after] = house.dispatches(state="active")
    assert [d.id for d in explicit(sandbox, ROOM)] == [after["dispatch_id"]]
    assert agents(sandbox, ROOM) == [after["agent_identity"]]
    assert watch.differing == []


def test_in_a_release(house: House, sandbox: Sandbox, worker: Start) -> None:
    """The agent's worker does not hear that it is to leave, either."""
    sandbox.agents.workers[:] = [
        Worker("greeter", accept_delay=0.02, join_delay=0.02, reachable=False)
    ]
    house.rules.write_text(RULE)

    def leave() -> None:
        eventually(lambda: [s for *_, s in states(house)] == ["active"], timeout=20)
        sandbox.leave(ROOM, "ana")

    kill_in("DeleteDispatch", sandbox, worker, leave)
    eventually(lambda: [s for *_, s in states(house)] == ["released"], timeout=PATIENCE)
    eventually(lambda: agents(sandbox, ROOM) == [], timeout=15)
    assert explicit(sandbox, ROOM) == []
