"""The time that all hosts agree on, Redis's, and how it is written."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCKS_SECONDS: Final = 5.0
"""How far LiveKit's clock and Redis's may be apart."""
SLOW_READING_SECONDS: Final = 0.1
READING_SECONDS: Final = 10.0
CLOCK_STEP_SECONDS: Final = 1.0
"""Readings differ by less than this for the time they took; by more, the clock was set."""

MOST_AHEAD_SECONDS: Final = 300.0
"""An event of the far future is somebody's mistake."""
_FIRST: Final = -62_135_596_800.0
_LAST: Final = 253_402_300_799.0
_FORGETTING: Final = 0.01
_INSTANT: Final = 0.000_002
"""Scores in Redis are written to the microsecond: two of these apart are never rounded to one."""


class RedisClock:
    """Redis's clock between two readings of it. It never goes back, unless Redis's own did."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = 0.0
        self._last = 0.0
        self._instant = 0.0
        self._best = float("inf")
        self._set_at = float("-inf")

    def now(self) -> float:
        """Unix seconds, in whole milliseconds as in Redis's scripts.

        So what is due now is due there too; and a record holds a dozen of these.
        """
        now = self._monotonic() + self._offset
        self._last = max(self._last, math.floor(now * 1000) / 1000)
        return self._last

    def instant(self) -> float:
        """Unix seconds, later than any that was told before: for what is listed in its order."""
        self._instant = max(self._instant + _INSTANT, self._monotonic() + self._offset)
        return self._instant

    def set(self, told: float, asked: float) -> None:
        """Take a reading: what Redis told, and when it was asked by the monotonic clock.

        One that took far longer than the best says too little of when Redis looked at its clock;
        it is taken all the same when there has been none better for a while.
        """
        took = self._monotonic() - asked
        slow = took > 2 * self._best + SLOW_READING_SECONDS
        if slow and asked - self._set_at < READING_SECONDS:
            return
        self._best = took if slow else min(self._best, took)
        self._set_at = asked
        self._offset = told - asked
        if self._last - told > CLOCK_STEP_SECONDS:  # another Redis, or a corrected clock
            self._last = self._instant = told


def unix_seconds(told: tuple[int, int]) -> float:
    """What Redis answers to TIME, as Unix seconds."""
    seconds, microseconds = told
    return seconds + microseconds / 1_000_000


@lru_cache(maxsize=4096)  # a page shows the same ones again and again
def rfc3339(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 UTC with milliseconds; the first or last of the years 1 to 9999 for
    what lies beyond: a server may tell any time at all.
    """
    if seconds is None:
        return None
    written = datetime.fromtimestamp(min(max(seconds, _FIRST), _LAST), UTC)
    return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_of(at: float) -> str:
    """The day, UTC, of a time in Unix seconds, as `2026-03-02`."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


class Ahead:
    """How far a server's clock is ahead of Redis's, from when its events arrive.

    No event arrives before it happens. One that seems to shows how far the clock is ahead at
    least; without that, an event that is late would be taken for fresh.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        """0 where it is not ahead."""

    def heard(self, event_at: float, received_at: float) -> None:
        """An event of that time has arrived at that time, Unix seconds."""
        ahead = min(max(event_at - received_at, 0.0), MOST_AHEAD_SECONDS)
        if ahead >= self.seconds:
            self.seconds = ahead
        else:  # it was late, or the clock has been set right: believe it by and by
            self.seconds += (ahead - self.seconds) * _FORGETTING
