"""Workers that misbehave in the ways real ones do."""

from __future__ import annotations

import asyncio

import pytest
from livekit import api

from service.sandbox import Sandbox, Worker, running
from tests.live.receiver import Receiver
from tests.waiting import eventually


@pytest.fixture
def webhooks():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox(webhooks):
    with running(Sandbox(job_listing_delay=0, webhook_urls=[webhooks.url])) as started:
        yield started


def ask(sandbox, question):
    async def asking():
        async with api.LiveKitAPI(sandbox.url, sandbox.key, sandbox.secret) as client:
            return await question(client)

    return asyncio.run(asking())


def create(sandbox, room, **fields):
    asked = api.CreateAgentDispatchRequest(room=room, agent_name="greeter", **fields)
    return ask(sandbox, lambda client: client.agent_dispatch.create_dispatch(asked))


def delete(sandbox, dispatch):
    ask(
        sandbox,
        lambda client: client.agent_dispatch.delete_dispatch(dispatch.id, dispatch.room),
    )


def test_a_worker_whose_agents_never_come_leaves_a_running_job(sandbox, webhooks):
    sandbox.add_worker(Worker("greeter", joins=False))
    dispatch = create(sandbox, "support-1")
    found = sandbox.rooms.open["support-1"].dispatches[dispatch.id]
    eventually(lambda: found.state.jobs)
    assert found.state.jobs[0].state.status == api.JobStatus.JS_RUNNING
    assert webhooks.of("support-1", "participant_joined") == []


def test_the_agent_of_an_unreachable_worker_stays_when_its_dispatch_is_deleted(sandbox, webhooks):
    worker = sandbox.add_worker(Worker("greeter", reachable=False))
    dispatch = create(sandbox, "support-1")
    eventually(lambda: webhooks.of("support-1", "participant_joined"))
    delete(sandbox, dispatch)
    (identity,) = sandbox.rooms.open["support-1"].participants
    asked = api.RoomParticipantIdentity(room="support-1", identity=identity)
    ask(sandbox, lambda client: client.room.remove_participant(asked))
    left = eventually(lambda: webhooks.of("support-1", "participant_left"))
    assert left[0].event["participant"]["disconnectReason"] == "PARTICIPANT_REMOVED"
    assert len(worker.jobs) == 1


def test_a_crashed_agent_is_missed_by_the_server(sandbox, webhooks):
    sandbox.add_worker(Worker("greeter", identity="greeter-1"))
    create(sandbox, "support-1")
    eventually(lambda: webhooks.of("support-1", "participant_joined"))
    sandbox.leave("support-1", "greeter-1", "CONNECTION_TIMEOUT")
    left = eventually(lambda: webhooks.of("support-1", "participant_left"))
    assert left[0].event["participant"]["disconnectReason"] == "CONNECTION_TIMEOUT"


def test_a_worker_that_comes_later_gets_nothing(sandbox):
    create(sandbox, "support-1")
    late = sandbox.add_worker(Worker("greeter"))
    create(sandbox, "support-2")
    eventually(lambda: late.jobs)
    assert [job.room.name for job in late.jobs] == ["support-2"]


def test_somebody_whose_media_never_gets_through_is_listed_and_aborts(sandbox, webhooks):
    sandbox.join("support-1", "ana", active=False)
    asked = api.ListParticipantsRequest(room="support-1")
    answer = ask(sandbox, lambda client: client.room.list_participants(asked))
    assert [p.state for p in answer.participants] == [api.ParticipantInfo.State.JOINED]
    sandbox.leave("support-1", "ana")
    eventually(
        lambda: webhooks.told("support-1") == ["room_started", "participant_connection_aborted ana"]
    )


def test_changes_nobody_is_told_of_are_listed(sandbox, webhooks):
    sandbox.join("support-1", "ana", room_metadata="old")
    sandbox.update_room("support-1", metadata="new")
    sandbox.update_participant("support-1", "ana", metadata="m", attributes={"k": "v"})
    rooms = ask(sandbox, lambda client: client.room.list_rooms(api.ListRoomsRequest()))
    assert rooms.rooms[0].metadata == "new"
    asked = api.ListParticipantsRequest(room="support-1")
    (ana,) = ask(sandbox, lambda client: client.room.list_participants(asked)).participants
    assert (ana.metadata, dict(ana.attributes)) == ("m", {"k": "v"})
    eventually(lambda: len(webhooks.told("support-1")) == 2)


def test_an_event_of_ones_own_making_is_sent_as_any_other(sandbox, webhooks):
    egress = {"egressId": "EG_1", "roomName": "support-1", "status": "EGRESS_ACTIVE"}
    sandbox.send({"event": "egress_started", "egressInfo": egress})
    (received,) = eventually(lambda: webhooks.received)
    assert received.event["egressInfo"] == egress
    assert received.event["id"].startswith("EV_")
