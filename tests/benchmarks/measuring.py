"""Measures ways beside each other, so that what else the machine does slows all of them alike."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAST = 0.02
"""Seconds that one measurement takes at least."""


def alternating(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of the seconds each way takes, one after the other in each round."""
    times = {name: _times(way) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(_seconds(way, times[name]))
    return {name: median(each) for name, each in seconds.items()}


def once(way: Callable[[], object]) -> float:
    """The seconds of a single time, for what takes many of them."""
    return _seconds(way, 1)


def _times(way: Callable[[], object]) -> int:
    return max(1, round(LEAST / max(_seconds(way, 1), 1e-7)))


def _seconds(way: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        way()
    return (time.perf_counter() - began) / times
