"""What only the real server, client and agents can show; the rest is in `tests/contract`."""

from __future__ import annotations

import json
import urllib.request

from livekit import api

from tests.waiting import eventually


def test_a_killed_agent_stays_until_the_server_misses_it(
    livekit_server, agent_worker, join, receiver
):
    server = livekit_server(receiver.url)
    worker = agent_worker(server, "greeter", "staging")
    join(server, "support-1", "ana")
    asked = api.CreateAgentDispatchRequest(
        room="support-1", agent_name="greeter", deployment="staging"
    )
    server.ask(lambda client: client.agent_dispatch.create_dispatch(asked))
    eventually(lambda: len(receiver.of("support-1", "participant_joined")) == 2)
    (job,) = worker.jobs("support-1")
    worker.stop()
    left = eventually(lambda: receiver.of("support-1", "participant_left"), timeout=40)[0]
    joined = receiver.of("support-1", "participant_joined")[1]
    assert left.event["participant"]["identity"] == f"agent-{job['id']}"
    assert left.event["participant"]["disconnectReason"] == "CONNECTION_TIMEOUT"
    assert left.at - joined.at > 10


def test_a_worker_tells_its_name_and_not_its_deployment(livekit_server, agent_worker):
    worker = agent_worker(livekit_server(), "greeter", "staging")
    with urllib.request.urlopen(f"{worker.http_url}/worker") as answer:
        told = json.load(answer)
    assert told["agent_name"] == "greeter"
    assert "staging" not in json.dumps(told)


def test_without_auto_create_a_dispatch_finds_no_room(livekit_server):
    server = livekit_server(room={"auto_create": False})
    asked = api.CreateAgentDispatchRequest(room="support-1", agent_name="greeter")

    async def create(client):
        try:
            await client.agent_dispatch.create_dispatch(asked)
        except api.TwirpError as error:
            return error

    refused = server.ask(create)
    assert (refused.status, refused.code) == (503, "unavailable")
