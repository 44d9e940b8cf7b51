"""A look that somebody asked for waits in the room's inbox like an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.workers.desk import SERVER, arrive, coming, run
from workers.entries import split_entry
from workers.intake import Intake

if TYPE_CHECKING:
    from redis import Redis

    from tests.conftest import Valkey
    from tests.workers.desk import Desk


def test_it_comes_after_the_events_that_were_there_and_before_those_that_follow(
    valkey: Valkey, redis: Redis
) -> None:
    arrive(redis, coming("a", "ana"))
    Intake(redis).look(SERVER, "a")
    arrive(redis, coming("a", "ben"))

    async def play(desk: Desk) -> None:
        [hold] = await desk.take()
        entries = [split_entry(entry) for entry in hold.entries]
        asked = [json.loads(each.body)["event"] for each in entries]
        assert asked == ["participant_joined", "look", "participant_joined"]
        assert entries[1].id == json.loads(entries[1].body)["id"]

    run(valkey, play)


def test_a_room_at_work_is_due_again_when_it_is_let_go(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        arrive(redis, coming("a"))
        [hold] = await desk.take()
        await desk.commit(hold, taken="EV_participant_joined_a_ana")
        Intake(redis).look(SERVER, "a")
        assert await desk.take() == []
        await desk.queue.release(hold)
        [again] = await desk.take()
        assert [split_entry(e).id[:9] for e in again.entries] == ["lkd.look."]

    run(valkey, play)
