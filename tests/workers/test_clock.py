"""Redis's clock as a worker reads it."""

from __future__ import annotations

import time

from workers.clock import CLOCK_STEP_SECONDS, RedisClock


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
