"""Agents come with their callers by join tokens of the real server, and none comes twice."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from livekit import api

from rules.event import whole_participant
from tests.live.participants import join_token
from tests.service.signed import ADMIN_TOKEN
from tests.waiting import eventually, throughout
from workers.join_token import permission_of

if TYPE_CHECKING:
    from tests.conftest import Figure
    from tests.live.house import House, OpenHouse
    from tests.live.participants import Participant, RealPeople
    from tests.live.receiver import Receiver

RULES = """
version: 1
rules:
  - id: beta
    on: participant_joined
    when: {participant: {kind: STANDARD}}
    dispatch:
      agent: greeter
      deployment: staging
      metadata: {customer: "{{ participant.identity }}"}
"""
SPEAKS = """
version: 1
rules:
  - id: speaks
    on: participant_joined
    when: {participant: {permission: {can_publish: true}}}
    dispatch: {agent: greeter}
  - id: listens
    on: participant_joined
    when: {participant: {permission: {can_publish: false}}}
    dispatch: {agent: nobody}
"""
ROOMS = 8


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(RULES, "", "staging")


def token(house: House, room: str, identity: str) -> str:
    done = house.up.run("token", room, "--identity", identity)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def join(house: House, people: RealPeople, given: str) -> Participant:
    return people.join(house.server.url, given)


def active(house: House, room: str) -> list[dict[str, Any]]:
    return house.up.dispatches(state="active", room=room)


def decided(house: House, room: str, token: dict[str, Any]) -> dict[str, Any]:
    """The API's answer to who asks for a token for `ana`."""
    question = {"room": {"name": room}, "participant": {"identity": "ana"}, "token": token}
    answer = httpx.post(
        f"http://127.0.0.1:{house.up.port}/api/v1/decide",
        json=question,
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        timeout=30,
    )
    return answer.raise_for_status().json()


def joins(receiver: Receiver, room: str) -> list[dict[str, Any]]:
    """`ana`, as the webhooks of a room tell of her joining."""
    told = receiver.of(room, "participant_joined")
    return [one.event["participant"] for one in told if one.identity == "ana"]


def listed(house: House, room: str) -> list[api.AgentDispatch]:
    found = house.server.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    return [dispatch for dispatch in found if dispatch.agent_name]


def open_room(house: House, room: str) -> None:
    asked = api.CreateRoomRequest(name=room)
    house.server.ask(lambda client: client.room.create_room(asked))


def test_the_agent_comes_by_the_token_and_is_the_only_one(
    house: House, real_people: RealPeople
) -> None:
    join(house, real_people, token(house, "beta-1", "ana"))
    [dispatch] = eventually(lambda: active(house, "beta-1"), timeout=60)
    [job] = house.jobs("beta-1")
    assert (job["worker_deployment"], job["metadata"]) == ("staging", '{"customer":"ana"}')
    assert job["dispatch_id"] == dispatch["dispatch_id"]
    assert job["attributes"]["lkd.dispatch"].startswith("T"), "LiveKit made it, of the token"
    throughout(lambda: len(house.agents("beta-1")) == len(listed(house, "beta-1")) == 1, 3)
    assert len(house.up.dispatches()) == len(house.jobs("beta-1")) == 1


def test_the_same_token_into_an_open_room_gets_one_agent_by_the_webhook(
    house: House, real_people: RealPeople
) -> None:
    given = token(house, "beta-1", "ana")
    open_room(house, "beta-1")
    join(house, real_people, given)
    [dispatch] = eventually(lambda: active(house, "beta-1"), timeout=60)
    [job] = house.jobs("beta-1")
    assert job["worker_deployment"] == "staging"
    assert job["attributes"]["lkd.dispatch"] == dispatch["id"], "we made it"
    throughout(lambda: len(house.agents("beta-1")) == len(listed(house, "beta-1")) == 1, 3)


def test_a_token_used_again_after_the_room_was_closed_gets_one_agent(
    house: House, real_people: RealPeople
) -> None:
    given = token(house, "beta-1", "ana")
    for session in (1, 2):
        ana = join(house, real_people, given)
        eventually(lambda: active(house, "beta-1"), timeout=60)
        throughout(lambda: len(house.agents("beta-1")) == len(listed(house, "beta-1")) == 1, 2)
        ana.leave()
        asked = api.DeleteRoomRequest(room="beta-1")
        house.server.ask(lambda client, asked=asked: client.room.delete_room(asked))
        over = lambda session=session: len(house.up.dispatches(state="ended")) == session  # noqa: E731
        eventually(over, timeout=60)
    assert len(house.jobs("beta-1")) == 2


def test_rules_are_asked_about_the_permission_that_the_webhook_tells(
    open_house: OpenHouse, real_people: RealPeople, receiver: Receiver
) -> None:
    house = open_house(SPEAKS, "", DISPATCHER_ADMIN_TOKEN=ADMIN_TOKEN)
    asked: list[dict[str, Any]] = [
        {},
        {"can_publish": False},
        {"can_publish_sources": []},
        {"can_publish_sources": ["microphone", "screen_share_audio"], "can_publish_data": False},
        {"can_subscribe": False, "can_subscribe_metrics": True},
        {"can_update_own_metadata": True, "hidden": True},
    ]
    for n, token in enumerate(asked):
        answer = decided(house, f"talk-{n}", token)
        join(house, real_people, answer["token"])
        [told] = eventually(lambda n=n: joins(receiver, f"talk-{n}"), timeout=60)
        permission = whole_participant(told)["permission"]
        assert permission == permission_of(token)
        agents = ["greeter" if permission["can_publish"] else "nobody"]
        assert [each["agentName"] for each in answer["agents"]] == agents
        found = eventually(lambda n=n: house.up.dispatches(room=f"talk-{n}"), timeout=60)
        assert [each["agent"] for each in found] == agents
        assert [each.agent_name for each in listed(house, f"talk-{n}")] == agents


@pytest.mark.timeout(300)
def test_time_from_the_callers_join_to_the_agents(
    house: House, real_people: RealPeople, receiver: Receiver, figure: Figure
) -> None:
    """Reported at each run; the bound only says that something is wrong."""
    took: dict[str, list[float]] = {"token": [], "webhook": [], "ignored": []}
    for n in range(ROOMS):
        for way, times in took.items():
            room = f"{way}-{n}"
            server = house.server
            plain = join_token(server.key, server.secret, room, "ana")
            given = plain if way == "webhook" else token(house, room, "ana")
            if way == "ignored":
                open_room(house, room)
            caller = join(house, real_people, given)
            ana, agent = (
                eventually(lambda room=room, who=who: _joined(receiver, room, who), timeout=60)
                for who in ("ana", "agent-")
            )
            times.append(agent - ana)
            caller.leave()
    shown = {way: f"{statistics.median(times) * 1000:.0f} ms" for way, times in took.items()}
    figure(
        f"caller's join to the agent's, {ROOMS} rooms each, medians: by a token {shown['token']},"
        f" by the webhook {shown['webhook']}, by it where the room was open and had a token's note"
        f" {shown['ignored']}"
    )
    assert all(statistics.median(times) < 3 for times in took.values())


def _joined(receiver: Receiver, room: str, identity: str) -> float:
    """When somebody's join was told; 0 if it was not yet."""
    joins = receiver.of(room, "participant_joined")
    return next((one.at for one in joins if one.identity.startswith(identity)), 0.0)
