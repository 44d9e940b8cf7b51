"""An event that cannot be decided is put aside, and its room goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from rules.event import read_event
from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.deadletters import DeadLetters
from workers.intake import Intake

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def room_key(house: House) -> str:
    return keys.room_key(house.settings.servers[0].id, "support-1")


def test_an_event_that_raises_three_times_is_put_aside_and_the_next_is_decided(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.redis.rpush(keys.INBOX + room_key(house), b"EV_bad\n{this is not JSON")
    sandbox.join("support-1", "ana")
    house.start_worker()
    eventually(lambda: house.dispatches(state="active"), timeout=15)
    [letter] = DeadLetters(house.redis).list()
    assert (letter.id, letter.room, letter.body) == ("EV_bad", "support-1", "{this is not JSON")
    assert "JSONDecodeError" in letter.error
    with pytest.raises(ValueError, match="cannot be replayed"):
        DeadLetters(house.redis).replay("EV_bad")


def test_an_event_its_worker_died_of_three_times_is_put_aside_and_can_be_replayed(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    person = sandbox.join("support-1", "ana")
    room = sandbox.rooms.open["support-1"].info
    event = read_event(
        {
            "event": "participant_joined",
            "id": "EV_deadly",
            "createdAt": int(time.time()),
            "room": {"sid": room.sid, "name": "support-1", "creationTime": room.creation_time},
            "participant": {"sid": person.sid, "identity": "ana", "state": "ACTIVE"},
        },
        project="devkey",
    )
    Intake(house.redis).accept(house.settings.servers[0].id, event)
    house.redis.hset(keys.ROOM + room_key(house), mapping={"trying": "EV_deadly", "tries": 3})
    house.start_worker()
    [letter] = eventually(DeadLetters(house.redis).list)
    assert "died three times" in letter.error
    assert not house.dispatches()
    sandbox.heal()
    assert DeadLetters(house.redis).replay("EV_deadly")
    eventually(lambda: house.dispatches(state="active"))
    assert not DeadLetters(house.redis).list()
    assert not DeadLetters(house.redis).replay("EV_deadly"), "it has left the list"
