"""An agent is sent by hand into a live call of the real server, and goes by hand again."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from livekit.api import CreateAgentDispatchRequest, ListRoomsRequest

from tests.service.signed import ADMIN_TOKEN
from tests.waiting import eventually, throughout

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
    when: {room: {name: "support-*"}}
    dispatch: {agent: greeter}
"""


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(RULES, "", "staging", DISPATCHER_ADMIN_TOKEN=ADMIN_TOKEN)


def ask(
    house: House, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", house.up.port, timeout=10)
    given = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    try:
        raw = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", raw, {**given, **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_an_agent_sent_by_hand_joins_and_one_deleted_by_hand_is_not_sent_again(
    house: House, join: Join
) -> None:
    join(house.server, "support-1", "ana")
    [ruled] = eventually(lambda: house.up.dispatches(state="active"), timeout=60)

    order = {
        "room": "support-1", "agent": "greeter", "deployment": "staging",
        "metadata": {"why": "by hand"}, "attributes": {"source": "hand"},
    }  # fmt: skip
    key = {"Idempotency-Key": "once"}
    first, again = (ask(house, "POST", "/dispatches", order, **key) for _ in range(2))
    assert (first[0], again[0], first[1]["id"]) == (202, 202, again[1]["id"])
    eventually(lambda: len(house.up.dispatches(state="active")) == 2, timeout=60)
    [job] = house.workers["staging"].jobs("support-1")
    assert json.loads(job["metadata"]) == {"why": "by hand"}
    assert job["attributes"]["source"] == "hand"

    for dispatch_id in (first[1]["id"], ruled["id"]):
        assert ask(house, "DELETE", f"/dispatches/{dispatch_id}")[0] == 202
    eventually(lambda: len(house.up.dispatches(state="released")) == 2, timeout=60)
    eventually(lambda: house.agents("support-1") == [], timeout=60)
    join(house.server, "support-1", "ben")
    throughout(lambda: house.agents("support-1") == [], 2)
    assert len(house.up.dispatches()) == 2
    assert ask(house, "DELETE", f"/dispatches/{ruled['id']}")[0] == 409


def test_nobody_is_sent_to_a_room_that_is_not_there_and_none_is_made(house: House) -> None:
    done = house.up.run("dispatches", "create", "nowhere", "greeter", "--wait")
    assert done.returncode == 1
    assert "no_room" in done.stderr
    assert house.server.ask(_rooms) == []


def test_a_strangers_agent_is_removed_by_its_identity(house: House, join: Join) -> None:

    join(house.server, "other-1", "ana")
    asked = CreateAgentDispatchRequest(agent_name="greeter", room="other-1")
    house.server.ask(lambda api: api.agent_dispatch.create_dispatch(asked))
    [identity] = eventually(lambda: house.agents("other-1"), timeout=60)
    status, _ = ask(house, "DELETE", f"/rooms/other-1/agents/{quote(identity, safe='')}")
    assert status == 202
    eventually(lambda: house.agents("other-1") == [], timeout=60)


async def _rooms(api: Any) -> list[str]:

    return [room.name for room in (await api.room.list_rooms(ListRoomsRequest())).rooms]
