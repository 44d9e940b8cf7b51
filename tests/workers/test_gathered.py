"""Events that ask for nothing leave the inbox together, with the next commit, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rules.frozen import replace
from tests.workers.desk import SERVER, arrive, coming, dispatch, run
from workers import keys
from workers.entries import split_entry
from workers.errors import Fenced, OverLimit
from workers.record import Record

if TYPE_CHECKING:
    from redis import Redis

    from tests.conftest import Valkey
    from tests.workers.desk import Desk
    from workers.hold import Hold

PEOPLE = ("ana", "ben", "cai", "dee")
INBOX = f"{keys.INBOX}{SERVER}:a"
ROOM = f"{keys.ROOM}{SERVER}:a"


def gather(hold: Hold, past: str) -> None:
    """Put off the next event, which has changed the record."""
    event_id = split_entry(hold.entries[0]).id
    hold.gather(replace(hold.record, past=(*hold.record.past, past)), (), taken=event_id)


def stored(redis: Redis) -> tuple[str, ...]:
    return Record.from_json(redis.hget(ROOM, "record") or b"").past


async def all_came(desk: Desk, redis: Redis) -> Hold:
    arrive(redis, *(coming("a", who) for who in PEOPLE))
    [hold] = await desk.take()
    return hold


def test_they_are_in_the_inbox_until_the_next_commit_takes_them(
    valkey: Valkey, redis: Redis
) -> None:
    async def play(desk: Desk) -> None:
        hold = await all_came(desk, redis)
        gather(hold, "one")
        gather(hold, "two")
        assert (redis.llen(INBOX), stored(redis)) == (4, ())
        await desk.queue.commit(hold, None, taken=split_entry(hold.entries[0]).id)
        assert (redis.llen(INBOX), stored(redis)) == (1, ("one", "two"))
        assert [split_entry(e).id for e in hold.entries] == ["EV_participant_joined_a_dee"]
        gather(hold, "three")
        await desk.queue.flush(hold)
        assert (redis.exists(INBOX), stored(redis)) == (0, ("one", "two", "three"))
        await desk.queue.flush(hold)  # nothing is left to write

    run(valkey, play)


def test_they_stay_if_another_has_taken_the_room_meanwhile(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        hold = await all_came(desk, redis)
        gather(hold, "one")
        redis.hset(ROOM, "holder", "another's")
        with pytest.raises(Fenced):
            await desk.queue.flush(hold)
        assert (redis.llen(INBOX), stored(redis)) == (4, ())

    run(valkey, play)


def test_a_commit_that_is_refused_takes_none_of_them(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("b"))
        [other] = await desk.take()
        await desk.commit(other, dispatch("b", 1))
        hold = await all_came(desk, redis)
        gather(hold, "one")
        event_id = split_entry(hold.entries[0]).id
        with pytest.raises(OverLimit):
            await desk.commit(hold, dispatch("a", 1), taken=event_id)
        assert (redis.llen(INBOX), stored(redis)) == (4, ())
        await desk.commit(hold, taken=event_id)
        assert (redis.llen(INBOX), stored(redis)) == (2, ("one",))

    run(valkey, play)


def test_a_commit_whose_answer_was_lost_takes_nothing_twice(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        hold = await all_came(desk, redis)
        gather(hold, "one")
        again = replace(hold, gathered=replace(hold.gathered), entries=hold.entries)
        await desk.queue.flush(hold)
        await desk.queue.flush(again)
        assert redis.llen(INBOX) == 3

    run(valkey, play)


def test_none_are_put_off_where_one_may_have_killed_a_worker(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a", "ana"), coming("a", "ben"))
        [first] = await desk.take()
        assert (first.tries, first.gathers) == (1, True)
        redis.zadd(keys.DUE, {f"{SERVER}:a": 0})  # as when the lease has ended
        [second] = await desk.take()
        assert (second.tries, second.gathers) == (2, False)
        await desk.commit(second, taken=split_entry(second.entries[0]).id)
        assert not second.gathers

    run(valkey, play)
