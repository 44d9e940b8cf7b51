"""What has become of the webhooks posted to this process, for whoever asks why no agent comes."""

from __future__ import annotations

import threading
import time
from typing import Any


class Deliveries:
    """Counts since this process began. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted = 0
        self._refused = 0
        self._refused_since = 0
        """Since the last one that was accepted."""
        self._because = ""
        self._last_accepted: float | None = None

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
