"""Redis's clock as a worker reads it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from workers.clock import CLOCK_STEP_SECONDS, Ahead, RedisClock, rfc3339
from workers.hold import Document


def test_readings_that_took_different_times_never_set_it_back() -> None:
    clock = RedisClock()
    clock.set(1000.050, time.monotonic())
    first = clock.now()
    clock.set(1000.001, time.monotonic())
    assert clock.now() >= first


def test_it_follows_a_clock_that_was_set_back() -> None:
    clock = RedisClock()
    clock.set(1000.0, time.monotonic())
    clock.now()
    clock.set(1000.0 - 10 * CLOCK_STEP_SECONDS, time.monotonic())
    assert clock.now() < 1000.0 - 5 * CLOCK_STEP_SECONDS


def test_instants_are_in_order_as_redis_has_them_though_no_time_passes() -> None:
    clock = RedisClock(lambda: 50.0)
    clock.set(1_795_716_004.123_457, 50.0)
    documents = [Document("k", {}, clock.instant(), "p", "i") for _ in range(20_000)]
    scores = [float(document.args()[2]) for document in documents]
    assert all(first < second for first, second in pairwise(scores))


def test_a_server_whose_clock_is_ahead_is_found_out_by_its_events() -> None:
    ahead = Ahead()
    ahead.heard(event_at=130.0, received_at=100.2)
    assert ahead.seconds == pytest.approx(29.8)
    ahead.heard(event_at=140.0, received_at=130.0)  # this one came 20 s late
    assert ahead.seconds > 29
    for _ in range(2000):  # the clock is set right
        ahead.heard(event_at=200.0, received_at=200.1)
    assert ahead.seconds < 0.1


def test_a_server_whose_clock_is_behind_is_not_ahead() -> None:
    ahead = Ahead()
    ahead.heard(event_at=70.0, received_at=100.0)
    assert ahead.seconds == 0.0


def test_an_event_of_the_far_future_is_not_believed() -> None:
    ahead = Ahead()
    ahead.heard(event_at=1e12, received_at=100.0)
    assert ahead.seconds == 300.0


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (253_402_300_800, "9999-12-31T23:59:59.000Z"),
        (2**63 - 1, "9999-12-31T23:59:59.000Z"),
        (10**20, "9999-12-31T23:59:59.000Z"),
        (-(2**63), "0001-01-01T00:00:00.000Z"),
        (1e300, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_that_no_calendar_has_is_written_as_the_nearest(seconds, written):
    assert rfc3339(seconds) == written
