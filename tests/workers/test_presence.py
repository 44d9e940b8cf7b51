"""Whether a worker is at work can be asked of Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.loader import load
from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.presence import AtWork, at_work_here, new_name, workers_at_work

if TYPE_CHECKING:
    from tests.workers.conftest import House


def test_each_loop_that_looks_for_work_is_told_with_the_hash_of_its_rules(house: House) -> None:
    house.rules.write_text(GREET)
    assert workers_at_work(house.redis) == {}
    rules = load(house.rules).hash
    house.start_worker()
    house.start_worker()
    eventually(lambda: list(workers_at_work(house.redis).values()) == [AtWork(rules)] * 2)


def test_one_that_has_stopped_looking_is_not(house: House) -> None:
    house.redis.zadd(keys.WORKERS, {"long-gone:hash": (house.redis.time()[0] - 30) * 1000})
    assert workers_at_work(house.redis) == {}


def test_one_on_another_host_is_not_one_of_this_host(house: House) -> None:
    house.redis.zadd(keys.WORKERS, {"elsewhere/0123456789ab:hash": house.redis.time()[0] * 1000})
    assert len(workers_at_work(house.redis)) == 1
    assert not at_work_here(house.redis)
    house.rules.write_text(GREET)
    house.start_worker()
    eventually(lambda: at_work_here(house.redis))


def test_no_two_loops_of_a_host_have_the_same_name() -> None:
    assert new_name() != new_name()


def test_the_rules_of_its_last_look_count(house: House) -> None:
    now = house.redis.time()[0] * 1000
    house.redis.zadd(keys.WORKERS, {"a:old": now - 2000, "a:new": now})
    assert workers_at_work(house.redis) == {"a": AtWork("new")}
