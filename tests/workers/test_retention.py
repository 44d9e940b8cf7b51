"""History goes when it is old or when there is too much of it; what is live and the rest stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rules.event import read_event
from tests.service.cli import keep
from tests.workers.desk import dispatch
from workers import keys
from workers.connection import connect_async
from workers.history import dispatch_document, event_document
from workers.ledger import Ledger
from workers.retention import Bounds, Retention
from workers.scripts import ScriptRunner
from workers.settings import load_settings
from workers.states import State

if TYPE_CHECKING:
    from redis import Redis

    from tests.conftest import Valkey
    from workers.settings import Settings

HOUR = 3600


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return load_settings({"REDIS_URL": redis_url})


@pytest.fixture
def now(redis: Redis) -> float:
    return float(redis.time()[0])


def looked(settings: Settings, bounds: Bounds) -> int:
    """One look at history, as a worker's loop takes it."""

    async def look() -> int:
        client = connect_async(settings)
        runner = ScriptRunner(client)
        try:
            return await Retention(runner, "test", bounds).look()
        finally:
            await client.aclose()

    return asyncio.run(look())


def put(redis: Redis, number: int, at: float, state: State = State.ENDED, size: int = 0) -> None:
    made = replace(dispatch(f"room-{number}", 1), id=f"D{number:05}", created_at=at)
    made = replace(made, state=state, metadata="x" * size)
    keep(redis, dispatch_document(None, made))
    body = {"event": "participant_joined", "id": f"EV_{number}", "createdAt": int(at)}
    event = read_event({**body, "room": {"name": f"room-{number}", "sid": f"RM_{number}"}})
    keep(
        redis,
        event_document("s", event.id, event, [], [], rules_hash="h", now=at, instant=at),
    )


def dispatches(redis: Redis) -> list[str]:
    return [d["id"] for d in Ledger(redis).each_dispatch()]


def test_what_is_older_than_the_retention_goes_with_all_that_told_of_it(
    redis: Redis, settings: Settings, now: float
) -> None:
    put(redis, 1, now - 3 * HOUR)
    put(redis, 2, now - HOUR)
    assert looked(settings, Bounds(2 * HOUR, 10**9)) == 2
    assert dispatches(redis) == ["D00002"]
    assert [e["id"] for e in Ledger(redis).events().items] == ["EV_2"]
    assert not redis.exists("lkd:dispatch:D00001", "lkd:event:s:EV_1")


def test_nothing_is_left_of_history_that_is_all_too_old(
    redis: Redis, settings: Settings, now: float
) -> None:
    for number in range(30):
        put(redis, number, now - 3 * HOUR)
    redis.zadd(keys.ROUTES, dict.fromkeys(redis.zrange(keys.ROUTES, 0, -1), 0))
    assert looked(settings, Bounds(HOUR, 10**9)) == 60
    assert redis.hget(keys.HISTORY, "bytes") == b"0"
    told = {*redis.keys("lkd:dispatch*"), *redis.keys("lkd:event*"), *redis.keys("lkd:routes")}
    assert told == set()


def test_the_oldest_goes_where_there_is_too_much_and_calls_stay(
    redis: Redis, settings: Settings, now: float
) -> None:
    put(redis, 0, now - 9 * HOUR, State.ACTIVE, size=1000)
    for number in range(1, 51):
        put(redis, number, now - HOUR + number, size=1000)
    size = int(redis.hget(keys.HISTORY, "bytes") or 0)
    assert looked(settings, Bounds(24 * HOUR, size // 2)) > 0
    left = int(redis.hget(keys.HISTORY, "bytes") or 0)
    assert size * 0.4 < left <= size // 2, "it has gone down to the bound, and not far below"
    kept = dispatches(redis)
    assert kept[-1] == "D00000", "a call that goes on is never forgotten"
    assert kept[:-1] == [f"D{number:05}" for number in range(50, 50 - len(kept) + 1, -1)]
    assert looked(settings, Bounds(24 * HOUR, size // 2)) == 0


def test_one_whose_room_was_forgotten_is_not_live_for_ever(
    redis: Redis, settings: Settings, now: float
) -> None:
    put(redis, 1, now - keys.ROOM_SECONDS - 3 * HOUR, State.ACTIVE)
    put(redis, 2, now - keys.ROOM_SECONDS, State.ACTIVE)
    assert looked(settings, Bounds(2 * HOUR, 10**9)) == 3, "both events, and the older of the two"
    assert dispatches(redis) == ["D00002"]


def test_calls_alone_may_be_more_than_the_bound(
    redis: Redis, settings: Settings, now: float
) -> None:
    for number in range(20):
        put(redis, number, now, State.ACTIVE, size=1000)
    assert looked(settings, Bounds(24 * HOUR, 1000)) == 20, "their events go"
    assert len(dispatches(redis)) == 20


@pytest.mark.parametrize("share", [0.95, 1.05])
def test_history_makes_room_where_redis_is_full_or_nearly(
    redis: Redis, settings: Settings, now: float, share: float
) -> None:
    for number in range(300):
        put(redis, number, now, size=20_000)
    most = int(redis.info("memory")["used_memory"] / share)
    redis.config_set("maxmemory", most)
    try:
        looked(settings, Bounds(24 * HOUR, 10**9))
        left = len(dispatches(redis))
        assert int(redis.info("memory")["used_memory"]) < 0.92 * most
        assert 100 < left < 280
    finally:
        redis.config_set("maxmemory", 0)


def test_what_it_says_it_takes_is_about_what_it_takes(redis: Redis, now: float) -> None:
    for number in range(3000):
        put(redis, number, now + number / 1000, size=100)
    names = [*redis.scan_iter("lkd:dispatch*"), *redis.scan_iter("lkd:event*")]
    took = sum(redis.memory_usage(name, samples=0) or 0 for name in names)
    counted = int(redis.hget(keys.HISTORY, "bytes") or 0)
    assert 0.75 * took < counted < 1.25 * took, (counted, took)


def test_a_second_worker_leaves_it_to_the_first(redis: Redis, settings: Settings) -> None:
    redis.set(keys.RETENTION, "another", px=60_000)

    async def is_mine() -> bool:
        client = connect_async(settings)
        runner = ScriptRunner(client)
        try:
            return await Retention(runner, "t", Bounds(1, 1))._is_mine()
        finally:
            await client.aclose()

    assert not asyncio.run(is_mine())


def test_what_is_old_goes_where_info_is_forbidden_too(
    valkey: Valkey, settings: Settings, redis: Redis, now: float
) -> None:
    redis.acl_setuser(
        "narrow", enabled=True, passwords=["+word"], keys="*", commands=["+@all", "-info"]
    )
    try:
        put(redis, 1, now - 2 * HOUR)
        put(redis, 2, now)
        narrow = replace(settings, redis_url=f"unix://narrow:word@{valkey.socket}")
        looked(narrow, Bounds(HOUR, 10**9))
        assert [d["id"] for d in Ledger(redis).dispatches(limit=10).items] == ["D00002"]
    finally:
        redis.acl_deluser("narrow")
