"""Reading history: what was dispatched, in every room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

_PAGE: Final = 200


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
        for dispatch in self._newest(keys.DISPATCHES, keys.DISPATCH):
            dispatch.pop("timeline", None)
            dispatch.pop("latency", None)
            if all(dispatch.get(name) == value for name, value in wanted.items()):
                found.append(dispatch)
                if len(found) == limit:
                    break
        return found

    def dispatch(self, dispatch_id: str) -> dict[str, Any] | None:
        """One dispatch by our id, with its `timeline` and `latency` (workers/history.py)."""
        text = self._redis.get(keys.DISPATCH + dispatch_id)
        return json.loads(text) if text else None

    def events(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest events that some rule was about, with their decisions."""
        found = self._newest(keys.EVENTS, keys.EVENT)
        return [event for event, _ in zip(found, range(limit), strict=False)]

    def events_since(self, at: float) -> list[dict[str, Any]]:
        """The events decided since a time in Unix seconds, oldest first."""
        ids = cast("list[bytes]", self._redis.zrange(keys.EVENTS, at * 1000, "+inf", byscore=True))
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _PAGE):
            page = [keys.EVENT + i.decode() for i in ids[start : start + _PAGE]]
            found += [json.loads(text) for text in self._redis.mget(page) if text is not None]
        return found

    def _newest(self, index: str, prefix: str) -> Iterator[dict[str, Any]]:
        start = 0
        while True:
            found = self._redis.zrange(index, start, start + _PAGE - 1, desc=True)
            ids = cast("list[bytes]", found)
            if not ids:
                return
            for text in self._redis.mget([prefix + i.decode() for i in ids]):
                if text is not None:
                    yield json.loads(text)
            start += _PAGE
