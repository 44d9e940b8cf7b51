"""Whether a worker is at work can be asked of Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.presence import workers_at_work

if TYPE_CHECKING:
    from tests.workers.conftest import House


def test_each_loop_that_looks_for_work_counts(house: House) -> None:
    house.rules.write_text(GREET)
    assert workers_at_work(house.redis) == 0
    house.start_worker()
    house.start_worker()
    eventually(lambda: workers_at_work(house.redis) == 2)


def test_one_that_has_stopped_looking_does_not(house: House) -> None:
    house.redis.zadd(keys.WORKERS, {"long-gone": (house.redis.time()[0] - 30) * 1000})
    assert workers_at_work(house.redis) == 0
