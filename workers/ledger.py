"""Reading history: what was dispatched, in every room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from workers import keys
from workers.history import listed_dispatch, readable, shown_dispatch, shown_event
from workers.planned import follower_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

T = TypeVar("T")

_PAGE: Final = 200
_LONGEST: Final = 100
"""Dispatches that are followed in one direction."""


class Ledger:
    """History as it is kept in Redis, newest first. Every method raises `RedisError`."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def dispatches(self, *, limit: int = 50, **equal: str | None) -> list[dict[str, Any]]:
        """The newest dispatches, as `Dispatch.to_json` gives them.

        Args:
            limit: the most to return.
            equal: fields that must have these values (`room`, `agent`, `deployment`, `rule`,
                `state`); None asks nothing.
        """
        wanted = {name: value for name, value in equal.items() if value is not None}
        found: list[dict[str, Any]] = []
        for dispatch in self._newest(keys.DISPATCHES, keys.DISPATCH, listed_dispatch):
            if all(dispatch[name] == value for name, value in wanted.items()):
                found.append(dispatch)
                if len(found) == limit:
                    break
        return found

    def dispatch(self, dispatch_id: str) -> dict[str, Any] | None:
        """One dispatch by our id, as `history.shown_dispatch` gives it, and more.

        `timeline` and `latency`; `rung`, which agent of its ladder it asked for; `follows` and
        `followed_by`, the ids of those it took over from and that took over from it, or None.
        """
        found = next(self._kept([keys.DISPATCH + dispatch_id], shown_dispatch), None)
        if found is None:
            return None
        candidates = follower_ids(dispatch_id, found["attempt"], found["rung"])
        kept = self._redis.mget([keys.DISPATCH + each for each in candidates])
        followers = [i for i, text in zip(candidates, kept, strict=True) if text is not None]
        found["followed_by"] = followers[0] if followers else None
        return found

    def line_of(self, dispatch: dict[str, Any]) -> list[dict[str, Any]]:
        """All that `dispatch` gives of the dispatches of one claim that took over from another.

        Oldest first, the given one among them; the claim may have been free in between.
        """
        before: list[dict[str, Any]] = []
        after: list[dict[str, Any]] = []
        earlier, later = dispatch.get("follows"), dispatch.get("followed_by")
        while earlier and len(before) < _LONGEST and (found := self.dispatch(earlier)):
            before.append(found)
            earlier = found.get("follows")
        while later and len(after) < _LONGEST and (found := self.dispatch(later)):
            after.append(found)
            later = found.get("followed_by")
        return [*before[::-1], dispatch, *after]

    def ids(self, beginning: str, *, most: int = 10) -> list[str]:
        """Ids of dispatches that begin so, `most` at most; in no order."""
        if not beginning.isalnum():
            return []
        found: list[str] = []
        for member, _ in self._redis.zscan_iter(keys.DISPATCHES, match=f"{beginning}*", count=1000):
            if member.decode() not in found:
                found.append(member.decode())
            if len(found) == most:
                break
        return found

    def events(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest events that some rule was about, with their decisions."""
        found = self._newest(keys.EVENTS, keys.EVENT, shown_event)
        return [event for event, _ in zip(found, range(limit), strict=False)]

    def events_since(self, at: float) -> list[dict[str, Any]]:
        """The events decided since a time in Unix seconds, oldest first."""
        ids = cast("list[bytes]", self._redis.zrange(keys.EVENTS, at * 1000, "+inf", byscore=True))
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _PAGE):
            page = [keys.EVENT + i.decode() for i in ids[start : start + _PAGE]]
            found += self._kept(page, shown_event)
        return found

    def _newest(self, index: str, prefix: str, read: Callable[[bytes | str], T]) -> Iterator[T]:
        start = 0
        while True:
            found = self._redis.zrange(index, start, start + _PAGE - 1, desc=True)
            ids = cast("list[bytes]", found)
            if not ids:
                return
            yield from self._kept([prefix + i.decode() for i in ids], read)
            start += _PAGE

    def _kept(self, names: Sequence[str], read: Callable[[bytes | str], T]) -> Iterator[T]:
        """Those that are there still and can be read."""
        for name, text in zip(names, self._redis.mget(names), strict=True):
            found = None if text is None else readable(name, text, read)
            if found is not None:
                yield found
