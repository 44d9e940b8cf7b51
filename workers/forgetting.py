"""Forgetting somebody: what history keeps of a participant's identity is found and taken away.

All keys are gone through, some at a time, so it takes little memory and holds Redis up for no
longer than a page of the dashboard does. What has gone is gone: killed midway and begun again, it
goes on with the rest. Calls that are live stay as they are, for a worker would write them again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from rules.event import Event, read_event
from workers import keys, scripts
from workers.compact import compact
from workers.history import read_dispatch
from workers.mentions import Mention
from workers.places import Route, place, shared
from workers.receivers import dispatch_of_notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import redis

    from workers.dispatch import Dispatch

AT_ONCE: Final = 256
"""Keys that are looked at in one go."""
ROOMS_NAMED: Final = 20
FORGOTTEN: Final = "the identity of somebody who was forgotten"
"""What is told to be missing of an event that has held it."""
_TEXTS: Final = (keys.EVENT, keys.DISPATCH, keys.DEAD, keys.ORDER)
_OF_A_DISPATCH: Final = ("metadata", "attributes", "fallback", "origin", "notice")


@dataclass(slots=True)
class Found:
    """What there is of somebody, or was."""

    events: int = 0
    """Of that participant, or of a room of that name."""
    mentions: int = 0
    """Events of others that hold the identity."""
    dispatches: int = 0
    dead_letters: int = 0
    notices: int = 0
    """What others are still to be told of such dispatches, or with the identity in it."""
    live: int = 0
    """Rooms, events and dispatches that are not over, and are left alone."""
    unread: int = 0
    """Documents of another version, which may hold it."""
    rooms: list[str] = field(default_factory=list)
    """The live rooms, the first twenty."""

    @property
    def total(self) -> int:
        """What can be forgotten now."""
        return self.events + self.mentions + self.dispatches + self.dead_letters + self.notices

    def to_json(self) -> dict[str, Any]:
        """As commands print it."""
        return asdict(self)


class Forgetting:
    """Finds what history has of an identity, in all rooms or in one. Methods raise `RedisError`."""

    def __init__(self, redis: redis.Redis, identity: str, room: str | None = None) -> None:
        self._redis = redis
        self._mention = Mention(identity)
        self._room = room
        self._told_of: frozenset[str] = frozenset()
        """Ids of the dispatches that others are still to be told of."""
        self._gone: set[str] = set()
        """Those of them that were found."""

    def size(self) -> int:
        """About how many keys there are to look at."""
        return int(self._redis.dbsize())

    def go_through(self, found: Found, *, forgets: bool) -> Iterator[int]:
        """Look at everything, and count what is found.

        Args:
            found: is added to.
            forgets: whether what is found is taken away; else it is only counted.

        Yields:
            How many keys were looked at, some at a time.
        """
        self._told_of = frozenset(map(dispatch_of_notice, self._untold()))
        cursor = 0
        while True:
            answer = self._redis.scan(cursor, match="lkd:*", count=AT_ONCE)
            cursor, names = cast("tuple[int, list[bytes]]", answer)
            told = list(dict.fromkeys(name.decode("utf-8", "replace") for name in names))
            self._texts([n for n in told if n.startswith(_TEXTS)], found, forgets=forgets)
            for name in told:
                if name.startswith((keys.ROOM, keys.INBOX)):
                    self._of_live_room(name, found)
            yield len(names)
            if cursor == 0:
                self._notices(found, forgets=forgets)
                return

    def _untold(self) -> list[str]:
        found = cast("list[bytes]", self._redis.zrange(keys.NOTICES, 0, -1))
        return [each.decode() for each in found]

    def _notices(self, found: Found, *, forgets: bool) -> None:
        """What was put down to be told; at most `keys.MOST_NOTICES` of them."""
        for notice_id in self._untold():
            name = keys.NOTICE + notice_id
            body = cast("bytes | None", self._redis.hget(name, "body"))
            if body is None or not self._is_in_notice(notice_id, json.loads(body)["data"]):
                continue
            found.notices += 1
            if forgets:  # who was to be told drops from its list what has no body
                with self._redis.pipeline(transaction=True) as pipe:
                    pipe.delete(name)
                    pipe.zrem(keys.NOTICES, notice_id)
                    pipe.zrem(keys.NEW_NOTICES, notice_id)
                    pipe.execute()

    def _is_in_notice(self, notice_id: str, data: Mapping[str, Any]) -> bool:
        if not self._is_meant(data["room"]):
            return False
        return dispatch_of_notice(notice_id) in self._gone or self._mention.is_in(data)

    def _texts(self, names: Sequence[str], found: Found, *, forgets: bool) -> None:
        texts = cast("list[bytes | None]", self._redis.mget(names) if names else [])
        for name, text in zip(names, texts, strict=True):
            if text is None or not self._mention.may_be_in(text):
                continue
            try:
                self._text(name, text, found, forgets=forgets)
            except (LookupError, TypeError, ValueError, RecursionError):
                found.unread += 1

    def _text(self, name: str, text: bytes, found: Found, *, forgets: bool) -> None:
        if name.startswith(keys.EVENT):
            self._event(name, text, found, forgets=forgets)
        elif name.startswith(keys.DISPATCH):
            self._dispatch(name, text, found, forgets=forgets)
        elif name.startswith(keys.DEAD):
            self._letter(name, text, found, forgets=forgets)
        elif self._mention.is_in(json.loads(text).get("record", {})):  # no worker has taken it yet
            found.live += 1

    def _event(self, name: str, text: bytes, found: Found, *, forgets: bool) -> None:
        kept = json.loads(text)
        event = read_event(kept["body"])
        if not self._is_meant(event.room_name):
            return
        if self._is_of(event):
            where = place(event.room_name, name.removeprefix(keys.EVENT))
            args = [name, where, keys.EVENTS, keys.EVENTS_OF + shared(where)]
            found.events += self._forgotten(args) if forgets else 1
            return
        new = self._without(kept)
        if new != kept:
            found.mentions += (
                self._run(scripts.REWRITE, [name, text, compact(new)]) if forgets else 1
            )

    def _is_of(self, event: Event) -> bool:
        """Whether an event is that of the participant, or of a room that bears the identity."""
        egress, ingress = event.egress_info or {}, event.ingress_info or {}
        of_egress = egress.get("participant")
        return self._mention.text in (
            (event.participant or {}).get("identity"),
            ingress.get("participant_identity"),
            of_egress.get("identity") if isinstance(of_egress, dict) else None,
            event.room_name,
        )

    def _without(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """An event of somebody else without the identity."""
        body = {
            name: self._mention.without(part) if isinstance(part, dict) else part
            for name, part in kept["body"].items()
        }
        decisions = [
            [*others, self._mention.out_of_words(detail)] for *others, detail in kept["decisions"]
        ]
        new = {**kept, "body": body, "decisions": decisions}
        if body != kept["body"]:
            new["redacted"] = list(dict.fromkeys((*kept.get("redacted", ()), FORGOTTEN)))
        return new

    def _dispatch(self, name: str, text: bytes, found: Found, *, forgets: bool) -> None:
        dispatch = read_dispatch(text)
        if not self._is_meant(dispatch.room) or not self._is_for(dispatch):
            return
        if not dispatch.settled:
            self._live(dispatch.room, found)
            return
        if dispatch.id in self._told_of:
            self._gone.add(dispatch.id)
        where = place(dispatch.room, dispatch.id)
        route = Route(dispatch.rule, dispatch.agent, dispatch.deployment).key
        by_room = keys.DISPATCHES_OF + shared(where)
        indexes = [f"{keys.DISPATCHES}{dispatch.state}:{each}" for each in (route, "")]
        args = [word for index in indexes for word in (name, where, index, by_room)]
        found.dispatches += self._forgotten(args) if forgets else 1

    def _is_for(self, dispatch: Dispatch) -> bool:
        named = (
            dispatch.subject, dispatch.participant, dispatch.agent_identity, dispatch.job_identity,
            dispatch.replaced_identity, dispatch.room,
        )  # fmt: skip
        held = [getattr(dispatch, name) for name in _OF_A_DISPATCH]
        return self._mention.text in named or self._mention.is_in(_plain(held))

    def _letter(self, name: str, text: bytes, found: Found, *, forgets: bool) -> None:
        letter = json.loads(text)
        if not self._is_meant(letter["room"]):
            return
        body = letter["body"]
        held = body if isinstance(body, str) else ""  # no event: nobody knows what stands where
        if self._mention.is_in([body, letter["room"]]) or self._mention.text in held:
            where = place(letter["room"], name.removeprefix(keys.DEAD))
            args = [name, where, keys.DEAD_LETTERS, ""]
            found.dead_letters += self._forgotten(args) if forgets else 1

    def _of_live_room(self, name: str, found: Found) -> None:
        """A room's record, or what waits in its inbox."""
        is_record = name.startswith(keys.ROOM)
        room = keys.split_room_key(name.removeprefix(keys.ROOM if is_record else keys.INBOX))[1]
        if not self._is_meant(room):
            return
        if is_record:
            record = self._redis.hget(name, "record")
            texts = [] if record is None else [cast("bytes", record)]
        else:
            texts = cast("list[bytes]", self._redis.lrange(name, 0, -1))
        if any(self._may_hold(text) for text in texts):
            self._live(room, found)

    def _may_hold(self, text: bytes) -> bool:
        """Whether a record or an entry holds it; one that cannot be read may."""
        if not self._mention.may_be_in(text):
            return False
        start = text.find(b"{")
        try:
            return start >= 0 and self._mention.is_in(json.loads(text[start:]))
        except (ValueError, RecursionError):
            return True

    def _live(self, room: str, found: Found) -> None:
        found.live += 1
        if room not in found.rooms and len(found.rooms) < ROOMS_NAMED:
            found.rooms.append(room)

    def _is_meant(self, room: str) -> bool:
        return self._room is None or room == self._room

    def _forgotten(self, args: Sequence[str]) -> int:
        return self._run(scripts.FORGET, args)

    def _run(self, script: scripts.Script, args: Sequence[str | bytes]) -> int:
        return int(scripts.call(self._redis, script, [keys.HISTORY], list(args)))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(compact(value))
