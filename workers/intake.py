"""The way in: a verified event into its room's inbox, once, and somebody woken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import structlog
from redis.exceptions import RedisError

from workers import scripts
from workers.entries import event_offer, look_offer
from workers.wake import wake

if TYPE_CHECKING:
    import redis

    from rules.event import Event
    from workers.entries import Offer

log = structlog.get_logger(__name__)


class Intake:
    """Accepts events for the workers. One for each thread or one for all: it keeps no state."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def accept(self, server_id: str, event: Event) -> Literal["accepted", "duplicate"]:
        """Store an event; when this returns it is in Redis, under that server's persistence.

        Raises:
            RedisError: it may or may not have been stored; offered again, it is stored once.
        """
        return self._offer(event_offer(server_id, event))

    def look(self, server_id: str, room: str) -> None:
        """Have a room listed soon, after the events that are in its inbox already.

        Raises:
            RedisError: it may or may not have been stored.
        """
        self._offer(look_offer(server_id, room))

    def _offer(self, offer: Offer) -> Literal["accepted", "duplicate"]:
        answer: bytes = scripts.call(self._redis, scripts.ACCEPT, offer.keys, offer.args)
        if answer == b"duplicate":
            return "duplicate"
        if answer == b"wake":
            self._wake()
        return "accepted"

    def _wake(self) -> None:
        try:
            wake(self._redis)
        except RedisError as error:  # it is stored: the next look finds it
            log.warning("wake_failed", error=str(error))
