"""Dead letters: events that could not be decided, kept to be looked at and replayed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from rules.event import read_event
from workers import keys, scripts
from workers.entries import ORDER, order_offer
from workers.intake import Intake
from workers.places import document_id, place

if TYPE_CHECKING:
    import redis

    from workers.redacting import Redaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was put aside. `at` is RFC 3339, `body` the event's JSON."""

    id: str
    server: str
    room: str
    at: str
    error: str
    body: Any

    def redacted(self, redaction: Redaction) -> DeadLetter:
        """The letter as it is shown. It is kept whole, until it is offered again or forgotten."""
        body, error = redaction.letter(self.body, self.error)
        return replace(self, body=body, error=error)


class DeadLetters:
    """The list of dead letters, newest first. Every method raises `RedisError`."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def list(self, limit: int = 1000) -> list[DeadLetter]:
        """The newest dead letters."""
        found = self._redis.zrange(keys.DEAD_LETTERS, 0, limit - 1, desc=True)
        members = cast("list[bytes]", found)
        if not members:
            return []
        texts = self._redis.mget([keys.DEAD + document_id(m.decode()) for m in members])
        return [DeadLetter(**json.loads(t)) for t in texts if t is not None]

    def replay(self, event_id: str) -> bool:
        """Offer an event to its room again, as if it had just come; False if there is none.

        It leaves the list only after it is accepted, so a crash between the two offers it twice
        and it is stored once.

        Raises:
            ValueError: what was put aside is not an event.
        """
        for letter in self.list():
            if letter.id == event_id:
                self._replay(letter)
                return True
        return False

    def _replay(self, letter: DeadLetter) -> None:
        if not isinstance(letter.body, dict):
            msg = f"{letter.id} is not an event and cannot be replayed: {letter.error}"
            raise ValueError(msg)  # noqa: TRY004 - bad input, not a programming error
        self._redis.delete(f"{keys.SEEN}{letter.server}:{letter.id}")
        if letter.body.get("event") == ORDER:
            offer = order_offer(letter.server, letter.room, letter.id, letter.body)
            Intake(self._redis).offer(offer)
        else:
            Intake(self._redis).accept(letter.server, read_event(letter.body))
        document = f"{letter.server}:{letter.id}"
        args = [keys.DEAD + document, place(letter.room, document), keys.DEAD_LETTERS, ""]
        scripts.call(self._redis, scripts.FORGET, [keys.HISTORY], args)
