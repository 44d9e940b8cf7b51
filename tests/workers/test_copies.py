"""Behind sentinels an event is accepted when a replica has it, and not before."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import RedisError

from tests.sentinels import Watched, watched
from tests.waiting import eventually
from tests.workers.desk import coming
from workers import keys
from workers.connection import connect, connect_async
from workers.copies import NotCopied
from workers.intake import ANSWER_SECONDS, GatheringIntake, Intake
from workers.scripts import ScriptRunner
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

INBOX = f"{keys.INBOX}devkey:support-1"


@pytest.fixture(scope="module")
def servers() -> Iterator[Watched]:
    with watched() as servers:
        yield servers


@pytest.fixture
def redis(servers: Watched) -> Iterator[Redis]:
    with connect(load_settings({"REDIS_URL": servers.url})) as client:
        client.flushall()
        yield client


def offered(servers: Watched) -> str | Exception:
    """What a web process answers to the event."""

    async def offer() -> str | Exception:
        async with connect_async(settings, patient=False) as client:
            with connect(settings) as redis:
                intake = GatheringIntake(ScriptRunner(client), redis)
                try:
                    return await intake.accept("devkey", coming("support-1"))
                except RedisError as error:
                    return error

    settings = load_settings({"REDIS_URL": servers.url})
    return asyncio.run(offer())


def test_what_is_accepted_is_on_the_replica(servers: Watched, redis: Redis) -> None:
    assert Intake(redis).accept("devkey", coming("support-1")) == "accepted"
    assert servers.at_replica.llen(INBOX) == 1


def test_and_where_many_are_accepted_together(servers: Watched, redis: Redis) -> None:
    assert offered(servers) == "accepted"
    assert servers.at_replica.llen(INBOX) == 1


def test_what_no_replica_has_is_not_accepted_however_often_it_is_offered(
    servers: Watched, redis: Redis
) -> None:
    servers.replica.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            with (
                connect(load_settings({"REDIS_URL": servers.url})) as client,  # a connection anew
                pytest.raises(NotCopied),
            ):
                Intake(client).accept("devkey", coming("support-1"))
        began = time.monotonic()
        refused = offered(servers)
        assert "no replica has confirmed it" in str(refused)
        assert time.monotonic() - began < ANSWER_SECONDS + 2
    finally:
        servers.replica.send_signal(signal.SIGCONT)
    eventually(lambda: servers.at_replica.llen(INBOX) == 1)
    assert Intake(redis).accept("devkey", coming("support-1")) == "duplicate"
    assert redis.llen(INBOX) == 1


def test_an_event_waits_for_a_replica_that_is_away_for_a_moment(
    servers: Watched, redis: Redis
) -> None:
    servers.replica.send_signal(signal.SIGSTOP)
    back = threading.Timer(2.0, servers.replica.send_signal, (signal.SIGCONT,))
    back.start()
    try:
        assert offered(servers) in ("accepted", "duplicate")
    finally:
        back.join()
    assert servers.at_replica.llen(INBOX) == 1
