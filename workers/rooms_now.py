"""Rooms as they are now, from their records: who is there, and what is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from rules.event import is_human
from rules.session import agent_name, joined_at
from workers import keys
from workers.clock import rfc3339
from workers.pages import Page, Position, newest, read_cursor
from workers.record import Record
from workers.redacting import NOTHING
from workers.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import redis

    from rules.event import Fields
    from workers.dispatch import Dispatch
    from workers.redacting import Redaction

CHUNK: Final = 50
MOST_READ: Final = 500
"""Records that one page may look at: one of a large room has a megabyte."""
MOST_HUMANS: Final = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RoomsNow:
    """Reads them. Every method raises `RedisError`."""

    redis: redis.Redis
    urls: Mapping[str, str]
    """Of servers, by their ids."""
    redaction: Redaction = NOTHING
    """What of them is not shown."""

    def page(self, *, limit: int = 50, cursor: str | None = None, name: str | None = None) -> Page:
        """Rooms with `name` in their name, if given; those in which something happened last first.

        One in which something happens while pages are turned moves to the first. They are as
        `service.api.models.Room` has them.

        Raises:
            BadCursor: the cursor is not one.
        """
        behind = None if cursor is None else read_cursor(cursor)
        found: list[dict[str, Any]] = []
        looked = 0
        while True:
            count = CHUNK if name else min(CHUNK, limit - len(found) + 1)
            positions = newest(self.redis, [keys.ROOMS], count, behind=behind)
            chosen = [p for p in positions if (name or "") in keys.split_room_key(p.place)[1]]
            rooms = dict(zip((p.place for p in chosen), self._read(chosen), strict=True))
            for position in positions:
                if len(found) == limit or looked >= MOST_READ:
                    return Page(found, behind.cursor() if behind is not None else None)
                behind, room = position, rooms.get(position.place)
                looked += position.place in rooms
                if room is not None:
                    found.append(room)
            if len(positions) < count:
                return Page(found, None)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The room of this name, on each server that has it."""
        places = [Position(0.0, keys.room_key(server_id, name)) for server_id in self.urls]
        return [room for room in self._read(places) if room is not None]

    def count(self) -> int:
        """How many there are."""
        return self.redis.zcard(keys.ROOMS)

    def _read(self, positions: Sequence[Position]) -> Iterator[dict[str, Any] | None]:
        with self.redis.pipeline(transaction=False) as pipe:
            for position in positions:
                pipe.hget(keys.ROOM + position.place, "record")
            records = pipe.execute() if positions else []
        for position, text in zip(positions, records, strict=True):
            server_id, name = keys.split_room_key(position.place)
            url = self.urls.get(server_id, server_id)
            yield None if text is None else _room(name, url, text, self.redaction)


def read_record(room: str, text: bytes) -> Record | None:
    """The record of a room; None if it cannot be read, which hides nothing but itself."""
    try:
        return Record.from_json(text)
    except (LookupError, TypeError, ValueError) as error:
        log.warning("record_not_read", room=room, error=repr(error))
        return None


def _room(name: str, server: str, text: bytes, redaction: Redaction) -> dict[str, Any] | None:
    record = read_record(name, text)
    if record is None or record.session is None or record.session.ended:
        return None
    session = record.session
    people = [p for p in session.participants.values() if is_human(p)]
    ours = {d.agent_sid: d for d in record.dispatches.values() if d.live and d.agent_sid}
    return {
        "name": name,
        "sid": session.sid,
        "server": server,
        "created_at": _created(session.room or {}),
        "human_count": len(people),
        "humans": [_human(redaction.participant(person)) for person in people[:MOST_HUMANS]],
        "agents": [
            _agent(participant, ours.get(sid))
            for sid, participant in session.participants.items()
            if participant.get("kind") == "AGENT"
        ],
        "dispatches": [redaction.dispatch(shown(d)) for d in record.dispatches.values() if d.live],
    }


def _human(participant: Fields) -> dict[str, Any]:
    return {
        "identity": str(participant.get("identity", "")),
        "name": str(participant.get("name", "")),
        "kind": str(participant.get("kind", "")),
        "joined_at": rfc3339(joined_at(participant, 0.0) or None),
    }


def _agent(participant: Fields, dispatch: Dispatch | None) -> dict[str, Any]:
    return {
        "identity": str(participant.get("identity", "")),
        "agent": agent_name(participant),
        "deployment": dispatch.deployment if dispatch is not None else None,
        "dispatch": dispatch.id if dispatch is not None else None,
        "ours": dispatch is not None,
        "joined_at": rfc3339(joined_at(participant, 0.0) or None),
    }


def _created(room: Fields) -> str | None:
    exact = room.get("creation_time_ms")
    seconds = int(exact) / 1000 if exact else int(room.get("creation_time") or 0)
    return rfc3339(float(seconds) or None)
