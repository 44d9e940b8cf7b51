"""The due-queue: rooms that need work, handed to one holder at a time.

As in Kubernetes' workqueue, a room is worked on by one holder, and what comes meanwhile makes it
due again when it is let go. Here the queue is in Redis, the holder has a lease with a fencing
token, and a holder that dies loses the room to another when its lease ends.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers import keys, scripts
from workers.clock import CLOCKS_SECONDS, RedisClock
from workers.counters import Counters
from workers.counting import counting
from workers.errors import Fenced, OverLimit
from workers.hold import Gathered, Hold
from workers.recent import RecentRecords
from workers.redacting import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import redis.asyncio

    from workers.entries import Offer
    from workers.hold import Document, Note
    from workers.metrics import Count
    from workers.record import Record
    from workers.redacting import Redaction
    from workers.scripts import ScriptRunner

LEASE_SECONDS: Final = 15.0
EVENTS_EACH: Final = 16
"""Events taken with a room at most; the rest follow when it is claimed again."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought."""

    holds: Sequence[Hold]
    next_due: float | None
    """Seconds from now until a room is due; 0 or less if one already is."""


class DueQueue:
    """The due-queue, as the workers' loops use it.

    Every method raises `RedisError` when Redis cannot be reached; whether a write took place is
    then unknown, and it may be made again.
    """

    def __init__(
        self,
        runner: ScriptRunner,
        claimant: str,
        *,
        lease: float = LEASE_SECONDS,
        restarted: asyncio.Event | None = None,
        counters: Counters | None = None,
        redaction: Redaction = NOTHING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """One for each loop.

        Args:
            runner: of that loop.
            claimant: a name no other loop has, now or later.
            lease: seconds.
            restarted: set when Redis is another one, or anew: its last second may be lost.
            counters: where what is committed is counted; None: nobody asks.
            redaction: what of a document is not kept.
            monotonic: this process's clock that is never set, seconds.
        """
        self.runner = runner
        self._claimant = claimant
        self._claims = 0
        self._lease = lease
        self._monotonic = monotonic
        self._clock = RedisClock(monotonic)
        self._restarted = restarted
        self._may_have_forgotten = float("-inf")
        self._recent = RecentRecords()
        self.counters = counters or Counters()
        self.redaction = redaction
        self.paused: frozenset[str] = frozenset()
        """Rules that are paused, as of the last claim."""

    def may_have_forgotten(self, event_at: float) -> bool:
        """Whether Redis may have lost what was decided on an event of this time."""
        return event_at <= self._may_have_forgotten

    @property
    def redis(self) -> redis.asyncio.Redis:
        """The client of this loop."""
        return self.runner.redis

    def now(self) -> float:
        """Redis's clock, Unix seconds, as of the last claim; all hosts agree on it."""
        return self._clock.now()

    def instant(self) -> float:
        """The same clock, never the same time twice."""
        return self._clock.instant()

    async def claim(self, *, most: int, suspects: int = 1, mark: str = "") -> Claimed:
        """Take up to `most` due rooms, of which at most `suspects` have failed twice.

        `mark` is what this loop tells of itself meanwhile, as `presence.AtWork` has it.
        """
        asked = self._monotonic()
        now, first, rooms, paused = await self.runner.call(
            scripts.CLAIM,
            [keys.DUE, keys.WAKE, keys.CLAIM + self._claimant, keys.WORKERS, keys.PAUSED],
            [
                keys.ROOM,
                keys.INBOX,
                int(self._lease * 1000),
                most,
                EVENTS_EACH,
                suspects,
                self._claimant,
                self._claims,
                mark,
                keys.TOKENS,
            ],
        )
        self._claims += 1
        self._clock.set(int(now) / 1000, asked)
        self.paused = frozenset(rule.decode() for rule in paused)
        if self._restarted is not None and self._restarted.is_set():
            self._restarted.clear()
            self._may_have_forgotten = self.now() + CLOCKS_SECONDS
        holds = [
            Hold(
                room_key=room_key.decode(),
                token=token.decode(),
                tries=int(tries),
                stored=record,
                entries=entries,
                expires=asked + self._lease,
                more=int(waiting) > len(entries),
                gathers=int(tries) == 1,
                has_tokens=bool(noted),
                monotonic=self._monotonic,
            )
            for room_key, token, tries, record, entries, waiting, noted in rooms
        ]
        return Claimed(holds, float(first) / 1000 - self.now() if first else None)

    def read(self, hold: Hold) -> Record:
        """The record of a room as it was claimed.

        Raises:
            ValueError, LookupError, TypeError: what Redis keeps is not a record.
        """
        return self._recent.read(hold.room_key, hold.stored)

    async def commit(
        self,
        hold: Hold,
        record: Record | None,
        documents: Sequence[Document] = (),
        *,
        taken: str = "",
        put: Sequence[bytes] = (),
        notes: Sequence[Note] = (),
        counts: Sequence[Count] = (),
    ) -> None:
        """Write a record and what goes with it, taking the event `taken` off the inbox and putting
        entries in front of it. What was gathered before is written in the same moment.

        `notes` are written too; `counts` are counted when all is written.

        Raises:
            Fenced: another holds the room; nothing was written.
            OverLimit: a dispatch that is new in the record would be one too many; nothing was
                written.
        """
        asked = self._monotonic()
        gathered = hold.gathered
        if record is None and gathered.is_other:
            record = hold.record
        ids = [*gathered.taken, taken] if taken else gathered.taken
        counted = counting(hold.record, record if record is not None else hold.record)
        text = record.to_json().encode() if record is not None else b""
        args: list[str | int | bytes] = [
            hold.room_key,
            hold.token,
            int(self._lease * 1000),
            ids[0] if ids else "",
            len(ids),
            text,
            len(counted),
            keys.ROOM_SECONDS,
            "1" if record is not None and record.in_session else "0",
            len(put),
            len(gathered.documents) + len(documents),
            keys.MINUTE,
        ]
        for share, dispatch_id, most in counted:
            args += [keys.LIMIT + share, dispatch_id, most]
        args += put
        for document in (*gathered.documents, *documents):
            args += self.redaction.document(document).args()
        for note in (*gathered.notes, *notes):
            args += [len(note), *note]
        script_keys = [*self._keys(hold), keys.ROOMS, keys.HISTORY, keys.ROUTES]
        answer = await self.runner.call(scripts.COMMIT, script_keys, args)
        if answer == b"fenced":
            raise Fenced(hold.room_key)
        if isinstance(answer, list):
            raise _over(counted, answer)
        self.counters.add(gathered.counts)
        self.counters.add(counts)
        hold.gathered = Gathered()
        if record is not None:
            hold.record = record
            self._recent.wrote(hold.room_key, text, record)
        if taken:
            hold.entries, hold.tries = hold.entries[1:], 1
        if put:
            hold.entries = (*put, *hold.entries)
        hold.expires = asked + self._lease

    async def flush(self, hold: Hold) -> None:
        """Write what was gathered, if anything.

        Raises:
            Fenced: another holds the room.
        """
        if hold.gathered.taken:
            await self.commit(hold, None)

    async def keep(self, hold: Hold, seconds: float) -> None:
        """Renew a lease that would end before this many seconds are over.

        Raises:
            Fenced: another holds the room.
        """
        while hold.left < seconds:  # this process may sleep even in the renewal
            await self.commit(hold, None)

    async def release(
        self, hold: Hold, *, retry_in: float | None = None, failed: bool = False
    ) -> None:
        """Let a room go.

        Args:
            hold: the room.
            retry_in: seconds until it is due again, whatever else is due.
            failed: this try counts against the event at the inbox's head.

        Raises:
            Fenced: another holds the room.
        """
        due = hold.record.due
        if due is not None and hold.not_before is not None:
            due = max(due, hold.not_before)
        args: list[str | int] = [
            hold.room_key,
            hold.token,
            int(due * 1000) if due is not None else "",
            keys.ENDED_ROOM_SECONDS if hold.record.over else keys.ROOM_SECONDS,
            int(retry_in * 1000) if retry_in is not None else "",
            "1" if failed else "",
        ]
        if await self.runner.call(scripts.RELEASE, self._keys(hold), args) == b"fenced":
            raise Fenced(hold.room_key)

    async def leave(self, holds: Iterable[Hold], mark: str) -> None:
        """The loop ends: others get what it holds at once, and settle the calls it has begun."""
        await self.runner.sent()  # what is still on its way would renew a lease
        released = (self.release(hold, retry_in=0) for hold in holds)
        await asyncio.gather(*released, return_exceptions=True)  # one is another's: so be it
        await self.claim(most=0, mark=mark)  # gives back what a claim took whose answer was lost
        await self.redis.zrem(keys.WORKERS, f"{self._claimant}:{mark}")

    async def offer(self, offer: Offer) -> None:
        """Put an entry into an inbox.

        Raises:
            RedisError: it may or may not have been put there; offered again, it is there once.
        """
        await self.runner.call(scripts.ACCEPT, offer.keys, offer.args)

    def _keys(self, hold: Hold) -> list[str]:
        return [keys.ROOM + hold.room_key, keys.INBOX + hold.room_key, keys.DUE]


def _over(counted: Sequence[tuple[str, str, int | str]], counts: Sequence[int]) -> OverLimit:
    live: dict[str, int] = {}
    for (share, _, most), count in zip(counted, counts, strict=True):
        if isinstance(most, int):
            live.setdefault(share, count)
    return OverLimit(live)
