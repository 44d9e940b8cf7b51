"""What workers count reaches Redis once, in a second, and stays within its bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.waiting import eventually
from workers import keys, metrics
from workers.counters import STALE_SECONDS, Counters, Flushing
from workers.fleet import read_fleet
from workers.metrics import MOST_SUBJECTS, OTHER
from workers.scripts import COUNT, ScriptRunner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis import Redis

    from tests.conftest import Valkey
    from workers.scripts import Arg, Script

GREETER = ("livekit", "greeter", "")


class Losing(ScriptRunner):
    """Loses the answers to as many batches; they have arrived."""

    lost = 0

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        answer = await super().call(script, keys, args)
        if script is COUNT and self.lost:
            self.lost -= 1
            raise RedisConnectionError("the answer was lost")
        return answer


class Bench:
    """One worker's counters, and how they are flushed."""

    def __init__(self, client: redis.asyncio.Redis, name: str) -> None:
        self.counters, self.runner, self.errors = Counters(), Losing(client), False
        self.flushing = Flushing(self.counters, self.runner, name, lambda: self.errors)


def with_workers(valkey: Valkey, work: Callable[..., Awaitable[None]], count: int = 1) -> None:
    async def working() -> None:
        client = redis.asyncio.Redis(unix_socket_path=str(valkey.socket))
        try:
            await work(*(Bench(client, f"worker-{n}") for n in range(count)))
        finally:
            await client.aclose()

    asyncio.run(working())


def counters(redis: Redis, metric: metrics.Metric) -> dict[tuple[str, ...], float]:
    return dict(read_fleet(redis, ()).counters.get(metric.name, {}))


def test_what_several_count_is_added_up(valkey: Valkey, redis: Redis) -> None:
    async def work(one: Bench, two: Bench) -> None:
        for bench, times in ((one, 3), (two, 4), (one, 5)):
            for _ in range(times):
                bench.counters.count(metrics.DISPATCHES, *GREETER, "active")
                bench.counters.add(metrics.JOINED.observed(0.3, *GREETER))
            await bench.flushing.flush()

    with_workers(valkey, work, 2)
    assert counters(redis, metrics.DISPATCHES) == {(*GREETER, "active"): 12}
    observed = read_fleet(redis, ()).histograms[metrics.JOINED.name][GREETER]
    assert observed.sum == pytest.approx(3.6)
    assert observed.buckets[metrics.JOINED.buckets.index(0.5)] == sum(observed.buckets) == 12


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.0, 0), (0.05, 0), (0.0501, 1), (60.0, -2), (61.0, -1), (1e9, -1)]
)
def test_each_time_is_in_the_first_bucket_that_holds_it(
    valkey: Valkey, redis: Redis, seconds: float, place: int
) -> None:
    async def work(bench: Bench) -> None:
        bench.counters.add(metrics.JOINED.observed(seconds, *GREETER))
        await bench.flushing.flush()

    with_workers(valkey, work)
    buckets = read_fleet(redis, ()).histograms[metrics.JOINED.name][GREETER].buckets
    assert len(buckets) == len(metrics.JOINED.buckets) + 1
    assert (buckets[place], sum(buckets)) == (1, 1)


