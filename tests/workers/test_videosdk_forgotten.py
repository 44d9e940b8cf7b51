"""A Redis that lost its last second has forgotten what VideoSDK was asked for, and VideoSDK lists
nothing: its agent is waited for before it is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from service.sandbox import running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.waiting import eventually, throughout
from tests.workers.conftest import account_of
from tests.workers.test_forgotten import started
from tests.workers.test_videosdk_agents import GREET, agents, told

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workers.conftest import House, _Hooks


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The Valkey servers of one socket, the last of which runs."""
    begun = [started(tmp_path / "valkey.sock")]
    yield begun
    for each in begun:
        each.kill()
        each.wait()


@pytest.fixture
def redis(servers: list[subprocess.Popen[bytes]], tmp_path: Path) -> Iterator[Redis]:
    """A client of a server that may be killed."""
    with Redis(unix_socket_path=str(tmp_path / "valkey.sock"), socket_timeout=10) as client:
        yield client


@pytest.fixture
def redis_url(tmp_path: Path) -> str:
    """Where that server is."""
    return f"unix://{tmp_path / 'valkey.sock'}"


def test_an_agent_that_was_asked_for_before_is_waited_for(
    house: House,
    hook: _Hooks,
    servers: list[subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    house.rules.write_text(GREET.replace("join_within: 2s", "join_within: 6s"))
    url = f"http://127.0.0.1:{hook.server_port}/videosdk"
    slow = Agent("greeter", join_delay=3.0)
    with running(VideoSdkSandbox(webhook_urls=[url], agents=[slow])) as videosdk:
        account_of(videosdk, house, hook)
        videosdk.join("m-1", "ana")
        eventually(lambda: sum(map(house.redis.llen, house.redis.keys("lkd:inbox:*"))) == 2)
        before = {key: house.redis.dump(key) for key in house.redis.keys("lkd:*")}
        house.start_worker()
        eventually(lambda: videosdk.calls.of("DispatchAgent"))
        servers[-1].kill()
        servers[-1].wait()
        servers.append(started(tmp_path / "valkey.sock"))
        for key, value in before.items():
            house.redis.restore(key, 0, value, replace=True)
        eventually(lambda: told(house) == [("videosdk", "greeter", "active")], timeout=15)
        throughout(lambda: len(agents(videosdk, "m-1")) == 1, 1.0)
        assert len(videosdk.calls.of("DispatchAgent")) == 1
