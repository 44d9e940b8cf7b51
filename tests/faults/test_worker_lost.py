"""A worker that dies, or sleeps, in the middle of a call."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from workers.inbox import LEASE_SECONDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("fault", ["hang_after_work", "hang"])
def test_a_worker_killed_in_a_call_leaves_one_agent(
    house: House, sandbox: Sandbox, worker: Start, fault: str
) -> None:
    house.rules.write_text(GREET)
    first = worker()
    sandbox.fault(fault, "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    first.kill()
    killed = time.monotonic()
    worker()
    eventually(lambda: house.dispatches(state="active"), timeout=40)
    assert time.monotonic() - killed < LEASE_SECONDS + 10
    assert len(explicit(sandbox, "support-1")) == 1
    done = [call for call in sandbox.calls.of("CreateDispatch") if call.worked]
    assert len(done) == 1


def test_a_worker_that_sleeps_through_its_lease_takes_nothing_back_that_was_adopted(
    house: House, sandbox: Sandbox, worker: Start
) -> None:
    house.rules.write_text(GREET)
    sleeper = worker()
    sandbox.fault("slow", "CreateDispatch", times=1, seconds=0.5)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    sleeper.send_signal(signal.SIGSTOP)
    worker()
    eventually(lambda: house.dispatches(state="active"), timeout=40)
    before = len(sandbox.calls.of())
    sleeper.send_signal(signal.SIGCONT)
    # The second look is due 6 s after adoption; the sleeper is awake long before that.
    eventually(lambda: len(sandbox.calls.of()) > before, timeout=15)
    assert len(explicit(sandbox, "support-1")) == 1
    assert not sandbox.calls.of("DeleteDispatch")
    assert [d["state"] for d in house.dispatches()] == ["active"]


def test_a_double_made_by_a_worker_that_had_lost_its_room_is_deleted(
    house: House, sandbox: Sandbox, worker: Start
) -> None:
    house.rules.write_text(GREET)
    first = worker()
    # LiveKit takes the call in, and carries it out only when everybody has given it up.
    sandbox.fault("late", "CreateDispatch", times=1, seconds=LEASE_SECONDS + 4)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    began = time.monotonic()
    first.kill()
    worker()
    eventually(lambda: len(explicit(sandbox, "support-1")) == 2, timeout=40)
    doubled = time.monotonic()
    eventually(lambda: len(explicit(sandbox, "support-1")) == 1, timeout=20)
    overlap = time.monotonic() - doubled
    assert overlap < 7, f"two agents for {overlap:.1f} s"
    [dispatch] = house.dispatches()
    [left] = explicit(sandbox, "support-1")
    assert dispatch["dispatch_id"] == left.id
    people = sandbox.rooms.open["support-1"].participants
    eventually(lambda: set(people) == {"ana", dispatch["agent_identity"]})
    assert time.monotonic() - began < LEASE_SECONDS + 20