def test_a_batch_whose_answer_was_lost_counts_once(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        for _ in range(3):
            bench.counters.count(metrics.LEASES_LOST)
            bench.runner.lost = 2
            for _ in range(2):
                with pytest.raises(RedisConnectionError):
                    await bench.flushing.flush()
                bench.counters.count(metrics.PUT_ASIDE)
            await bench.flushing.flush()

    with_workers(valkey, work)
    assert counters(redis, metrics.LEASES_LOST) == {(): 3}
    assert counters(redis, metrics.PUT_ASIDE) == {(): 6}


def test_the_last_flush_brings_what_was_lost_and_what_came_since(
    valkey: Valkey, redis: Redis
) -> None:
    async def work(bench: Bench) -> None:
        bench.counters.count(metrics.LEASES_LOST)
        bench.runner.lost = 1
        with pytest.raises(RedisConnectionError):
            await bench.flushing.flush()
        bench.counters.count(metrics.LEASES_LOST)
        await bench.flushing.close()

    with_workers(valkey, work)
    assert counters(redis, metrics.LEASES_LOST) == {(): 2}


def test_it_is_brought_every_second_and_all_of_it_at_the_end(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        running = asyncio.create_task(bench.flushing.run())
        for number in range(1, 3):
            bench.counters.count(metrics.LEASES_LOST)
            told = {(): number}
            await asyncio.to_thread(
                eventually, lambda told=told: counters(redis, metrics.LEASES_LOST) == told
            )
        bench.counters.count(metrics.LEASES_LOST)
        running.cancel()
        await bench.flushing.close()

    with_workers(valkey, work)
    assert counters(redis, metrics.LEASES_LOST) == {(): 3}


def test_without_redis_the_last_flush_gives_up_in_time(tmp_path: Any) -> None:
    async def work() -> float:
        client = redis.asyncio.Redis(unix_socket_path=str(tmp_path / "nowhere.sock"))
        bench = Bench(client, "worker")
        bench.counters.count(metrics.LEASES_LOST)
        began = asyncio.get_running_loop().time()
        await bench.flushing.close()
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(work()) < 4


def test_only_so_many_agents_are_told_apart_and_none_is_lost(valkey: Valkey, redis: Redis) -> None:
    async def work(one: Bench, two: Bench) -> None:
        for bench, first in ((one, 0), (two, 150)):
            for number in range(first, first + 150):
                bench.counters.count(metrics.DISPATCHES, "livekit", f"a-{number}", "", "active")
                bench.counters.add(metrics.JOINED.observed(0.3, "livekit", f"a-{number}", ""))
            bench.counters.count(metrics.DECISIONS, "support", "dispatch", "matched")
            await bench.flushing.flush()

    with_workers(valkey, work, 2)
    told = counters(redis, metrics.DISPATCHES)
    assert len(told) == MOST_SUBJECTS + 1
    assert told[OTHER, OTHER, OTHER, "active"] == 300 - MOST_SUBJECTS
    assert sum(told.values()) == 300
    joined = read_fleet(redis, ()).histograms[metrics.JOINED.name]
    assert sum(sum(each.buckets) for each in joined.values()) == 300
    assert counters(redis, metrics.DECISIONS) == {("support", "dispatch", "matched"): 2}


def test_very_many_in_one_second_are_one_small_batch(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        for number in range(5000):
            bench.counters.count(metrics.DISPATCHES, "livekit", f"a-{number}", "", "active")
        sums = bench.counters.take()
        assert len(sums) == MOST_SUBJECTS + 1
        assert sum(sums.values()) == 5000
        bench.counters.add(sums.items())
        await bench.flushing.flush()

    with_workers(valkey, work)
    told = counters(redis, metrics.DISPATCHES)
    assert len(told) == MOST_SUBJECTS + 1
    assert sum(told.values()) == 5000


def test_one_not_heard_of_for_a_day_makes_way(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        for number in range(MOST_SUBJECTS):
            bench.counters.count(metrics.DISPATCHES, "livekit", f"a-{number}", "", "active")
            bench.counters.count(metrics.OUTCOMES, "livekit", f"a-{number}", "", "joined")
        await bench.flushing.flush()
        long_ago = redis.time()[0] * 1000 - STALE_SECONDS * 1000 - 1000
        redis.zadd(keys.SUBJECTS + metrics.ROUTE, {"route\x1flivekit\x1fa-1\x1f": long_ago})
        for agent in ("new", "newer"):
            bench.counters.count(metrics.DISPATCHES, "livekit", agent, "", "active")
        await bench.flushing.flush()

    with_workers(valkey, work)
    told = counters(redis, metrics.DISPATCHES)
    assert ("livekit", "new", "", "active") in told
    assert told[OTHER, OTHER, OTHER, "active"] == 1  # nobody made way for the newer one
    assert not [labels for labels in told if labels[1] == "a-1"]
    assert not [labels for labels in counters(redis, metrics.OUTCOMES) if labels[1] == "a-1"]
    assert ("livekit", "a-10", "", "active") in told


def test_every_key_goes_by_itself(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        bench.errors = True
        bench.counters.count(metrics.DISPATCHES, *GREETER, "active")
        bench.counters.count(metrics.DECISIONS, "support", "dispatch", "matched")
        await bench.flushing.flush()

    with_workers(valkey, work)
    found = {key.decode(): redis.ttl(key) for key in redis.keys("*")}
    kinds = {keys.SUBJECTS + kind for kind in metrics.SUBJECTS}
    assert set(found) == {keys.METRICS, keys.RULE_ERRORS, keys.FLUSHED + "worker-0", *kinds}
    assert all(0 < seconds <= keys.DAY_SECONDS for seconds in found.values()), found


@pytest.mark.parametrize(
    "agent",
    ["a\x1fb", "a\x1eb", "\ud800", "x" * 5000, "{}", '"', "\\n", "other", "é" * 200, "a b", "\n"],
)
def test_any_agents_name_is_a_label(valkey: Valkey, redis: Redis, agent: str) -> None:
    async def work(bench: Bench) -> None:
        bench.counters.count(metrics.DISPATCHES, "livekit", agent, "beta", "active")
        await bench.flushing.flush()

    with_workers(valkey, work)
    [((provider, name, deployment, state), value)] = counters(redis, metrics.DISPATCHES).items()
    assert (provider, deployment, state, value) == ("livekit", "beta", "active", 1)
    assert len(name) <= metrics.LONGEST_LABEL


def test_what_another_version_has_counted_is_left_out(valkey: Valkey, redis: Redis) -> None:
    async def work(bench: Bench) -> None:
        bench.counters.count(metrics.LEASES_LOST)
        bench.counters.add(metrics.CALL_SECONDS.observed(0.7, "livekit", "CreateDispatch"))
        await bench.flushing.flush()

    with_workers(valkey, work)
    odd = {"x": 1, "\x1edispatcher_new_total\x1e": 2, "\x1edispatcher_calls_total\x1eone": 3}
    odd |= {"\x1edispatcher_retries_total\x1elivekit": "x"}
    odd |= {"\x1edispatcher_call_seconds\x1elivekit\x1fListRooms\x1flast": 1}
    another_bound = "\x1edispatcher_call_seconds\x1elivekit\x1fCreateDispatch\x1f0.75"
    redis.hset(keys.METRICS, mapping={**odd, another_bound: 2})
    fleet = read_fleet(redis, ())
    assert fleet.counters == {metrics.LEASES_LOST.name: {(): 1}}
    observed = fleet.histograms[metrics.CALL_SECONDS.name]["livekit", "CreateDispatch"]
    assert observed.buckets[metrics.CALL_SECONDS.buckets.index(1.0)] == 3
    assert len(fleet.histograms[metrics.CALL_SECONDS.name]) == 1


def test_workers_whose_rules_do_not_load_are_told_while_that_is_so(
    valkey: Valkey, redis: Redis
) -> None:
    async def work(one: Bench, two: Bench) -> None:
        one.errors = two.errors = True
        await one.flushing.flush()
        await two.flushing.flush()
        assert read_fleet(redis, ()).rule_errors == 2
        one.errors = False
        await one.flushing.flush()
        assert read_fleet(redis, ()).rule_errors == 1
        long_ago = redis.time()[0] * 1000 - 6000
        redis.zadd(keys.RULE_ERRORS, {"worker-1": long_ago})
        assert read_fleet(redis, ()).rule_errors == 0  # it is away

    with_workers(valkey, work, 2)
