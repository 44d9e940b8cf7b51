"""Agents that do not come, die, or are sent away by hand, on the real server."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from livekit.api import RoomParticipantIdentity

from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Figure
    from tests.live.agent_worker import AgentWorker
    from tests.live.house import House, OpenHouse
    from tests.live.participants import Participant

    Join = Callable[..., Participant]

RULES = """
version: 1
rules:
  - id: beta
    on: participant_joined
    when: {room: {name: "beta-*"}}
    dispatch: {agent: greeter, deployment: beta}
    join_within: 2s
    fallback: [{deployment: ""}]
  - id: greet
    on: participant_joined
    when: {room: {name: "call-*"}}
    dispatch: {agent: greeter}
    release: {when: last_human_left, after: 1s}
"""


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(RULES, "")


def active_rooms(house: House, rooms: set[str]) -> None:
    """Wait until there are agents in these rooms and no others."""

    def only_there() -> bool:
        told = [(d["room"], d["state"], d["reason"]) for d in house.up.dispatches()]
        assert {room for room, state, _ in told if state == "active"} == rooms, told
        return True

    eventually(only_there, 60)


def states(house: House) -> list[str]:
    return [d["state"] for d in sorted(house.up.dispatches(), key=lambda d: d["created_at"])]


def test_a_deployment_nobody_serves_falls_back_to_production(
    house: House, join: Join, figure: Figure
) -> None:
    join(house.server, "beta-1", "ana")
    eventually(lambda: states(house) == ["superseded", "active"], timeout=60)
    [before] = house.up.dispatches(state="superseded")
    [after] = house.up.dispatches(state="active")
    assert before["reason"].startswith("no_worker: ")
    assert (before["deployment"], after["deployment"]) == ("beta", "")
    waited = seconds(after["created_at"]) - seconds(before["accepted_at"])
    figure(f"fell back after {waited:.2f} s, joined after {joined(before, after):.2f} s")
    assert waited < 2 + 1
    assert len(house.agents("beta-1")) == 1


def test_an_agent_whose_process_is_killed_is_back(
    house: House, join: Join, agent_worker: Callable[..., AgentWorker], figure: Figure
) -> None:
    join(house.server, "call-1", "ana")
    eventually(lambda: states(house) == ["active"], timeout=60)
    agent_worker(house.server, "greeter")  # takes over, as in any rolling deployment
    os.kill(house.workers[""].process.pid, signal.SIGKILL)
    eventually(lambda: states(house) == ["ended", "active"], timeout=60)
    [before] = house.up.dispatches(state="ended")
    [after] = house.up.dispatches(state="active")
    took = seconds(after["joined_at"]) - seconds(before["ended_at"])
    figure(f"a killed agent was back {took:.2f} s after LiveKit told of {before['reason']}")
    assert took < 3
    assert house.agents("call-1") == [after["agent_identity"]]


@pytest.mark.parametrize("hand", ["dispatch", "participant"])
def test_an_agent_sent_away_by_hand_stays_away(house: House, join: Join, hand: str) -> None:
    join(house.server, "call-1", "ana")
    [active] = eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    if hand == "dispatch":
        dispatch_id = active["dispatch_id"]
        house.server.ask(lambda api: api.agent_dispatch.delete_dispatch(dispatch_id, "call-1"))
    else:
        identity = RoomParticipantIdentity(room="call-1", identity=active["agent_identity"])
        house.server.ask(lambda api: api.room.remove_participant(identity))
    eventually(lambda: house.up.dispatches(state="active") == [], timeout=60)
    eventually(lambda: house.up.dispatches(state="scheduled") == [], timeout=60)
    join(house.server, "beta-1", "eva")
    active_rooms(house, {"beta-1"})
    join(house.server, "call-1", "ben")
    join(house.server, "call-2", "zoe")
    active_rooms(house, {"beta-1", "call-2"})
    assert house.agents("call-1") == []


def test_an_agent_leaves_when_nobody_needs_it_any_more(house: House, join: Join) -> None:
    ana = join(house.server, "call-1", "ana")
    eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    ana.leave()
    [released] = eventually(lambda: house.up.dispatches(state="released"), timeout=60)
    assert released["reason"] == "last_human_left"
    eventually(lambda: house.agents("call-1") == [], timeout=10)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def joined(before: dict[str, Any], after: dict[str, Any]) -> float:
    return seconds(after["joined_at"]) - seconds(before["accepted_at"])
