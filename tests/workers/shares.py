"""What counts to limits, read in one moment: by the limits' sets, and by the rooms' records."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

LIVE = {"scheduled", "requested", "pending", "active"}

_SNAPSHOT = """
local found = {sets = {}, records = {}}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  found.sets[#found.sets + 1] = {key, redis.call('ZRANGE', key, 0, -1)}
end
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  local record = redis.call('HGET', key, 'record')
  if record then found.records[#found.records + 1] = record end
end
return cjson.encode(found)
"""


def shares(redis: Redis) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Ids of dispatches by share: the members of its set, and those live in any room's record."""
    found: dict[str, Any] = json.loads(redis.eval(_SNAPSHOT, 0, keys.LIMIT, keys.ROOM))
    members = {key.removeprefix(keys.LIMIT): set(ids) for key, ids in found["sets"]}
    live: dict[str, set[str]] = {}
    for record in found["records"]:
        for dispatch in json.loads(record)["dispatches"]:
            if dispatch.get("share") and dispatch["state"] in LIVE:
                live.setdefault(str(dispatch["share"]), set()).add(dispatch["id"])
    return members, live


@dataclass
class Watch:
    """What was seen, moment after moment."""

    looks: int = 0
    most: dict[str, int] = field(default_factory=dict)
    """Live dispatches at any moment, by share."""
    differing: list[str] = field(default_factory=list)
    """Moments at which sets and records did not tell the same."""

    def look(self, redis: Redis) -> None:
        """Look once."""
        members, live = shares(redis)
        self.looks += 1
        for share, ids in live.items():
            self.most[share] = max(self.most.get(share, 0), len(ids))
        if members != live:
            self.differing.append(f"sets {members}, records {live}")


@contextmanager
def watched(redis: Redis) -> Iterator[Watch]:
    """Look as often as possible for as long as the block lasts, and once after it."""
    watch, over = Watch(), threading.Event()

    def look() -> None:
        while not over.is_set():
            watch.look(redis)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        watch.look(redis)
