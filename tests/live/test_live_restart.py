"""The real server goes down in the middle of calls and comes back with no rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit.protocol.room import ListRoomsRequest

from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.house import House, OpenHouse
    from tests.live.participants import Participant

    Join = Callable[..., Participant]

RULES = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter}
"""
ROOMS = {"call-0", "call-1", "call-2"}


@pytest.mark.timeout(240)
def test_calls_that_a_server_took_down_with_it_are_over_and_new_ones_have_their_agent(
    open_house: OpenHouse, join: Join
) -> None:
    """No webhook tells that the rooms have ended.

    It is away until agents give up: those that connect again by themselves, with the tokens they
    have, open rooms of the same names and are in them when new callers come.
    """
    house = open_house(RULES, "", DISPATCHER_RECONCILE_INTERVAL="2s")
    callers = [join(house.server, room, "ana") for room in sorted(ROOMS)]
    before = active(house)
    house.server.kill()
    for ana in callers:
        ana.leave()
    worker = house.workers[""]
    eventually(lambda: len(worker.lines("ended")) == len(ROOMS), timeout=120, interval=0.2)
    assert {d["state"] for d in house.up.dispatches()} == {"active"}  # LiveKit has not said more

    house.server.start()
    eventually(lambda: not house.up.dispatches(state="active"), timeout=20)
    assert {(d["state"], d["reason"]) for d in house.up.dispatches()} == {("ended", "room_ended")}
    asked = ListRoomsRequest()
    assert not house.server.ask(lambda api: api.room.list_rooms(asked)).rooms
    eventually(lambda: len(worker.lines("registered")) == 2, timeout=60)

    for room in ROOMS:
        join(house.server, room, "ben")
    after = active(house)
    for room in ROOMS:
        assert after[room]["room_sid"] != before[room]["room_sid"]
        assert house.agents(room) == [after[room]["agent_identity"]]
        listed = house.server.ask(lambda api, room=room: api.agent_dispatch.list_dispatch(room))
        assert [d.id for d in listed if d.agent_name] == [after[room]["dispatch_id"]]
        assert [job["room_sid"] for job in house.jobs(room)] == [
            before[room]["room_sid"],
            after[room]["room_sid"],
        ]
    assert len(house.up.dispatches()) == 2 * len(ROOMS)


def active(house: House) -> dict[str, dict[str, str]]:
    """The active dispatches by their rooms, when each room has one."""

    def found() -> dict[str, dict[str, str]]:
        dispatches = house.up.dispatches(state="active")
        assert sorted(d["room"] for d in dispatches) == sorted(ROOMS)
        return {d["room"]: d for d in dispatches}

    return eventually(found, timeout=40)
