"""A worker that stands still in a call for another room than its own leaves nobody there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import explicit
from tests.workers.test_videosdk_agents import agents_here

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from service.sandbox import Sandbox
    from service.sandbox.videosdk import VideoSdkSandbox
    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

ROOM = "stop-create"
RULES = """
version: 1
rules:
  - id: back
    on: participant_joined
    agents_are: {identity: "agent-*"}
    when: {source: videosdk}
    dispatch: {agent: greeter, provider: livekit, room: "{{ room.name }}"}
"""


def test_what_it_makes_when_its_dispatch_is_over_goes_again(
    house: House,
    sandbox: Sandbox,
    videosdk: VideoSdkSandbox,
    crashing_worker: Start,
    crashed: Path,
    worker: Start,
) -> None:
    house.rules.write_text(RULES)
    sandbox.join(ROOM, "keeper")
    stopped = crashing_worker()
    videosdk.join(ROOM, "ana")
    eventually((crashed / ROOM).exists, timeout=30)
    worker()
    videosdk.end(ROOM)
    eventually(
        lambda: [d["state"] for d in house.dispatches()] in (["released"], ["failed"]), timeout=60
    )
    stopped.send_signal(signal.SIGCONT)
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=20)
    eventually(
        lambda: not explicit(sandbox, ROOM) and not agents_here(sandbox, ROOM),
        timeout=60,
        interval=0.5,
    )
