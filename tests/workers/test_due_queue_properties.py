"""The due-queue under random interleavings of everything that can happen to it.

Whatever the order of accepts, claims, commits, releases, crashes and passing time: events of a
room are taken in the order they came, each once, none is lost, and no two holders can write.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from rules.event import Event
from workers import keys
from workers.entries import split_entry
from workers.errors import Fenced
from workers.inbox import DueQueue
from workers.intake import Intake
from workers.record import Record
from workers.scripts import ScriptRunner

if TYPE_CHECKING:
    import pytest

    from tests.conftest import Valkey
    from workers.hold import Hold

SERVER = "s1"
ROOMS = ("a", "b", "room/with: odd\u00e9 name")


class DueQueueMachine(RuleBasedStateMachine):
    """Any number of workers on one Redis. Decided events are kept in the record's `past`."""

    socket = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = Redis(unix_socket_path=self.socket)
        self.redis.flushall()
        self.client = redis.asyncio.Redis(unix_socket_path=self.socket)
        self.queue = DueQueue(ScriptRunner(self.client), "worker")
        self.intake = Intake(self.redis)
        self.accepted: dict[str, list[str]] = {room: [] for room in ROOMS}
        self.holds: list[tuple[Hold, list[bytes]]] = []
        self.zombies: list[tuple[Hold, list[bytes]]] = []
        self.number = 0

    def teardown(self) -> None:
        for room in ROOMS:
            self.expire(room)
        self.holds.clear()
        while self.claim(most=8):
            for hold, entries in self.holds:
                while entries:
                    self.take(hold, entries)
                self.loop.run_until_complete(self.queue.release(hold))
            self.holds.clear()
        for room in ROOMS:
            assert self.decided(room) == self.accepted[room]
            assert self.redis.llen(keys.INBOX + keys.room_key(SERVER, room)) == 0
        assert self.redis.zcard(keys.DUE) == 0
        self.loop.run_until_complete(self.client.aclose())
        self.redis.close()
        self.loop.close()

    @rule(room=st.sampled_from(ROOMS), times=st.integers(1, 3))
    def accept(self, room: str, times: int) -> None:
        self.number += 1
        event = Event(id=f"EV_{self.number}", name="room_started", at=1.0, project="key",
                      room={"name": room, "sid": "RM_1"})  # fmt: skip
        answers = [self.intake.accept(SERVER, event) for _ in range(times)]
        assert answers == ["accepted"] + ["duplicate"] * (times - 1)
        self.accepted[room].append(event.id)

    @rule(most=st.integers(1, 4))
    def some_worker_claims(self, most: int) -> None:
        self.claim(most)

    def claim(self, most: int) -> int:
        claimed = self.loop.run_until_complete(self.queue.claim(most=most))
        for hold in claimed.holds:
            hold.record = Record.from_json(hold.stored)
            assert hold.room_key not in {h.room_key for h, _ in self.holds}
            self.holds.append((hold, list(hold.entries)))
        return len(claimed.holds)

    @rule(most=st.integers(1, 4))
    def claim_whose_answer_is_lost(self, most: int) -> None:
        """Redis did it; nobody holds these rooms, and the next claim has them again."""
        claimed = self.loop.run_until_complete(self.queue.claim(most=most))
        self.queue._claims -= 1
        again = self.loop.run_until_complete(self.queue.claim(most=most))
        lost = {h.room_key: h.tries for h in claimed.holds}
        assert all(lost.get(h.room_key, h.tries) == h.tries for h in again.holds)
        for hold in again.holds:
            hold.record = Record.from_json(hold.stored)
            self.holds.append((hold, list(hold.entries)))

    @precondition(lambda self: self.holds)
    @rule(which=st.integers(0, 10))
    def commit(self, which: int) -> None:
        hold, entries = self.holds[which % len(self.holds)]
        if entries:
            self.take(hold, entries)

    @precondition(lambda self: self.holds)
    @rule(which=st.integers(0, 10))
    def commit_twice(self, which: int) -> None:
        """The answer to the first was lost, and the client sent it again."""
        hold, entries = self.holds[which % len(self.holds)]
        if entries:
            before = hold.record
            again = list(entries)
            self.take(hold, entries)
            after, hold.record = hold.record, before
            self.take(hold, again)
            hold.record = after

    @precondition(lambda self: self.holds)
    @rule(which=st.integers(0, 10), failed=st.booleans())
    def release(self, which: int, failed: bool) -> None:
        hold, _ = self.holds.pop(which % len(self.holds))
        retry_in = 0 if failed else None
        self.loop.run_until_complete(self.queue.release(hold, retry_in=retry_in, failed=failed))

    @precondition(lambda self: self.holds)
    @rule(which=st.integers(0, 10))
    def lose_lease(self, which: int) -> None:
        """Its holder dies, or sleeps so long that it may as well have."""
        hold, entries = self.holds.pop(which % len(self.holds))
        self.expire(hold.room)
        self.zombies.append((hold, entries))

    @precondition(lambda self: self.zombies)
    @rule(which=st.integers(0, 10))
    def zombie_writes(self, which: int) -> None:
        hold, entries = self.zombies.pop(which % len(self.zombies))
        holder = self.redis.hget(keys.ROOM + hold.room_key, "holder")
        if holder == hold.token.encode():
            return  # nobody has taken the room since: its writes are still the only ones
        for write in (
            self.queue.commit(hold, replace(hold.record, past=("wrong",)), taken=""),
            self.queue.commit(
                hold, hold.record, taken=split_entry(entries[0]).id if entries else ""
            ),
            self.queue.release(hold),
        ):
            try:
                self.loop.run_until_complete(write)
            except Fenced:
                continue
            raise AssertionError("a holder that had lost its room could write")

    @invariant()
    def taken_in_order(self) -> None:
        for room in ROOMS:
            decided = self.decided(room)
            assert decided == self.accepted[room][: len(decided)]

    @invariant()
    def nothing_waits_unseen(self) -> None:
        """A room with events is due now or when its lease ends."""
        for room in ROOMS:
            if self.redis.exists(keys.INBOX + keys.room_key(SERVER, room)):
                assert self.redis.zscore(keys.DUE, keys.room_key(SERVER, room)) is not None

    def take(self, hold: Hold, entries: list[bytes]) -> None:
        event_id = split_entry(entries.pop(0)).id
        record = replace(hold.record, past=(*hold.record.past, event_id))
        self.loop.run_until_complete(self.queue.commit(hold, record, taken=event_id))

    def decided(self, room: str) -> list[str]:
        text = self.redis.hget(keys.ROOM + keys.room_key(SERVER, room), "record")
        return list(Record.from_json(text or b"").past)

    def expire(self, room: str) -> None:
        """Let the clock pass the end of a lease."""
        key = keys.room_key(SERVER, room)
        if self.redis.hexists(keys.ROOM + key, "until"):
            self.redis.hset(keys.ROOM + key, "until", 1)
            self.redis.zadd(keys.DUE, {key: 1})


def test_order_is_kept_nothing_is_lost_and_nobody_writes_twice(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DueQueueMachine, "socket", str(valkey.socket))
    machine = settings(
        max_examples=60, stateful_step_count=60, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(DueQueueMachine, settings=machine)
