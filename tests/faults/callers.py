"""Callers who come one after another to a LiveKit of another process, and what becomes of them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

from redis.exceptions import RedisError

from tests.waiting import eventually
from workers.drift import ID_PREFIX
from workers.ledger import Ledger

if TYPE_CHECKING:
    from types import TracebackType

    from tests.faults.machines import Machines

EVERY_SECONDS: Final = 0.25
LOOK_SECONDS: Final = 0.25


@dataclass
class Callers:
    """`with Callers(machines, "lost") as callers:` they come for as long as the block lasts."""

    machines: Machines
    prefix: str
    came: dict[str, float] = field(default_factory=dict)
    """When each came, Unix seconds, by room."""
    served: dict[str, float] = field(default_factory=dict)
    """When each was first seen to have an agent."""
    doubled: dict[str, float] = field(default_factory=dict)
    """How long each was seen with more than one, seconds."""
    errors: list[Exception] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _enough: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.began = time.time()
        self._threads = [threading.Thread(target=each) for each in (self._come, self._watch)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Nobody comes any more; each of them must have an agent, and only one, in a while."""
        self._enough.set()
        try:
            if error is None:
                eventually(self._all_is_well, timeout=90, interval=0.5)
                self.healed = time.time()
        except AssertionError as failed:
            self.machines.add_logs(failed)
            raise
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()
        if error is None:
            assert self.errors == []

    def go_on(self, count: int = 12) -> None:
        """Wait until so many of those that come from now on have been served."""
        now = time.time()
        eventually(lambda: sum(self.came[r] > now for r in list(self.served)) >= count, timeout=90)

    def told(self) -> str:
        """What was seen, in a line."""
        now = time.time()  # the last to come may wait still
        waits = [self.served.get(room, now) - at for room, at in list(self.came.items())]
        sent = _longest_gap([c["at"] for c in self._creates() if c["worked"]], self.began)
        answered = [d["answered_at"] for d in self.deliveries() if d["outcome"] == "delivered"]
        accepted = _longest_gap(answered, self.began)
        told, kept = {d["id"] for d in self._joins()}, set(self._accepted())
        seconds = max(self.doubled.values(), default=0.0)
        return (
            f"{len(self.came)} callers; no webhook accepted for {accepted:.1f} s, no agent sent for"
            f" {sent:.1f} s; the longest wait for an agent {max(waits):.1f} s;"
            f" {len(told - kept)} webhooks of {len(told)} given up; {len(self.doubles())} doubles,"
            f" seen for {seconds:.1f} s at most"
        )

    def doubles(self) -> list[str]:
        """Rooms in which a dispatch was created more than once."""
        rooms = [call["room"] for call in self._creates() if call["worked"]]
        return sorted({room for room in rooms if rooms.count(room) > 1})

    def deliveries(self) -> list[dict[str, Any]]:
        """Webhooks of their rooms, to either address."""
        return [d for d in self.machines.livekit.webhooks() if d["room"] in self.came]

    def leave(self) -> None:
        """Their rooms close."""
        for room in self.came:
            self.machines.livekit.close(room)

    def _creates(self) -> list[dict[str, Any]]:
        return [c for c in self.machines.livekit.calls("CreateDispatch") if c["room"] in self.came]

    def _joins(self) -> list[dict[str, Any]]:
        """Webhooks of joins, theirs and their agents': the rules are asked about those."""
        return [d for d in self.deliveries() if d["event"] == "participant_joined"]

    def _accepted(self) -> list[str]:
        """Ids of those that were answered with 200 by one of the web processes."""
        return [d["id"] for d in self._joins() if d["outcome"] == "delivered"]

    def _all_is_well(self) -> bool:
        rooms = self.machines.livekit.rooms()
        wrong = {room: rooms[room] for room in self.came if [len(e) for e in rooms[room]] != [1, 1]}
        assert not wrong, f"not one agent and one dispatch in each: {wrong}"
        try:
            undecided = self._undecided()
            known = Ledger(self.machines.redis).dispatches(limit=10_000).items
        except RedisError as error:
            raise AssertionError(str(error)) from error
        assert not undecided, f"accepted, and decided: {undecided}"
        live: dict[str, list[Any]] = {room: [] for room in self.came}
        for each in known:
            if each["state"] == "active" and each["room"] in live:
                live[each["room"]].append((each["agent_identity"], each["dispatch_id"]))
        there = {room: list(zip(*rooms[room], strict=True)) for room in self.came}
        mistaken = {room for room in self.came if live[room] != there[room]}
        told = [(there[d["room"]], d) for d in known if d["room"] in mistaken]
        assert not mistaken, f"what is known is not what is there: {told}"
        return True

    def _undecided(self) -> dict[str, tuple[set[str], set[str]]]:
        """Joins that were accepted and those that were decided, of rooms where one is missing.

        What a listing has told before its webhook came is decided under an id of ours.
        """
        kept = Ledger(self.machines.redis).events(limit=10_000).items
        decided, accepted = defaultdict(set), defaultdict(set)
        for event in kept:
            if event["event"] == "participant_joined":
                decided[event["room"]].add(event["id"])
        for delivery in self._joins():
            if delivery["outcome"] == "delivered":
                accepted[delivery["room"]].add(delivery["id"])
        return {
            room: (ids, decided[room])
            for room, ids in accepted.items()
            if len(ids - decided[room]) > sum(each.startswith(ID_PREFIX) for each in decided[room])
        }

    def _come(self) -> None:
        try:
            while not self._enough.wait(EVERY_SECONDS):
                number = len(self.came)
                room = f"{self.prefix}-{number}"
                self.machines.livekit.join(room, f"caller-{number}")
                self.came[room] = time.time()
        except OSError as error:
            self.errors.append(error)

    def _watch(self) -> None:
        before = time.time()
        while not self._over.wait(LOOK_SECONDS):
            try:
                rooms = self.machines.livekit.rooms()
            except OSError as error:
                self.errors.append(error)
                return
            now = time.time()
            for room in list(self.came):
                agents, _ = rooms.get(room, ([], []))
                if agents:
                    self.served.setdefault(room, now)
                if len(agents) > 1:
                    self.doubled[room] = self.doubled.get(room, 0.0) + now - before
            before = now


def _longest_gap(times: list[float], began: float) -> float:
    return max(later - earlier for earlier, later in pairwise(sorted([began, *times])))
