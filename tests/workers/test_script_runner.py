"""Calls of one loop share round trips, and no more of these are under way than there may be."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import RedisError

from tests.valkey import running_valkey
from workers.connection import connect_async
from workers.scripts import LEASE, Script, ScriptRunner
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.valkey import Valkey

ECHO = Script("echo", "return ARGV[1]", "0" * 40)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with running_valkey() as valkey:
        yield valkey


def runner(valkey: Valkey, flights: int) -> ScriptRunner:
    settings = load_settings({"REDIS_URL": valkey.url})
    return ScriptRunner(connect_async(settings), flights)


def test_what_is_called_while_all_round_trips_are_under_way_shares_the_next(
    valkey: Valkey,
) -> None:
    async def calls() -> tuple[list[bytes], int]:
        scripts = runner(valkey, flights=2)
        await scripts.call(ECHO, [], ["first"])
        os.kill(valkey.pid, signal.SIGSTOP)
        waiting = []
        for number in range(200):  # each in a tick of its own
            waiting.append(asyncio.create_task(scripts.call(ECHO, [], [number])))
            await asyncio.sleep(0)
        os.kill(valkey.pid, signal.SIGCONT)
        answers = await asyncio.gather(*waiting)
        connections = len(await scripts.redis.client_list())
        await scripts.redis.aclose()
        return answers, connections

    answers, connections = asyncio.run(calls())
    assert answers == [str(number).encode() for number in range(200)]
    assert connections == 2


def test_a_call_that_fails_leaves_the_others_their_answers(valkey: Valkey) -> None:
    async def calls() -> list[object]:
        scripts = runner(valkey, flights=1)
        wrong = Script("wrong", "return redis.call('NO SUCH COMMAND')", "1" * 40)
        answers = await asyncio.gather(
            scripts.call(ECHO, [], ["a"]),
            scripts.call(wrong, [], []),
            scripts.call(ECHO, [], ["b"]),
            return_exceptions=True,
        )
        after = await scripts.call(ECHO, [], ["c"])
        await scripts.redis.aclose()
        return [*answers, after]

    first, failed, second, after = asyncio.run(calls())
    assert (first, second, after) == (b"a", b"b", b"c")
    assert isinstance(failed, RedisError)


def test_what_waits_when_redis_dies_hears_of_it_and_so_does_what_comes_after(
    valkey: Valkey,
) -> None:
    async def calls() -> list[object]:
        scripts = runner(valkey, flights=1)
        await scripts.call(LEASE, ["lease"], ["me", 1000])
        os.kill(valkey.pid, signal.SIGKILL)
        waiting = [asyncio.create_task(scripts.call(ECHO, [], [n])) for n in range(3)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        answers += await asyncio.gather(scripts.call(ECHO, [], [3]), return_exceptions=True)
        await scripts.redis.aclose()
        return answers

    assert [isinstance(each, RedisError) for each in asyncio.run(calls())] == [True] * 4
