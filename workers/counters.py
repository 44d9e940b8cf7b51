"""What a worker has counted, in memory, and on its way to Redis once a second.

A worker that is killed takes with it what it counted in its last second. Nothing is counted twice:
what was sent and not answered is sent again under the same number.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from workers import keys, metrics, scripts
from workers.metrics import subject_of, without_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workers.metrics import Count, Metric
    from workers.scripts import Arg, ScriptRunner

FLUSH_SECONDS: Final = 1.0
LAST_FLUSH_SECONDS: Final = 2.0
"""How long the last one may take: whoever stops waits for it."""
STALE_SECONDS: Final = 86400
"""A rule or agent that was not heard of for this long makes way for a new one."""

log = structlog.get_logger(__name__)


class Counters:
    """The sums of one loop since they were last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    def add(self, counts: Iterable[Count]) -> None:
        """Add what has happened."""
        sums = self._sums
        for field, more in counts:
            sums[field] = sums.get(field, 0) + more

    def count(self, metric: Metric, *labels: str) -> None:
        """Count one."""
        self.add(((metric.field(*labels), 1),))

    def called(self, provider: str, method: str, code: str, seconds: float) -> None:
        """Count a call to a provider."""
        self.count(metrics.CALLS, provider, method, code)
        self.add(metrics.CALL_SECONDS.observed(seconds, provider, method))

    def take(self) -> Mapping[str, float]:
        """The sums; they begin anew."""
        self.bound()
        taken, self._sums = self._sums, {}
        return taken

    def bound(self) -> None:
        """Tell no more rules and agents apart than Redis will."""
        kinds: dict[str, int] = {}
        subjects = dict.fromkeys(map(subject_of, self._sums))
        over = set[str]()
        for subject in filter(None, subjects):
            kind = subject.partition("\x1f")[0]
            kinds[kind] = kinds.get(kind, 0) + 1
            if kinds[kind] > metrics.MOST_SUBJECTS:
                over.add(subject)
        for field in [f for f in self._sums if over and subject_of(f) in over]:
            self.add([(without_subject(field), self._sums.pop(field))])


class Flushing:
    """Brings a worker's sums to Redis, each once."""

    def __init__(
        self,
        counters: Counters,
        runner: ScriptRunner,
        claimant: str,
        has_errors: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make it, on the loop it runs on.

        Args:
            counters: of that loop.
            runner: of that loop.
            claimant: a name no other loop has, now or later.
            has_errors: whether a rule file of this worker does not load.
        """
        self._counters = counters
        self._runner = runner
        self._claimant = claimant
        self._has_errors = has_errors
        self._told_errors = False
        self._number = 0
        self._batch: Mapping[str, float] | None = None
        """What was sent under that number and is not known to have arrived."""

    async def run(self) -> None:
        """Flush every second, for as long as this runs."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except RedisError:  # the loop tells that Redis is lost
                self._counters.bound()

    async def flush(self) -> None:
        """Bring what there is.

        Raises:
            RedisError: Redis could not be reached; it is brought the next time.
        """
        if self._batch is not None:
            await self._send(self._batch)
        sums, has_errors = self._counters.take(), self._has_errors()
        if sums or has_errors or self._told_errors:
            self._number += 1
            await self._send(sums)
            self._told_errors = has_errors

    async def close(self) -> None:
        """Bring the last of it, if Redis can be reached."""
        try:
            async with asyncio.timeout(LAST_FLUSH_SECONDS):
                await self.flush()
        except (RedisError, TimeoutError) as error:
            log.warning("metrics_not_kept", error=str(error) or type(error).__name__)

    async def _send(self, sums: Mapping[str, float]) -> None:
        self._batch = sums
        args: list[Arg] = [
            self._number,
            keys.FLUSHED_SECONDS,
            keys.SUBJECTS,
            metrics.MOST_SUBJECTS,
            STALE_SECONDS * 1000,
            keys.DAY_SECONDS,
            self._claimant,
            "1" if self._has_errors() else "",
        ]
        for field, more in sums.items():
            args += [field, repr(more)]
        flushed = keys.FLUSHED + self._claimant
        kinds = [keys.SUBJECTS + kind for kind in metrics.SUBJECTS]
        await self._runner.call(
            scripts.COUNT, [keys.METRICS, flushed, keys.RULE_ERRORS, *kinds], args
        )
        self._batch = None
