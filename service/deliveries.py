"""What has become of the webhooks posted to this process: for whoever asks why no agent comes, and
for metrics.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from workers.metrics import QUICK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.problems import Kind

ANSWERS: Final = ("accepted", "duplicate", "ignored")
"""What a webhook is answered with 200."""
_OK: Final = 200

# Else each counter has a second series, of when it began.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types


class Deliveries:
    """Counts since this process began. For any number of threads."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make it; its metrics are told by `registry`."""
        self._lock = threading.Lock()
        self._accepted = 0
        self._refused = 0
        self._refused_since = 0
        """Since the last one that was accepted."""
        self._because = ""
        self._last_accepted: float | None = None
        registry = registry or CollectorRegistry()
        self._webhooks = Counter(
            "dispatcher_webhooks_total",
            "Webhooks posted to this process, by what they were answered.",
            ("source", "code", "answer"),
            registry=registry,
        )
        self._seconds = Histogram(
            "dispatcher_webhook_seconds",
            "From a webhook being there whole to its answer.",
            ("source",),
            buckets=QUICK_SECONDS,
            registry=registry,
        )
        self._counters: dict[tuple[str, int, str], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def expect(self, source: str, refusals: Iterable[Kind]) -> None:
        """Begin all that webhooks of a source may be answered at 0: else its first is not seen."""
        for answer in ANSWERS:
            self._counter(source, _OK, answer)
        for kind in refusals:
            self._counter(source, kind.status, kind.slug)
        self._histograms[source] = self._seconds.labels(source)

    def answered(self, source: str, code: int, answer: str, seconds: float) -> None:
        """One was answered.

        Args:
            source: `livekit` or `videosdk`.
            code: the status.
            answer: one of `ANSWERS`, or a problem's slug.
            seconds: how long it took.
        """
        self._counter(source, code, answer).inc()
        self._histograms[source].observe(seconds)

    def accepted(self) -> None:
        """One was answered 200."""
        with self._lock:
            self._accepted += 1
            self._refused_since = 0
            self._last_accepted = time.time()

    def refused(self, because: str) -> None:
        """One was refused for good: LiveKit sends it no more, and logs nothing."""
        with self._lock:
            self._refused += 1
            self._refused_since += 1
            self._because = because

    def told(self) -> dict[str, Any]:
        """As `/readyz` shows it; a warning while the last one was refused."""
        with self._lock:
            told: dict[str, Any] = {
                "status": "warning" if self._refused_since else "ok",
                "accepted": self._accepted,
                "refused": self._refused,
                "last_accepted_seconds_ago": (
                    None if self._last_accepted is None
                    else round(time.time() - self._last_accepted)
                ),
            }  # fmt: skip
            if self._refused_since:
                told["detail"] = (
                    f"the last {self._refused_since} were refused: {self._because}; see the log"
                )
            return told

    def _counter(self, source: str, code: int, answer: str) -> Counter:
        key = (source, code, answer)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._webhooks.labels(source, str(code), answer)
        return counter
