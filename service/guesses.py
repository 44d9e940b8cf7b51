"""Who tries admin tokens at the API, and is not looked at for the rest of the minute.

Whoever has shown the right token lately is let in whatever others send from the same address: a
stranger who guesses behind the same proxy must not keep programs out that callers wait for. That is
remembered by each process for itself, so that the right token costs no trip to Redis.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from service.attempts import Attempts, Kept
from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from service.attempts import Sender

KNOWN_SECONDS: Final = 3600.0
"""How long somebody is known who has shown the right token, from the last time."""


class Guesses:
    """Tells whether a token is to be looked at. For any number of threads.

    Args:
        redis: where wrong ones are counted.
        clock: monotonic, seconds.
    """

    def __init__(self, redis: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = Attempts(redis, keys.GUESSES, clock)
        self._known = Kept(clock)

    def waiting(self, sender: Sender, *, is_right: bool) -> int:
        """How many seconds to wait before a token from there is looked at, 0: this one is.

        Args:
            sender: who shows it.
            is_right: whether it is the admin token; a wrong one counts.
        """
        if not is_right:
            return self._attempts.count(sender)
        one = sender.names[:1]
        waiting = 0 if self._known.longest(one) else self._attempts.waiting(sender)
        if not waiting:
            self._known.keep(one[0], KNOWN_SECONDS)
        return waiting
