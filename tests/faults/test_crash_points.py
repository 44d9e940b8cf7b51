"""A worker dies at every point of a ladder in turn: between any two writes or calls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from tests.workers.tokens import token
from workers import keys

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from service.sandbox import Sandbox
    from service.sandbox.videosdk import VideoSdkSandbox
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


ABROAD = """
version: 1
rules:
  - id: bridge
    on: participant_joined
    agents_are: {identity: "agent-*"}
    when: {source: livekit}
    dispatch: {agent: nobody-serves-it, provider: videosdk, room: "{{ room.name }}"}
    join_within: 2s
    fallback: [{agent: greeter, provider: videosdk, room: "{{ room.name }}"}]
"""
MOST_POINTS = 80

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


class Walk(NamedTuple):
    """Rooms `crash-<n>`, in each of which a worker died at the next point."""

    house: House
    crashing_worker: Start
    worker: Start
    crashed: Path
    ladder: list[str]
    """States of a room's dispatches when all is done."""

    def walked(self, begin: Callable[[str], object]) -> list[str]:
        """Begin room after room until none has a further point, and have all of them done."""
        dying = self.crashing_worker()
        rooms = []
        for number in range(MOST_POINTS):
            room = f"crash-{number}"
            rooms.append(room)
            begin(room)
            eventually(lambda d=dying, r=room: d.poll() is not None or self.done(r), timeout=40)
            if dying.poll() is None:
                break  # its agent came before this point
            dying = self.crashing_worker()
        dying.kill()
        dying.wait()
        self.worker()
        eventually(lambda: all(map(self.done, rooms)), timeout=60, interval=0.2)
        assert len(rooms) < MOST_POINTS
        assert len(list(self.crashed.iterdir())) == len(rooms) - 1
        return rooms

    def done(self, room: str) -> bool:
        """Whether a room has gone through its ladder."""
        return [d["state"] for d in self.house.dispatches(room=room)] == self.ladder

    def told(self) -> str:
        """Where the workers died."""
        told = Counter(path.read_text() for path in self.crashed.iterdir())
        return f"a worker died at {told.total()} points, before: {dict(told)}"


@pytest.fixture
def walk(house: House, crashing_worker: Start, worker: Start, crashed: Path) -> Walk:
    return Walk(house, crashing_worker, worker, crashed, ["superseded", "active"])


def callers(present: Iterable[str]) -> list[str]:
    """The agents among these."""
    return [identity for identity in present if identity.startswith("agent-")]


def test_a_worker_may_die_between_any_two_effects(
    house: House, sandbox: Sandbox, walk: Walk, figure: Figure
) -> None:
    house.rules.write_text(RULES)
    rooms = walk.walked(lambda room: sandbox.join(room, "ana"))
    eventually(lambda: house.redis.exists(keys.DUE) == 0, timeout=60, interval=0.2)
    figure(walk.told())
    assert len(rooms) > 13
    assert {len(explicit(sandbox, room)) for room in rooms} == {1}
    assert {len(callers(sandbox.rooms.open[room].participants)) for room in rooms} == {1}


def test_and_where_the_agent_comes_with_the_token(
    house: House, sandbox: Sandbox, walk: Walk, figure: Figure
) -> None:
    house.rules.write_text(GREET)
    tokens = walk._replace(ladder=["active"])
    rooms = tokens.walked(lambda room: sandbox.join_by_token(token(house, "ana", room)))
    eventually(lambda: house.redis.exists(keys.DUE) == 0, timeout=60, interval=0.2)
    figure(f"by token, {walk.told()}")
    assert len(rooms) > 3
    assert not sandbox.calls.of("CreateDispatch")
    assert {len(explicit(sandbox, room)) for room in rooms} == {1}
    assert {len(callers(sandbox.rooms.open[room].participants)) for room in rooms} == {1}


def test_and_where_the_agent_is_sent_by_the_other_provider(
    house: House, sandbox: Sandbox, videosdk: VideoSdkSandbox, walk: Walk, figure: Figure
) -> None:
    house.rules.write_text(ABROAD)

    def begin(room: str) -> None:
        videosdk.join(room, "bridge")
        sandbox.join(room, "ana")

    rooms = walk.walked(begin)
    figure(f"into VideoSDK's meetings, {walk.told()}")
    assert len(rooms) > 8
    assert {len(callers(videosdk.present(room))) for room in rooms} == {1}
