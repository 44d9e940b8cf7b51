"""Reading history: what was dispatched and decided, in every room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from workers import keys
from workers.entries import plain_id
from workers.history import listed_dispatch, shown_dispatch, shown_event
from workers.notice_queue import untold_of
from workers.pages import BadCursor, Page
from workers.places import Route, document_id, place, read_route
from workers.planned import follower_ids
from workers.reader import Reader
from workers.states import LIVE, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import redis

__all__ = ["BadCursor", "Hits", "Ledger", "Minute", "Page"]

_CHUNK: Final = 200
_LONGEST: Final = 100
"""Dispatches that are followed in one direction."""
_MINUTE: Final = 60
_IN_A_MINUTE: Final = ("events", "dispatches", "failed")


@dataclass(frozen=True, slots=True)
class Minute:
    """What came in a minute. `at` is its beginning, Unix seconds."""

    at: int
    events: int
    dispatches: int
    failed: int


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a rule has matched, and when it last did, Unix seconds."""

    count: int
    last_at: float


class Ledger:
    """History as it is kept in Redis, newest first. Every method raises `RedisError`."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def dispatches(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: float | None = None,
        room: str | None = None,
        agent: str | None = None,
        deployment: str | None = None,
        rule: str | None = None,
        state: str | None = None,
    ) -> Page:
        """The newest dispatches, as `Dispatch.to_json` gives them.

        Args:
            limit: the most to return.
            cursor: the `next` of the page before.
            since: only those created since, Unix seconds.
            room: only those in this room, and so on; None asks nothing.
            agent: its name.
            deployment: `""` is production.
            rule: its id; `""`: by hand.
            state: a `State`.

        Raises:
            BadCursor: the cursor is not one.
        """
        asked = {"room": room, "agent": agent, "deployment": deployment, "rule": rule}
        wanted = {name: v for name, v in {**asked, "state": state}.items() if v is not None}

        def is_wanted(dispatch: dict[str, Any]) -> bool:
            return all((dispatch[name] or "") == value for name, value in wanted.items())

        reader = Reader(self._redis, keys.DISPATCH, listed_dispatch, is_wanted)
        if room is not None:
            return reader.of_room(keys.DISPATCHES_OF, room, "created_at", limit, cursor, since)
        states = State if state is None else (state,)
        routes = self._routes(rule, agent, deployment)
        indexes = [f"{keys.DISPATCHES}{each}:{route}" for route in routes for each in states]
        return reader.of_indexes(indexes, limit, cursor, since)

    def each_dispatch(
        self, *, since: float | None = None, **equal: str | None
    ) -> Iterator[dict[str, Any]]:
        """All dispatches that `dispatches` would give, page after page."""
        cursor: str | None = None
        while True:
            page = self.dispatches(limit=_CHUNK, cursor=cursor, since=since, **equal)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def dispatch(self, dispatch_id: str) -> dict[str, Any] | None:
        """One dispatch by our id, as `history.shown_dispatch` gives it, and more.

        `timeline` and `latency`; `rung`, which agent of its ladder it asked for; `follows` and
        `followed_by`, the ids of those it took over from and that took over from it, or None;
        `untold`, what others are still to be told of it.
        """
        [found] = Reader(self._redis, keys.DISPATCH, shown_dispatch).documents([_at(dispatch_id)])
        if found is None:
            return None
        candidates = follower_ids(dispatch_id, found["attempt"], found["rung"])
        kept = self._redis.mget([keys.DISPATCH + each for each in candidates])
        followers = [i for i, text in zip(candidates, kept, strict=True) if text is not None]
        found["followed_by"] = followers[0] if followers else None
        found["untold"] = untold_of(self._redis, dispatch_id)
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
        """Ids of dispatches that begin so, `most` at most; in no order. It reads all indexes."""
        if not beginning.isalnum():
            return []
        found: dict[str, None] = {}
        match = "?" * len(_at("")) + f"{beginning}*"
        for route in self._routes(None, None, None):
            for state in State:
                index = f"{keys.DISPATCHES}{state}:{route}"
                for member, _ in self._redis.zscan_iter(index, match=match, count=1000):
                    found[document_id(member.decode())] = None
                    if len(found) == most:
                        return list(found)
        return list(found)

    def events(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        since: float | None = None,
        room: str | None = None,
    ) -> Page:
        """The newest events that some rule was about, with their decisions.

        As `history.shown_event` gives them; the arguments are those of `dispatches`.

        Raises:
            BadCursor: the cursor is not one.
        """

        def is_wanted(event: dict[str, Any]) -> bool:
            return room is None or event["room"] == room

        reader = Reader(self._redis, keys.EVENT, shown_event, is_wanted)
        if room is not None:
            return reader.of_room(keys.EVENTS_OF, room, "decided_at", limit, cursor, since)
        return reader.of_indexes([keys.EVENTS], limit, cursor, since)

    def event(self, event_id: str, server_ids: Iterable[str]) -> dict[str, Any] | None:
        """An event that was decided, of one of these servers, and the id of that as `server`."""
        ids = list(server_ids)
        places = [_at(f"{server_id}:{plain_id(event_id)}") for server_id in ids]
        found = zip(
            ids, Reader(self._redis, keys.EVENT, shown_event).documents(places), strict=True
        )
        return next(({**event, "server": i} for i, event in found if event is not None), None)

    def events_since(self, at: float) -> list[dict[str, Any]]:
        """The events decided since a time in Unix seconds, oldest first."""
        found = self._redis.zrange(keys.EVENTS, f"{at * 1000:.3f}", "+inf", byscore=True)
        places = [each.decode() for each in cast("list[bytes]", found)]
        events = Reader(self._redis, keys.EVENT, shown_event).documents(places)
        return [event for event in events if event is not None]

    def standing(self) -> dict[str, int]:
        """How many dispatches are in each of the live states."""
        states = [state for state in State if state in LIVE]
        routes = self._routes(None, None, None)
        with self._redis.pipeline(transaction=False) as pipe:
            for state in states:
                for route in routes:
                    pipe.zcard(f"{keys.DISPATCHES}{state}:{route}")
            counts = pipe.execute()
        return {
            state.value: sum(counts[n * len(routes) : (n + 1) * len(routes)])
            for n, state in enumerate(states)
        }

    def failed_since(self, at: float) -> int:
        """How many dispatches that were created since a time in Unix seconds have failed."""
        with self._redis.pipeline(transaction=False) as pipe:
            for route in self._routes(None, None, None):
                pipe.zcount(f"{keys.DISPATCHES}{State.FAILED}:{route}", at * 1000, "+inf")
            return sum(pipe.execute())

    def minutes(self, count: int = 60) -> list[Minute]:
        """What came in each of the last minutes, the one that is not over last."""
        last = self._redis.time()[0] // _MINUTE
        numbers = range(last - count + 1, last + 1)
        with self._redis.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.hmget(f"{keys.MINUTE}{number}", _IN_A_MINUTE)
            answers = pipe.execute()
        return [
            Minute(number * _MINUTE, *(int(each or 0) for each in answer))
            for number, answer in zip(numbers, answers, strict=True)
        ]

    def hits(self) -> dict[str, Hits]:
        """How often each rule has matched, by its id; those that never did are not in it."""
        counts = cast("dict[bytes, bytes]", self._redis.hgetall(keys.HITS))
        last = cast("dict[bytes, bytes]", self._redis.hgetall(keys.LAST_HITS))
        return {rule.decode(): _hits(count, last.get(rule)) for rule, count in counts.items()}

    def hits_of(self, rules: Iterable[str]) -> dict[str, Hits]:
        """The same of these rules alone."""
        asked = list(rules)
        if not asked:
            return {}
        counts = cast("list[bytes | None]", self._redis.hmget(keys.HITS, asked))
        last = cast("list[bytes | None]", self._redis.hmget(keys.LAST_HITS, asked))
        found = zip(asked, counts, last, strict=True)
        return {rule: _hits(count, at) for rule, count, at in found if count is not None}

    def routes(self) -> list[Route]:
        """The routes that history holds dispatches of, the latest first.

        Where there are very many, the rest of the dispatches is under none.
        """
        found = cast("list[bytes]", self._redis.zrange(keys.ROUTES, 0, -1, desc=True))
        return [read_route(each.decode()) for each in found]

    def _routes(self, rule: str | None, agent: str | None, deployment: str | None) -> list[str]:
        """Keys of the routes that may hold what is asked for."""
        asked = (rule, agent, deployment)
        chosen = [
            route.key
            for route in self.routes()
            if all(want in (None, has) for want, has in zip(asked, route, strict=True))
        ]
        return [*chosen, ""]


def _at(document: str) -> str:
    """A place of a document whose room is not known."""
    return place("", document)


def _hits(count: bytes, last_ms: bytes | None) -> Hits:
    return Hits(int(count), int(last_ms or 0) / 1000)
