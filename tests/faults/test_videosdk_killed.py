"""A worker dies while VideoSDK is sending an agent: it is not sent twice, nor left out."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.videosdk_up import videosdk_up
from tests.waiting import eventually, throughout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.sandbox.videosdk import VideoSdkSandbox
    from tests.up import Up

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    agents_are: {identity: "agent-*"}
    dispatch: {agent: greeter}
    join_within: 5s
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Up, VideoSdkSandbox]]:
    with videosdk_up(tmp_path, RULES) as place:
        yield place


def agents(videosdk: VideoSdkSandbox) -> list[str]:
    return [each for each in videosdk.present("m-1") if each.startswith("agent-")]


@pytest.mark.parametrize("fault", ["slow", "late", "hang"])
def test_one_agent_comes_whether_the_call_was_done_or_not(
    place: tuple[Up, VideoSdkSandbox], fault: str
) -> None:
    up, videosdk = place
    videosdk.fault(fault, "DispatchAgent", times=1, seconds=3.0)
    videosdk.join("m-1", "ana")
    eventually(lambda: videosdk.faults.active == [], timeout=20)  # it is under way
    for worker in up.pids("worker"):
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: up.dispatches(room="m-1", state="active"), timeout=60, interval=0.5)
    throughout(lambda: len(agents(videosdk)) == 1, 3)
    assert len(up.dispatches(room="m-1")) == 1
