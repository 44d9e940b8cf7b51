"""How many lines a web process writes of one kind: a few a second, and how many were left out.

Anybody can have requests refused, as many as the network carries. Each is a line that somebody may
need, and all of them together would fill a disk.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from structlog.typing import EventDict, WrappedLogger

MOST_A_SECOND: Final = 10
MOST_KINDS: Final = 1000
"""Far more than there are: `event` and `type` are words of ours."""
LEFT_OUT: Final = "lines_left_out"
_BOUND: Final = frozenset({"warning", "error", "critical"})

Kind = tuple[str, str]


@dataclass(slots=True)
class _Second:
    began: float
    lines: int = 0


class LogBounds:
    """A processor of structlog, and a filter for `logging`. For any number of threads.

    Args:
        monotonic: a clock that is never set, seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seconds: dict[Kind, _Second] = {}

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """Let an event pass.

        Raises:
            DropEvent: it is one too many.
        """
        if event.get("level") in _BOUND and event["event"] != LEFT_OUT:
            self._pass_or_drop((str(event["event"])[:100], str(event.get("type", ""))[:100]))
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a library's line passes; its kind is the place that logs it."""
        return self._passes((record.name, f"{record.filename}:{record.lineno}"))

    def _pass_or_drop(self, kind: Kind) -> None:
        if not self._passes(kind):
            raise structlog.DropEvent

    def _passes(self, kind: Kind) -> bool:
        now = self._monotonic()
        with self._lock:
            second = self._seconds.get(kind)
            if second is None or now - second.began >= 1:
                if second is None and len(self._seconds) >= MOST_KINDS:
                    self._seconds.clear()
                second = self._seconds[kind] = _Second(now)
            second.lines += 1
            too_many = second.lines - MOST_A_SECOND
        if too_many == 1:
            later = threading.Timer(1.0, self._tell, (kind, second))
            later.daemon = True
            later.start()
        return too_many <= 0

    def _tell(self, kind: Kind, second: _Second) -> None:
        """When a second is over: how many lines it had too many."""
        with self._lock:
            count = second.lines - MOST_A_SECOND
        told: dict[str, Any] = {"of": kind[0], "count": count}
        if kind[1]:
            told["type"] = kind[1]
        structlog.get_logger(__name__).warning(LEFT_OUT, **told)
