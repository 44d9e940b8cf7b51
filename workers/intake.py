"""The way in: a verified event into its room's inbox, once, and somebody woken for it."""

from __future__ import annotations

import json
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

import structlog
from redis.exceptions import RedisError

from workers import keys, scripts
from workers.wake import wake

if TYPE_CHECKING:
    import redis

    from rules.event import Event

WAKE_MILLISECONDS: Final = 5000
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}\Z")

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
        event_id = plain_id(event.id)
        return self._append(server_id, event.room_name, event_id, entry(event, event_id))

    def look(self, server_id: str, room: str) -> None:
        """Have a room listed soon, after the events that are in its inbox already.

        Raises:
            RedisError: it may or may not have been stored.
        """
        look_id = f"lkd.look.{secrets.token_hex(16)}"
        asked = {"event": "look", "id": look_id, "room": {"name": room}}
        text = json.dumps(asked, separators=(",", ":"))
        self._append(server_id, room, look_id, f"{look_id}\n{text}")

    def _append(
        self, server_id: str, room_name: str, entry_id: str, text: str
    ) -> Literal["accepted", "duplicate"]:
        room = keys.room_key(server_id, room_name)
        answer: bytes = scripts.call(
            self._redis,
            scripts.ACCEPT,
            [
                f"{keys.SEEN}{server_id}:{entry_id}",
                keys.INBOX + room,
                keys.ROOM + room,
                keys.DUE,
                keys.WAKE,
            ],
            [room, text, keys.SEEN_SECONDS, WAKE_MILLISECONDS],
        )
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


def plain_id(event_id: str) -> str:
    """The id as keys and inbox entries carry it: an odd one is replaced by its digest."""
    if _PLAIN_ID.match(event_id):
        return event_id
    return "id-" + sha256(event_id.encode("utf-8", "replace")).hexdigest()[:32]


def entry(event: Event, event_id: str) -> str:
    """An inbox entry: the id on a line of its own for the scripts, then the event."""
    return f"{event_id}\n{json.dumps(event.to_json(), separators=(',', ':'))}"
