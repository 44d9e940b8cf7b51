"""Every process of `dispatcher up` is killed in turn while webhooks come in.

Webhooks come as LiveKit sends them: one at a time for a room, tried again after 1, 3, 7 and 15 s.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from tests.ports import free_port
from tests.up import Up
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOMS = 400
EVENTS_EACH = 5
"""room_started, two people joining, one agent joining, one person leaving."""
VICTIMS = (
    (" worker", 0),
    ("valkey-server", 0),
    (" serve", 0),  # granian's main process
    (" worker", 0),
    (" serve", 1),  # the process under it that answers
    ("valkey-server", 0),
)
RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {participant: {identity: "caller-*"}}
    dispatch: {agent: greeter, metadata: {caller: "{{ participant.identity }}"}}
"""


@pytest.fixture
def livekit() -> Iterator[tuple[Sandbox, int]]:
    """A sandbox that sends its webhooks to a port where something will listen."""
    port = free_port()
    sandbox = Sandbox(
        webhook_urls=[f"http://127.0.0.1:{port}/webhooks/livekit"],
        workers=[Worker("greeter", accept_delay=0.05, join_delay=0.05)],
        job_listing_delay=0.0,
    )
    with running(sandbox):
        yield sandbox, port


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_each_caller_gets_one_agent_though_every_process_is_killed_in_turn(
    livekit: tuple[Sandbox, int], tmp_path: Path
) -> None:
    sandbox, port = livekit
    environ = {
        "LIVEKIT_URL": sandbox.url,
        "LIVEKIT_API_KEY": sandbox.key,
        "LIVEKIT_API_SECRET": sandbox.secret,
    }
    with Up(tmp_path, RULES, environ, port=port) as up:
        traffic = threading.Thread(target=_traffic, args=(sandbox,))
        traffic.start()
        killed = Counter[str]()
        for word, which in VICTIMS:
            before = _delivered(sandbox)
            eventually(lambda before=before: _delivered(sandbox) > before + 150, timeout=120)
            victim = eventually(
                lambda word=word, which=which: up.pids(word)[which : which + 1], timeout=20
            )[0]
            os.kill(victim, signal.SIGKILL)
            killed[word.strip()] += 1
            eventually(
                lambda word=word, which=which, victim=victim: [
                    p for p in up.pids(word)[which:] if p != victim
                ],
                timeout=30,
            )
        traffic.join()
        rooms = sandbox.rooms.open
        eventually(
            lambda: sum(bool(_agents(sandbox, r)) for r in rooms) == ROOMS, timeout=90, interval=0.5
        )
        eventually(lambda: all(d.outcome == "delivered" for d in sandbox.webhooks.deliveries), 60)
    assert killed == {"worker": 2, "valkey-server": 2, "serve": 2}
    assert len(sandbox.webhooks.deliveries) >= ROOMS * EVENTS_EACH
    done = Counter(c.room for c in sandbox.calls.of("CreateDispatch") if c.worked)
    assert [room for room, times in done.items() if times > 1] == []
    assert {len(_agents(sandbox, r)) for r in sandbox.rooms.open} == {1}
    assert up.process.returncode == 0


def _traffic(sandbox: Sandbox) -> None:
    """Two people come to each room, then one goes; about 25 rooms a second."""
    pace = threading.Event()
    for n in range(ROOMS):
        sandbox.join(f"room-{n}", f"caller-{n}")
        sandbox.join(f"room-{n}", f"friend-{n}")
        sandbox.leave(f"room-{n}", f"friend-{n}")
        pace.wait(0.04)


def _agents(sandbox: Sandbox, room: str) -> list[str]:
    people = list(sandbox.rooms.open[room].participants)
    return [identity for identity in people if identity.startswith("agent-")]


def _delivered(sandbox: Sandbox) -> int:
    return sum(d.outcome == "delivered" for d in list(sandbox.webhooks.deliveries))
