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
    join_within: 5s
    fallback: [{agent: greeter}, {agent: greeter}, {agent: greeter}]
"""
"""On a machine that is busy the server may find no worker in time: it is asked again."""
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
    before = taken_down(house, join)
    worker = house.workers[""]
    eventually(lambda: len(worker.lines("ended")) == len(ROOMS), timeout=120, interval=0.2)
    assert {d["state"] for d in asked(house)} == {"active"}  # LiveKit has not said more

    house.server.start()
    eventually(lambda: not house.up.dispatches(state="active"), timeout=60)
    assert {(d["state"], d["reason"]) for d in asked(house)} == {("ended", "room_ended")}
    assert not house.server.ask(lambda api: api.room.list_rooms(ListRoomsRequest())).rooms
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
    assert len(asked(house)) == 2 * len(ROOMS)


@pytest.mark.timeout(240)
def test_agents_that_come_back_by_themselves_make_way_for_those_of_the_new_calls(
    open_house: OpenHouse, join: Join
) -> None:
    """The server is away for a moment only: agents connect again with the tokens they have."""
    house = open_house(RULES, "", DISPATCHER_RECONCILE_INTERVAL="2s")
    before = taken_down(house, join)
    house.server.start()
    eventually(lambda: all(is_back(house, room, before) for room in ROOMS), timeout=60)
    eventually(lambda: len(house.workers[""].lines("registered")) == 2, timeout=60)
    for room in ROOMS:
        join(house.server, room, "ben")
    eventually(lambda: all(has_its_own(house, room, before) for room in ROOMS), timeout=40)


def taken_down(house: House, join: Join) -> dict[str, dict[str, str]]:
    """Kill the server in the middle of calls, whose callers then hang up; their dispatches."""
    callers = [join(house.server, room, "ana") for room in sorted(ROOMS)]
    before = active(house)
    house.server.kill()
    for ana in callers:
        ana.leave()
    return before


def is_back(house: House, room: str, before: dict[str, dict[str, str]]) -> bool:
    """Whether the agent of the call before is in the room's new session, and we know of that."""
    known = [d["state"] for d in asked(house) if d["room"] == room]
    return known == ["ended"] and house.agents(room) == [before[room]["agent_identity"]]


def has_its_own(house: House, room: str, before: dict[str, dict[str, str]]) -> bool:
    """Whether the room has one agent, which was sent for its new session."""
    after = house.up.dispatches(room=room, state="active")
    assert before[room]["room_sid"] not in {d["room_sid"] for d in after}
    return len(after) == 1 and house.agents(room) == [after[0]["agent_identity"]]


def asked(house: House) -> list[dict[str, str]]:
    """The dispatches for which a worker was found."""
    return [d for d in house.up.dispatches() if d["state"] != "superseded"]


def active(house: House) -> dict[str, dict[str, str]]:
    """The active dispatches by their rooms, when each room has one."""

    def found() -> dict[str, dict[str, str]]:
        dispatches = house.up.dispatches(state="active")
        assert sorted(d["room"] for d in dispatches) == sorted(ROOMS)
        return {d["room"]: d for d in dispatches}

    return eventually(found, timeout=40)
