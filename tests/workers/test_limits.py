"""`limit`: no write makes more dispatches live than it says, over all rooms."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.workers.desk import Desk, arrive, coming, dispatch, run
from tests.workers.shares import shares, watched
from workers import keys
from workers.dispatch import State
from workers.errors import Fenced, OverLimit

if TYPE_CHECKING:
    from redis import Redis

    from tests.conftest import Valkey


def whole(redis: Redis) -> dict[bytes, bytes | None]:
    return {key: redis.dump(key) for key in redis.keys("*")}


def test_one_above_it_is_refused_and_nothing_is_written(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "abc"))
        a, b, c = await desk.take(3)
        await desk.commit(a, dispatch("a", 2))
        await desk.commit(b, dispatch("b", 2))
        before, record = whole(redis), c.record
        event_id = coming("c").id
        with pytest.raises(OverLimit) as refused:
            await desk.commit(c, dispatch("c", 2), taken=event_id)
        assert refused.value.live == {"r:t": 2}
        assert whole(redis) == before
        assert c.record is record
        await desk.commit(c, taken=event_id)  # the event is still there to be decided otherwise

    run(valkey, play)


def test_each_share_counts_alone(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "abc"))
        a, b, c = await desk.take(3)
        await desk.commit(a, dispatch("a", 1, "t"))
        await desk.commit(b, dispatch("b", 1, "u"))
        with pytest.raises(OverLimit) as refused:
            await desk.commit(c, dispatch("c", 1, "u"))
        assert refused.value.live == {"r:u": 1}
        assert shares(redis)[0] == shares(redis)[1]
        assert set(shares(redis)[0]) == {"r:t", "r:u"}

    run(valkey, play)


def test_several_in_one_write_count_all_of_them(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        three = [replace(dispatch("a", 2), id=f"D{n}", claim=str(n)) for n in range(3)]
        with pytest.raises(OverLimit) as refused:
            await desk.commit(hold, *three)
        assert refused.value.live == {"r:t": 0}
        await desk.commit(hold, *three[:2])
        assert redis.zcard(keys.LIMIT + "r:t") == 2

    run(valkey, play)


@pytest.mark.parametrize("state", [State.FAILED, State.RELEASED, State.SUPERSEDED])
def test_one_that_is_over_frees_its_place_in_the_same_write(
    valkey: Valkey, redis: Redis, state: State
) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "ab"))
        a, b = await desk.take(2)
        first = dispatch("a", 1)
        await desk.commit(a, first)
        with pytest.raises(OverLimit):
            await desk.commit(b, dispatch("b", 1))
        await desk.commit(a, first.ended(state, "", 2.0))
        assert redis.exists(keys.LIMIT + "r:t") == 0
        await desk.commit(b, dispatch("b", 1))

    run(valkey, play)


def test_one_that_is_over_but_owes_a_look_has_freed_its_place(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        first = replace(dispatch("a", 1), doubtful=True)
        await desk.commit(hold, first)
        await desk.commit(hold, first.ended(State.FAILED, "", 2.0))
        assert hold.record.dispatches  # it is kept for the look
        assert redis.exists(keys.LIMIT + "r:t") == 0

    run(valkey, play)


def test_one_may_take_the_place_of_another_in_one_write(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        first = dispatch("a", 1)
        await desk.commit(hold, first)
        second = replace(first, id="D2")
        await desk.commit(hold, first.ended(State.FAILED, "", 2.0), second)
        assert redis.zrange(keys.LIMIT + "r:t", 0, -1) == [b"D2"]

    run(valkey, play)


@pytest.mark.parametrize("state", [State.SCHEDULED, State.REQUESTED, State.PENDING, State.ACTIVE])
def test_one_counts_while_it_is_live(valkey: Valkey, redis: Redis, state: State) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "ab"))
        a, b = await desk.take(2)
        first = dispatch("a", 1)
        await desk.commit(a, first)
        await desk.commit(a, replace(first, state=state))
        with pytest.raises(OverLimit):
            await desk.commit(b, dispatch("b", 1))

    run(valkey, play)


def test_one_that_waits_for_its_after_counts() -> None:
    assert dispatch("a", 1, after="2s").state is State.SCHEDULED
    assert dispatch("a", 1, after="2s").share == "r:t"


def test_the_same_commit_twice_is_done(valkey: Valkey, redis: Redis) -> None:
    """The answer to the first was lost, and the client sent it again."""

    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        before = hold.record
        for _ in range(2):
            hold.record = before
            await desk.commit(hold, dispatch("a", 1), taken=coming("a").id)
        ids = {d.id for d in hold.record.dispatches.values()}
        assert shares(redis) == ({"r:t": ids}, {"r:t": ids})
        for _ in range(2):
            hold.record = before.with_dispatches([dispatch("a", 1)])
            await desk.commit(hold, dispatch("a", 1).ended(State.FAILED, "", 2.0))
        assert shares(redis) == ({}, {})

    run(valkey, play)


def test_a_write_without_an_event_may_come_twice_too(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        before = hold.record
        for _ in range(2):
            hold.record = before
            await desk.commit(hold, dispatch("a", 1))
        assert redis.zcard(keys.LIMIT + "r:t") == 1

    run(valkey, play)


def test_who_has_lost_the_room_takes_no_place_and_frees_none(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        (hold,) = await desk.take()
        await desk.commit(hold, dispatch("a", 2))
        redis.hset(keys.ROOM + hold.room_key, "holder", "another")
        before = whole(redis)
        for change in (
            replace(dispatch("a", 2), id="D2"),
            dispatch("a", 2).ended(State.FAILED, "", 2.0),
        ):
            with pytest.raises(Fenced):
                await desk.commit(hold, change)
        assert whole(redis) == before

    run(valkey, play)


def test_a_lowered_limit_takes_nobody_away(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "abc"))
        a, b, c = await desk.take(3)
        await desk.commit(a, dispatch("a", 5))
        await desk.commit(b, dispatch("b", 5))
        with pytest.raises(OverLimit):
            await desk.commit(c, dispatch("c", 1))
        assert redis.zcard(keys.LIMIT + "r:t") == 2
        await desk.commit(a, replace(dispatch("a", 5), state=State.ACTIVE))  # and is no obstacle

    run(valkey, play)


def test_a_long_call_counts_for_as_long_as_its_room_is_heard_of(
    valkey: Valkey, redis: Redis
) -> None:
    """Though nobody else has come to its limit for more than a week."""

    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "ab"))
        a, b = await desk.take(2)
        await desk.commit(a, dispatch("a", 1))
        begun = redis.zscore(keys.LIMIT + "r:t", dispatch("a", 1).id)
        assert begun / 1000 - desk.queue.now() == pytest.approx(keys.ROOM_SECONDS, abs=30)
        redis.delete(keys.LIMIT + "r:t")  # the week is over
        await desk.queue.commit(a, None, taken=coming("a").id)
        assert redis.zscore(keys.LIMIT + "r:t", dispatch("a", 1).id) >= begun
        assert redis.ttl(keys.LIMIT + "r:t") > keys.ROOM_SECONDS - 60
        with pytest.raises(OverLimit):
            await desk.commit(b, dispatch("b", 1))

    run(valkey, play)


def test_one_of_a_room_that_was_forgotten_counts_no_more(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        redis.zadd(keys.LIMIT + "r:t", {"D-forgotten": 1})
        (hold,) = await desk.take()
        await desk.commit(hold, dispatch("a", 1))
        assert shares(redis)[0] == shares(redis)[1]

    run(valkey, play)


def test_one_that_goes_on_is_never_refused(valkey: Valkey, redis: Redis) -> None:
    """Its limit was lowered, or its count was lost and its place taken."""

    async def play(desk: Desk) -> None:
        arrive(redis, *(coming(room) for room in "ab"))
        a, b = await desk.take(2)
        await desk.commit(a, dispatch("a", 1))
        redis.delete(keys.LIMIT + "r:t")
        await desk.commit(b, dispatch("b", 1))
        await desk.commit(a, replace(dispatch("a", 1), state=State.ACTIVE))
        assert redis.zcard(keys.LIMIT + "r:t") == 2

    run(valkey, play)


def test_many_rooms_race_for_the_last_places(valkey: Valkey, redis: Redis) -> None:
    """Whoever gets a place gives it back, and takes the next room: all are decided."""
    rooms, most = 120, 3
    arrive(redis, *(coming(f"room-{n}") for n in range(rooms)))
    sent: list[str] = []
    refused: list[tuple[str, object]] = []

    async def work(desk: Desk) -> None:
        while holds := await desk.take(4):
            for hold in holds:
                wanted = dispatch(hold.room, most)
                try:
                    await desk.commit(hold, wanted, taken=coming(hold.room).id)
                    sent.append(hold.room)
                except OverLimit as over:
                    refused.append((hold.room, over.live))
                    await desk.commit(hold, taken=coming(hold.room).id)
            await asyncio.gather(
                *(
                    desk.commit(
                        hold,
                        *(d.ended(State.FAILED, "", 2.0) for d in hold.record.dispatches.values()),
                    )
                    for hold in holds
                )
            )
            for hold in holds:
                await desk.queue.release(hold)

    async def play() -> None:
        desks = [Desk(str(valkey.socket), f"w{n}") for n in range(6)]
        await asyncio.wait_for(asyncio.gather(*map(work, desks)), 30)
        for desk in desks:
            await desk.client.aclose()

    with watched(redis) as watch:
        asyncio.run(play())
    assert watch.differing == []
    assert watch.most == {"r:t": most}
    assert sorted(sent + [room for room, _ in refused]) == sorted(f"room-{n}" for n in range(rooms))
    assert refused
    assert all(live == {"r:t": most} for _, live in refused)
    assert len(sent) > most
    assert shares(redis) == ({}, {})
