"""A room whose record cannot be read fails alone; one of another version is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.waiting import eventually
from tests.workers.conftest import GREET
from workers import keys
from workers.record import Record

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


def test_the_loop_outlives_it_and_the_rooms_beside_it_are_served(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    bad = keys.room_key(house.settings.servers[0].id, "broken")
    house.redis.hset(keys.ROOM + bad, "record", '{"session": 7}')
    house.redis.zadd(keys.DUE, {bad: 1})
    loop = house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    assert loop.alive
    assert loop.error is None


def test_a_record_that_lacks_what_this_version_keeps_is_read() -> None:
    given = json.loads(Record(past=("RM_0",)).to_json())
    del given["dispatches"]
    assert Record.from_json(json.dumps(given)) == Record(past=("RM_0",))
