"""A worker dies while others are to be told of calls without an agent: none is lost."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_crash_points import Walk
from tests.receiving import SECRET, Receiving, receiving
from tests.waiting import eventually
from workers import keys
from workers.notice_queue import untold
from workers.receivers import Receiver, Receivers, Topic

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
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
    dispatch: {agent: nobody}
    join_within: 300ms
    fallback: [{deployment: beta}, {notify: {message: "no agent for {{ room.name }}"}}]
"""
BURST = 1000

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.fixture
def hooks() -> Iterator[Receiving]:
    with receiving() as server:
        yield server
        assert server.faults == []


@pytest.fixture(autouse=True)
def told(house: House, hooks: Receiving) -> None:
    receivers = Receivers((Receiver(hooks.url),), (SECRET,), frozenset({Topic.FAILED}))
    house.settings = replace(house.settings, receivers=receivers)
    house.rules.write_text(RULES)


def due(house: House) -> set[str]:
    """The ids of what is to be told, by what has become of dispatches."""
    return {f"{each['id']}_failed" for each in house.dispatches(state="failed")}


def test_one_that_dies_between_the_dispatchs_end_and_its_post_loses_nothing(
    house: House, sandbox: Sandbox, worker: Start, hooks: Receiving
) -> None:
    house.redis.set(keys.NOTIFIER, "nobody")  # no worker may post
    first = worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: due(house), timeout=30)
    assert untold(house.redis).notices == 1
    first.kill()
    first.wait()
    house.redis.delete(keys.NOTIFIER)
    assert hooks.told == []
    worker()
    eventually(hooks.taken, timeout=40)
    eventually(lambda: untold(house.redis).notices == 0)
    assert hooks.times() == dict.fromkeys(due(house), 1)


def test_one_that_dies_after_its_post_has_another_post_the_same_again(
    house: House, sandbox: Sandbox, worker: Start, hooks: Receiving
) -> None:
    first = worker()

    def answer(_: str) -> tuple[int, dict[str, str]]:
        if first.poll() is None:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        return 200, {}

    hooks.answer = answer
    sandbox.join("support-1", "ana")
    eventually(lambda: first.poll() is not None, timeout=30)
    eventually(hooks.taken)
    assert untold(house.redis).notices == 1
    worker()
    eventually(lambda: untold(house.redis).notices == 0, timeout=40)
    assert hooks.times() == dict.fromkeys(due(house), 2)
    [one, other] = hooks.told
    assert one.body == other.body


def test_one_that_dies_before_any_write_of_a_ladder_tells_of_its_end_all_the_same(
    house: House,
    sandbox: Sandbox,
    crashing_worker: Start,
    worker: Start,
    crashed: Path,
    hooks: Receiving,
    figure: Figure,
) -> None:
    walk = Walk(house, crashing_worker, worker, crashed, ["superseded", "failed"])
    rooms = walk.walked(lambda room: sandbox.join(room, "ana"))
    eventually(lambda: untold(house.redis).notices == 0, timeout=40)
    figure(f"with nobody to send, {walk.told()}")
    assert len(rooms) > 8
    assert set(hooks.times()) == due(house)
    assert {each.data["message"] for each in hooks.told} == {f"no agent for {r}" for r in rooms}


def test_a_burst_of_calls_without_an_agent_is_told_whole_though_workers_die(
    house: House, sandbox: Sandbox, worker: Start, hooks: Receiving, figure: Figure
) -> None:
    workers = [worker(), worker()]
    for number in range(BURST):
        sandbox.join(f"support-{number}", "ana")
    for count in (BURST // 4, BURST // 2):
        eventually(lambda c=count: len(hooks.told) >= c, timeout=240)
        workers[0].kill()
        workers = [*workers[1:], worker()]
    eventually(lambda: len(house.dispatches(state="failed")) == BURST, timeout=240, interval=0.5)
    eventually(lambda: untold(house.redis).notices == 0, timeout=60)
    times = hooks.times()
    twice = sum(count - 1 for count in times.values())
    figure(f"{BURST:,} failed dispatches, two workers killed: {len(times):,} told, {twice} twice")
    assert set(times) == due(house)
