"""Pages of history, newest first: which documents come next, and the cursor behind them.

Nothing here reads all there is. The sorted sets of the states and routes that are asked for are
merged by a script (page.lua); a room's documents are among those of a short list.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from workers import scripts
from workers.places import room_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

_CHUNK: Final = 2000
"""Places of a list that are fetched at once."""


class BadCursor(ValueError):
    """It is not the cursor of a page."""


class Page(NamedTuple):
    """Some of a list, newest first."""

    items: list[dict[str, Any]]
    next: str | None
    """The cursor of the page behind it; None: that is all. A page that has fewer than were asked
    for may have one: it has looked at as many as one request may."""


class Position(NamedTuple):
    """Behind which document a page begins."""

    score: float
    """Unix ms."""
    place: str

    def cursor(self) -> str:
        """As text that says nothing to people; `read_cursor` reads it back."""
        text = f"{self.score:.3f}\n{self.place}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """The position of a cursor.

    Raises:
        BadCursor: it is none.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        score, _, place = base64.b64decode(padded, b"-_", validate=True).decode().partition("\n")
        position = Position(float(score), place)
    except (binascii.Error, ValueError):
        position = Position(math.nan, "")
    if not (math.isfinite(position.score) and position.place):
        raise BadCursor("it is not a cursor that a list has given")
    return position


def newest(
    redis: redis.Redis,
    indexes: Sequence[str],
    count: int,
    *,
    behind: Position | None = None,
    since: float | None = None,
) -> list[Position]:
    """The newest places of several indexes together, `count` at most.

    `since` is Unix seconds.

    Raises:
        RedisError: Redis could not be reached.
    """
    if not indexes:
        return []
    begin: list[str] = ["+inf", ""] if behind is None else [f"{behind.score:.3f}", behind.place]
    least = "-inf" if since is None else f"{since * 1000:.3f}"
    found: list[bytes] = scripts.call(redis, scripts.PAGE, indexes, [*begin, count, least])
    pairs = zip(found[::2], found[1::2], strict=True)
    return [Position(float(score), place.decode()) for place, score in pairs]


def newest_of_room(
    redis: redis.Redis, listed: str, room: str, behind: str | None = None
) -> list[str]:
    """The newest places of a room in a list that it shares with others; some of them, in order.

    Rooms whose digest is the same are among them. Empty: there are no more.

    Args:
        redis: the client.
        listed: key of the list.
        room: its name.
        behind: the place behind which they begin.

    Raises:
        RedisError: Redis could not be reached.
    """
    digest = room_digest(room)
    end = redis.llen(listed)
    if behind is not None:
        at = redis.lpos(listed, behind, rank=-1)
        if at is None:  # it has been forgotten, and all before it
            return []
        end = cast("int", at)
    while end > 0:
        start = max(0, end - _CHUNK)
        read = cast("list[bytes]", redis.lrange(listed, start, end - 1))
        places = [p for each in reversed(read) if (p := each.decode()).startswith(digest)]
        if places:
            return places
        end = start
    return []
