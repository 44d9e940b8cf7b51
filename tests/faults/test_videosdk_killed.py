"""A worker dies while VideoSDK is sending an agent: it is not sent twice, nor left out."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from service.sandbox import running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.ports import free_port
from tests.up import Up
from tests.waiting import eventually, throughout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/videosdk"
    with running(VideoSdkSandbox(webhook_urls=[url], agents=[Agent("greeter")])) as videosdk:
        environ = {
            "VIDEOSDK_URL": videosdk.url,
            "VIDEOSDK_API_KEY": videosdk.key,
            "VIDEOSDK_SECRET": videosdk.secret,
        }
        with Up(tmp_path, RULES, environ, port=port) as up:
            yield up, videosdk
        assert videosdk.violations == []


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
