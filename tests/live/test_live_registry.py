"""The registry tells which agents are deployed: of real workers, as they stop and start."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from livekit.api import CreateAgentDispatchRequest

from tests.service.signed import ADMIN_TOKEN
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Figure
    from tests.live.agent_worker import AgentWorker
    from tests.live.house import House, OpenHouse
    from tests.live.participants import Participant

RULES = """
version: 1
rules:
  - id: support
    on: participant_joined
    when: {room: {name: "support-*"}}
    dispatch: {agent: greeter}
  - id: beta
    on: participant_joined
    when: {room: {name: "beta-*"}}
    dispatch: {agent: greeter, deployment: staging}
"""


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house(
        RULES, "", "staging", DISPATCHER_ADMIN_TOKEN=ADMIN_TOKEN, DISPATCHER_RECONCILE_INTERVAL="1s"
    )


def rows(house: House) -> dict[tuple[str, str | None], dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{house.up.port}/api/v1/agents",
        headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        agents = json.load(answer)["agents"]
    return {(row["agent"], row["deployment"]): row for row in agents}


def statuses(house: House) -> tuple[str, str]:
    """Of production and of staging."""
    found = rows(house)
    return found["greeter", ""]["status"], found["greeter", "staging"]["status"]


def test_both_deployments_are_told_apart_as_one_is_stopped_and_started(
    house: House,
    agent_worker: Callable[..., AgentWorker],
    join: Callable[..., Participant],
    figure: Figure,
) -> None:
    eventually(lambda: statuses(house) == ("idle", "idle"), timeout=15)
    join(house.server, "support-1", "ana")
    eventually(lambda: statuses(house) == ("active", "idle"), timeout=60)
    row = rows(house)["greeter", ""]
    assert (row["sessions"], row["today"], row["success_rate"], row["rules"]) == (
        1, 1, 1.0, ["support"],
    )  # fmt: skip
    assert [taker["worker_id"] for taker in row["workers"]] == [house.workers[""].id]
    assert row["asked"][0]["url"] == house.workers[""].http_url

    staging = house.workers["staging"]
    staging.stop()
    began = time.monotonic()
    eventually(lambda: statuses(house) == ("active", "failing"), timeout=15)
    figure(f"a stopped worker was told of after {time.monotonic() - began:.1f} s")
    assert "does not answer" in rows(house)["greeter", "staging"]["warnings"][0]

    join(house.server, "beta-1", "ben")
    eventually(lambda: rows(house)["greeter", "staging"]["success_rate"] == 0.0, timeout=30)

    port = urlsplit(staging.http_url).port
    agent_worker(house.server, "greeter", "staging", port=port)
    eventually(lambda: rows(house)["greeter", "staging"]["warnings"] == [], timeout=15)
    assert statuses(house) == ("active", "failing"), "nobody has come since"
    join(house.server, "beta-2", "carla")
    eventually(lambda: statuses(house) == ("active", "active"), timeout=60)
    assert rows(house)["greeter", "staging"]["sessions"] == 1


def test_an_agent_that_somebody_else_sent_beside_ours_is_shown_with_a_warning(
    house: House, join: Callable[..., Participant]
) -> None:
    join(house.server, "support-1", "ana")
    eventually(lambda: house.up.dispatches(state="active"), timeout=60)
    asked = CreateAgentDispatchRequest(agent_name="greeter", room="support-1")
    house.server.ask(lambda api: api.agent_dispatch.create_dispatch(asked))

    def doubled() -> list[str]:
        return list(rows(house).get(("greeter", None), {}).get("warnings", []))

    [warning] = eventually(doubled, timeout=30)
    assert warning.startswith("in 1 room an agent that was not sent from here")
    row = rows(house)["greeter", None]
    assert (row["sessions"], row["strangers"], row["sources"]["strangers"]) == (
        1, 1, "LiveKit's listing of rooms, at each reconcile",
    )  # fmt: skip
