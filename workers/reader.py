"""Reading pages of one kind of document, those that are wanted among those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers.clock import rfc3339
from workers.history import readable
from workers.pages import Page, Position, newest, newest_of_room, read_cursor
from workers.places import document_id, room_digest, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

    Document = dict[str, Any]

CHUNK: Final = 200
"""Documents that are fetched at once."""
MOST_READ: Final = 2000
"""Documents that one page may look at."""


class Reader:
    """Reads documents whose keys have one prefix. Its methods raise `RedisError`."""

    def __init__(
        self,
        redis: redis.Redis,
        prefix: str,
        read: Callable[[bytes | str], Document],
        is_wanted: Callable[[Document], bool] = lambda _: True,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._read = read
        self._is_wanted = is_wanted

    def of_indexes(
        self, indexes: Sequence[str], limit: int, cursor: str | None, since: float | None
    ) -> Page:
        """A page of what sorted sets list.

        Raises:
            BadCursor: the cursor is not one.
        """
        behind = None if cursor is None else read_cursor(cursor)
        found: list[Document] = []
        looked = 0
        while True:
            # One more than is needed tells whether there is a next page.
            count = min(CHUNK, limit - len(found) + 1)
            places = newest(self._redis, indexes, count, behind=behind, since=since)
            documents = self.documents([each.place for each in places])
            for position, document in zip(places, documents, strict=True):
                if len(found) == limit or looked == MOST_READ:
                    return Page(found, behind.cursor() if behind is not None else None)
                behind, looked = position, looked + 1
                if document is not None and self._is_wanted(document):
                    found.append(document)
            if len(places) < count:
                return Page(found, None)

    def of_room(
        self,
        lists: str,
        room: str,
        time: str,
        limit: int,
        cursor: str | None,
        since: float | None,
    ) -> Page:
        """A page of what one room has.

        Args:
            lists: prefix of the lists by room.
            room: its name.
            time: the field of a document by which they are in order.
            limit: the most to return.
            cursor: the `next` of the page before.
            since: Unix seconds.

        Raises:
            BadCursor: the cursor is not one.
        """
        listed, oldest = lists + shared(room_digest(room)), rfc3339(since) or ""
        behind = None if cursor is None else read_cursor(cursor).place
        found: list[Document] = []
        looked = 0
        while places := newest_of_room(self._redis, listed, room, behind):
            for start in range(0, len(places), CHUNK):
                some = places[start : start + CHUNK]
                for place, document in zip(some, self.documents(some), strict=True):
                    if len(found) == limit or looked == MOST_READ:
                        return Page(found, Position(0.0, behind or "").cursor())
                    behind, looked = place, looked + 1
                    if document is None or not self._is_wanted(document):
                        continue
                    if str(document[time]) < oldest:
                        return Page(found, None)
                    found.append(document)
        return Page(found, None)

    def documents(self, places: Sequence[str]) -> Iterator[Document | None]:
        """The documents of these places; None for one that is gone or cannot be read."""
        for start in range(0, len(places), CHUNK):
            names = [self._prefix + document_id(each) for each in places[start : start + CHUNK]]
            for name, text in zip(names, self._redis.mget(names), strict=True):
                yield None if text is None else readable(name, text, self._read)
