"""Records of large rooms are read once, and never taken for what Redis does not have."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rules.session import Session, observe
from tests.workers.desk import coming
from workers.connection import connect_async
from workers.inbox import DueQueue
from workers.intake import Intake
from workers.recent import LARGE_BYTES, MOST_BYTES, RecentRecords
from workers.record import Record
from workers.scripts import ScriptRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workers.conftest import House


def crowded(room: str, people: int = 400) -> Record:
    session = Session(f"RM_{room}")
    for number in range(people):
        session, _ = observe(session, coming(room, f"caller-{number}"))
    return Record(session=session)


def kept(record: Record) -> bytes:
    return record.to_json().encode()


def test_a_large_record_that_was_written_is_not_read_again() -> None:
    recent, record = RecentRecords(), crowded("hall")
    assert len(kept(record)) > LARGE_BYTES
    recent.wrote("s:hall", kept(record), record)
    assert recent.read("s:hall", kept(record)) is record
    assert recent.read("s:other", kept(record)) is not record


def test_what_redis_has_otherwise_is_read() -> None:
    recent, record = RecentRecords(), crowded("hall")
    recent.wrote("s:hall", kept(record), record)
    other = replace(record, told=("RM_hall",))
    assert recent.read("s:hall", kept(other)) == other
    assert recent.read("s:hall", kept(record)) == record


def test_small_ones_are_not_remembered() -> None:
    recent, record = RecentRecords(), crowded("hall", people=3)
    recent.wrote("s:hall", kept(record), record)
    assert recent.read("s:hall", kept(record)) is not record
    assert recent.bytes == 0


def test_the_longest_unused_make_room_for_others() -> None:
    recent, record = RecentRecords(), crowded("hall")
    text = kept(record)
    fit = MOST_BYTES // len(text)
    for number in range(fit):
        recent.wrote(f"s:{number}", text, record)
    assert recent.read("s:0", text) is record
    recent.wrote("s:one-more", text, record)
    assert recent.read("s:0", text) is record
    assert recent.read("s:1", text) is not record


def test_one_too_large_is_not_remembered_and_drives_no_other_out() -> None:
    recent, record = RecentRecords(), crowded("hall")
    for room in ("s:hall", "s:lobby"):
        recent.wrote(room, kept(record), record)
    recent.wrote("s:hall", b"x" * (MOST_BYTES + 1), record)
    assert recent.bytes == len(kept(record))
    assert recent.read("s:lobby", kept(record)) is record
    assert recent.read("s:hall", kept(record)) is not record


def test_bad_ones_are_told_of_each_time() -> None:
    recent = RecentRecords()
    for _ in range(2):
        with pytest.raises(ValueError, match="Expecting value"):
            recent.read("s:hall", b"x" * LARGE_BYTES)


def test_what_another_worker_writes_in_between_is_seen(house: House) -> None:
    def session(join: str) -> Callable[[Record], Record]:
        def joined(record: Record) -> Record:
            known = record.session or crowded("hall").session
            assert known is not None
            return replace(record, session=observe(known, coming("hall", join))[0])

        return joined

    async def turn(queue: DueQueue, change: Callable[[Record], Record]) -> Record:
        Intake(house.redis).look("s1", "hall")  # the room is due again
        [hold] = (await queue.claim(most=1)).holds
        hold.record = queue.read(hold)
        event_id = hold.entries[0].partition(b"\n")[0].decode()
        await queue.commit(hold, change(hold.record), taken=event_id)
        await queue.release(hold)
        return hold.record

    async def turns() -> tuple[Record, Record]:
        one, other = (
            DueQueue(ScriptRunner(connect_async(house.settings)), claimant=name)
            for name in ("one", "other")
        )
        await turn(one, session("ana"))
        await turn(other, session("bob"))
        last = await turn(one, session("cleo"))
        for queue in (one, other):
            await queue.redis.aclose()
        return last, Record.from_json(house.redis.hget("lkd:room:s1:hall", "record") or b"")

    last, stored = asyncio.run(turns())
    assert last == stored
    assert last.session is not None
    assert {"ana", "bob", "cleo"} <= set(last.session.humans)
