"""The main job with nothing stood in for: server, participants, agents and service are real."""

from __future__ import annotations

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from tests.live.house import environment
from tests.up import Up
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Figure
    from tests.live.house import House, OpenHouse
    from tests.live.livekit_server import LiveKitServer
    from tests.live.participants import Participant
    from tests.live.receiver import Receiver

    Join = Callable[..., Participant]

RULES = """
version: 1
rules:
  - id: spanish
    on: participant_joined
    when: {room: {name: "support-*", metadata: {lang: es}}}
    dispatch:
      agent: greeter
      metadata: {customer: "{{ participant.identity }}", lang: "{{ room.metadata.lang }}"}
      attributes: {source: rules}
  - id: beta
    on: participant_joined
    when: {room: {name: "beta-*"}}
    dispatch: {agent: greeter, deployment: staging}
"""
SPANISH = '{"lang":"es"}'


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(RULES, "", "staging")


def test_the_right_agent_joins_the_right_room_once(house: House, join: Join) -> None:
    create_room(house.server, "support-1", SPANISH)
    join(house.server, "support-1", "ana")
    [dispatch] = eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    [job] = house.jobs("support-1")
    assert json.loads(job["metadata"]) == {"customer": "ana", "lang": "es"}
    assert job["attributes"]["source"] == "rules"
    assert job["deployment"] == ""
    assert job["dispatch_id"] == dispatch["dispatch_id"]
    assert dispatch["agent_identity"] == f"agent-{job['id']}"


def test_a_staging_rule_reaches_only_the_staging_worker(house: House, join: Join) -> None:
    join(house.server, "beta-1", "ana")
    eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    assert len(house.workers["staging"].jobs("beta-1")) == 1
    assert not house.workers[""].jobs("beta-1")


def test_twenty_people_and_a_repeated_webhook_are_one_dispatch(
    house: House, join: Join, receiver: Receiver
) -> None:
    create_room(house.server, "support-1", SPANISH)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: join(house.server, "support-1", f"caller-{n}"), range(20)))
    eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    joins = eventually(lambda: _joins(receiver, "support-1", at_least=20), timeout=60)
    statuses = [house.up.post(one.body, _signed(one))[1] for one in joins[:3] for _ in range(2)]
    assert statuses == [{"status": "duplicate"}] * 6
    assert len(house.up.dispatches()) == 1
    assert len(house.jobs("support-1")) == 1


@pytest.mark.parametrize("reopened", [False, True], ids=["closed", "reopened"])
def test_a_join_that_comes_late_dispatches_nothing_and_makes_no_room(
    livekit_server: Callable[..., LiveKitServer],
    join: Join,
    receiver: Receiver,
    tmp_path: Path,
    reopened: bool,
) -> None:
    server = livekit_server(receiver.url)  # the service hears of nothing by itself
    create_room(server, "support-1", SPANISH)
    ana = join(server, "support-1", "ana")
    [delivery] = eventually(lambda: _joins(receiver, "support-1"))
    ana.leave()
    delete_room(server, "support-1")
    if reopened:
        create_room(server, "support-1", SPANISH)
    created = int(delivery.event["createdAt"])
    eventually(lambda: time.time() > created + 5)
    with Up(tmp_path, RULES, environment(server)) as up:
        assert up.post(delivery.body, _signed(delivery)) == (200, {"status": "accepted"})
        [dispatch] = eventually(lambda: up.dispatches(state="failed"), timeout=60)
    assert dispatch["reason"] == "room_ended"
    assert dispatch["dispatch_id"] is None
    assert rooms(server) == (["support-1"] if reopened else [])


def test_time_from_webhook_to_the_agents_join(
    house: House, join: Join, receiver: Receiver, figure: Figure
) -> None:
    """Reported at each run; the bound only says that something is wrong."""
    took = []
    for n in range(10):
        room = f"support-{n}"
        create_room(house.server, room, SPANISH)
        join(house.server, room, "ana")
        [human] = eventually(lambda room=room: _joins(receiver, room, "ana"))
        [agent] = eventually(lambda room=room: _joins(receiver, room, "agent-"), timeout=60)
        took.append(agent.at - human.at)
    median = statistics.median(took)
    figure(f"webhook to the agent's join, {len(took)} rooms: median {median * 1000:.0f} ms")
    assert median < 3


def _joins(receiver: Receiver, room: str, identity: str = "", at_least: int = 1) -> list[Any]:
    joins = [
        one for one in receiver.of(room, "participant_joined") if one.identity.startswith(identity)
    ]
    return joins if len(joins) >= at_least else []


def _signed(one: Any) -> dict[str, str]:
    names = {"authorization": "Authorization", "content-type": "Content-Type"}
    return {names[name]: value for name, value in one.headers.items() if name in names}


def create_room(server: LiveKitServer, room: str, metadata: str) -> None:
    asked = api.CreateRoomRequest(name=room, metadata=metadata)
    server.ask(lambda livekit: livekit.room.create_room(asked))


def delete_room(server: LiveKitServer, room: str) -> None:
    server.ask(lambda livekit: livekit.room.delete_room(api.DeleteRoomRequest(room=room)))


def rooms(server: LiveKitServer) -> list[str]:
    found = server.ask(lambda livekit: livekit.room.list_rooms(api.ListRoomsRequest()))
    return [room.name for room in found.rooms]
