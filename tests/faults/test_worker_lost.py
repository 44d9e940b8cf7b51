"""A worker that dies, or sleeps, in the middle of a call."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
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

    from service.sandbox import Call, Sandbox
    from tests.conftest import Figure
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
    house: House, sandbox: Sandbox, worker: Start, figure: Figure
) -> None:
    house.rules.write_text(GREET)
    first, second = worker(), worker()
    eventually(lambda: len(workers_at_work(house.redis)) == 2, timeout=40)
    second.send_signal(signal.SIGSTOP)  # ready, for what follows is a matter of seconds
    # LiveKit takes the call in, and carries it out only when everybody has given it up.
    sandbox.fault("late", "CreateDispatch", times=1, seconds=LEASE_SECONDS + 4)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    began = time.monotonic()
    first.kill()
    second.send_signal(signal.SIGCONT)
    eventually(lambda: len(made(sandbox)) == 2, timeout=40)
    the_double_goes(house, sandbox, "support-1", figure)
    assert time.monotonic() - began < LEASE_SECONDS + 20


@pytest.mark.parametrize(
    ("looked", "dies"),
    [(False, True), (False, False), (True, False)],
    ids=["dies of it", "before the second look", "after the second look"],
)
def test_a_double_made_by_a_worker_that_slept_between_its_record_and_its_call_is_deleted(
    house: House,
    sandbox: Sandbox,
    worker: Start,
    crashing_worker: Start,
    figure: Figure,
    looked: bool,
    dies: bool,
) -> None:
    """It calls when it wakes: no lease can stop it, and the room has its agent already."""
    house.rules.write_text(GREET)
    room = "stop-create"
    sleeper = crashing_worker()
    sandbox.join(room, "ana")
    eventually(lambda: state(sleeper) == "T", timeout=20)
    worker()
    eventually(lambda: house.dispatches(state="active"), timeout=40)
    if looked:
        eventually(lambda: house.redis.exists(keys.DUE) == 0, timeout=20)
    if dies:
        sandbox.fault("hang_after_work", "CreateDispatch", times=1)
    assert len(made(sandbox)) == 1
    sleeper.send_signal(signal.SIGCONT)
    eventually(lambda: len(made(sandbox)) == 2, timeout=10)
    if dies:
        sleeper.kill()
    the_double_goes(house, sandbox, room, figure)


def test_a_double_goes_though_the_server_drops_what_marks_it_as_ours(
    house: House, sandbox: Sandbox, worker: Start, crashing_worker: Start, figure: Figure
) -> None:
    """Servers before 1.12 do."""
    house.rules.write_text(GREET)
    sandbox.fault("old_server", "CreateDispatch")
    sleeper = crashing_worker()
    sandbox.join("stop-create", "ana")
    eventually(lambda: state(sleeper) == "T", timeout=20)
    worker()
    eventually(lambda: house.dispatches(state="active"), timeout=40)
    sleeper.send_signal(signal.SIGCONT)
    eventually(lambda: len(made(sandbox)) == 2, timeout=10)
    the_double_goes(house, sandbox, "stop-create", figure)


def made(sandbox: Sandbox) -> list[Call]:
    """The calls that made a dispatch."""
    return [call for call in sandbox.calls.of("CreateDispatch") if call.worked]


def state(process: subprocess.Popen[bytes]) -> str:
    """The letter Linux has for a process's state; T is stopped."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]


def the_double_goes(house: House, sandbox: Sandbox, room: str, figure: Figure) -> None:
    """Wait until one dispatch is left, the one we know of; tell how long there were two agents."""
    eventually(lambda: len(explicit(sandbox, room)) == 1, timeout=20)
    [dispatch] = house.dispatches()
    [left] = explicit(sandbox, room)
    assert dispatch["dispatch_id"] == left.id
    people = sandbox.rooms.open[room].participants
    eventually(lambda: set(people) == {"ana", dispatch["agent_identity"]})
    seconds = overlap(sandbox)
    figure(f"a double lived for {seconds:.1f} s")
    assert seconds < 12  # the look comes after 6 s; a busy machine adds to that


def overlap(sandbox: Sandbox) -> float:
    """How long there was more than one agent, as LiveKit tells it."""
    present, since, seconds = 0, 0.0, 0.0
    for delivery in sandbox.webhooks.deliveries:
        participant = json.loads(delivery.body).get("participant", {})
        if participant.get("kind") == "AGENT":
            seconds += delivery.queued_at - since if present > 1 else 0.0
            present += 1 if delivery.event == "participant_joined" else -1
            since = delivery.queued_at
    return seconds
