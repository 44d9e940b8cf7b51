"""Clients of a primary behind sentinels that stalls, and of one that has lost its place."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import TimeoutError as NoAnswer

from tests.sentinels import Watched, watched
from tests.waiting import eventually
from workers.connection import connect, connect_async
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def servers() -> Iterator[Watched]:
    with watched(down_after=500) as servers:
        yield servers


def test_no_answer_of_a_server_that_stalled_is_taken_for_another() -> None:
    with watched() as servers, connect(load_settings({"REDIS_URL": servers.url})) as client:
        client.set("k", "v")
        servers.primary.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(NoAnswer):
                client.set("other", "w")
        finally:
            servers.primary.send_signal(signal.SIGCONT)
        assert client.get("k") == b"v"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_connection_leaves_a_lost_server_for_the_one_in_its_place(
    servers: Watched, how: signal.Signals
) -> None:
    with connect(load_settings({"REDIS_URL": servers.url})) as client:
        client.set("k", "v")
        servers.primary.send_signal(how)
        has_taken_over(servers)
        if how is signal.SIGSTOP:  # nobody is kept waiting twice
            with pytest.raises(NoAnswer):
                client.set("k", "w")
        assert client.set("k", "w")
        assert servers.at_replica.get("k") == b"w"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_so_does_a_loops_connection_within_one_command(
    servers: Watched, how: signal.Signals
) -> None:
    async def written() -> None:
        async with connect_async(load_settings({"REDIS_URL": servers.url})) as client:
            await client.set("k", "v")
            servers.primary.send_signal(how)
            await asyncio.to_thread(has_taken_over, servers)
            assert await client.set("k", "w")

    asyncio.run(written())
    assert servers.at_replica.get("k") == b"w"


def has_taken_over(servers: Watched) -> None:
    """Wait for it."""
    eventually(servers.leads_to_replica, timeout=60)
    eventually(lambda: servers.at_replica.info("replication")["role"] == "master", timeout=60)
