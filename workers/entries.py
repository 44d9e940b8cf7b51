"""What stands in a room's inbox: events, requests to look at the room, orders given by hand.

An entry is three lines: its id for the scripts, the time of its arrival in ms, its JSON. The accept
script adds the time.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from workers import keys
from workers.compact import compact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.event import Event
    from workers.scripts import Arg

WAKE_MILLISECONDS: Final = 5000
QUEUED_SECONDS: Final = 60
"""How long a wake-up in RQ's queue is worth anything while no worker runs."""
LOOK: Final = "look"
"""The `event` of an entry that asks for a look."""
ORDER: Final = "order"
"""The `event` of an entry that somebody's hand has put there: see workers/orders.py."""
CLEAR: Final = "clear"
"""The `event` of an entry that has dispatches deleted, and their agents removed."""
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}\Z")


class Entry(NamedTuple):
    """One entry, read."""

    id: str
    body: bytes
    """JSON."""
    received_at: float | None = None
    """When it arrived, Unix seconds."""


class Offer(NamedTuple):
    """An entry on its way in, as the accept script takes it."""

    keys: list[str]
    args: list[Arg]


def split_entry(entry: bytes) -> Entry:
    """Read an entry."""
    event_id, _, rest = entry.partition(b"\n")
    at, _, body = rest.partition(b"\n")
    if not at.isdigit():
        return Entry(event_id.decode(), rest)
    return Entry(event_id.decode(), body, int(at) / 1000)


def event_offer(server_id: str, event: Event) -> Offer:
    """An event, for its room."""
    return _offer(server_id, event.room_name, plain_id(event.id), compact(event.to_json()))


def look_offer(
    server_id: str, room: str, unique: str = "", made: Sequence[str] = (), *, wakes: bool = False
) -> Offer:
    """A request to look at a room, after the events that are in its inbox already.

    Of two with the same `unique` text for a room the second is a duplicate. `made` are LiveKit's
    ids of dispatches that must go unless they are somebody's. It wakes nobody where a worker asks,
    whose own loop looks in a moment.
    """
    unique = f"{room}.{unique}" if unique else secrets.token_hex(16)
    look_id = plain_id(f"lkd.look.{unique}")
    asked = {"event": LOOK, "id": look_id, "room": {"name": room}}
    if made:
        asked["made"] = made
    return _offer(server_id, room, look_id, compact(asked), wakes=wakes)


def clear_offer(server_id: str, room: str, unwanted: Mapping[str, str]) -> Offer:
    """A request to have dispatches go from a room of LiveKit, and their agents, those included that
    are on their way: LiveKit's ids, and agents' names. Made twice within an hour, it is one.
    """
    clear_id = plain_id(f"lkd.clear.{room}.{'.'.join(unwanted)}")
    asked = {"event": CLEAR, "id": clear_id, "room": {"name": room}, "unwanted": dict(unwanted)}
    return _offer(server_id, room, clear_id, compact(asked), wakes=False)


def order_offer(server_id: str, room: str, order_id: str, order: Mapping[str, Any]) -> Offer:
    """An order, after the events that are in its room's inbox already."""
    asked = {"event": ORDER, "id": order_id, "room": {"name": room}, **order}
    return _offer(server_id, room, order_id, compact(asked))


def plain_id(event_id: str) -> str:
    """The id as keys and entries carry it: an odd one is replaced by its digest."""
    if _PLAIN_ID.match(event_id):
        return event_id
    return "id-" + sha256(event_id.encode("utf-8", "replace")).hexdigest()[:32]


def _offer(
    server_id: str, room_name: str, entry_id: str, body: str, *, wakes: bool = True
) -> Offer:
    room = keys.room_key(server_id, room_name)
    seen = f"{keys.SEEN}{server_id}:{entry_id}"
    return Offer(
        [seen, keys.INBOX + room, keys.ROOM + room, keys.DUE, keys.WAKE, keys.READY, keys.RQ_QUEUE],
        [
            room,
            f"{entry_id}\n{body}",
            keys.SEEN_SECONDS,
            WAKE_MILLISECONDS if wakes else 0,
            keys.RQ_JOB,
            QUEUED_SECONDS,
        ],
    )
