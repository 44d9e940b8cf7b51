"""From CreateDispatch to the agent that leaves."""

from __future__ import annotations

import secrets
import time

from livekit import api

from tests.waiting import eventually

AGENT = api.ParticipantInfo.Kind.AGENT


def joined(livekit, room):
    return eventually(lambda: livekit.webhooks.of(room, "participant_joined"))[0].event


def listed_jobs(livekit, room, dispatch_id):
    """The server may take 5 s to list a job whose agent has long joined."""
    return eventually(lambda: livekit.get_dispatch(room, dispatch_id).state.jobs, timeout=15)


def test_an_agent_joins_and_can_be_told_by_its_kind_name_and_identity(livekit, room):
    dispatch = livekit.dispatch(room)
    agent = joined(livekit, room)["participant"]
    (job,) = listed_jobs(livekit, room, dispatch.id)
    assert agent["kind"] == "AGENT"
    assert agent["attributes"] == {"lk.agent.name": "greeter", "lk.agent_name": "greeter"}
    assert agent["identity"] == f"agent-{job.id}" == job.state.participant_identity
    assert agent["permission"]["agent"] is True
    assert livekit.participants(room)[agent["identity"]].kind == AGENT


def test_the_agent_reads_what_the_dispatch_said(livekit, room):
    livekit.dispatch(room, metadata="für dich", attributes={"a": "b"})
    (job,) = eventually(lambda: livekit.jobs(room))
    assert job["agent_name"] == "greeter"
    assert job["metadata"] == "für dich"
    assert job["attributes"] == {"a": "b"}
    assert job["deployment"] == ""


def test_a_listed_job_names_worker_room_and_state(livekit, room):
    before = time.time_ns()
    dispatch = livekit.dispatch(room, metadata="m", attributes={"a": "b"}, deployment="staging")
    (job,) = listed_jobs(livekit, room, dispatch.id)
    assert job.id.startswith("AJ_")
    assert job.dispatch_id == dispatch.id
    assert (job.agent_name, job.metadata, dict(job.attributes)) == ("greeter", "m", {"a": "b"})
    assert job.deployment == "staging"
    assert job.state.status == api.JobStatus.JS_RUNNING
    assert job.state.worker_id == livekit.worker_id("staging")
    assert before < job.state.started_at < time.time_ns()
    assert job.state.ended_at == 0
    assert job.room.name == room
    assert job.room.turn_password, "the secret comes along here too"


def test_a_deployment_is_matched_exactly(livekit, room):
    livekit.dispatch(room, deployment="staging")
    (job,) = eventually(lambda: livekit.jobs(room))
    assert job["worker_deployment"] == "staging"


def test_production_is_no_fallback_for_a_deployment_nobody_has(livekit, room):
    nowhere = livekit.dispatch(room, deployment="nowhere")
    somewhere = livekit.dispatch(f"{room}-2", deployment="staging")
    listed_jobs(livekit, f"{room}-2", somewhere.id)
    assert list(livekit.get_dispatch(room, nowhere.id).state.jobs) == []
    assert livekit.jobs(room) == []


def test_a_dispatch_of_an_agent_nobody_runs_stays_without_a_job(livekit, room):
    unknown = livekit.dispatch(room, "unknown")
    known = livekit.dispatch(f"{room}-2")
    listed_jobs(livekit, f"{room}-2", known.id)
    assert list(livekit.get_dispatch(room, unknown.id).state.jobs) == []
    assert livekit.participants(room) == {}


def test_the_agent_of_a_deleted_dispatch_leaves_of_its_own_accord(livekit, room):
    dispatch = livekit.dispatch(room)
    joined(livekit, room)
    livekit.delete_dispatch(room, dispatch.id)
    left = eventually(lambda: livekit.webhooks.of(room, "participant_left"), timeout=15)
    assert left[0].event["participant"]["disconnectReason"] == "CLIENT_INITIATED"
    assert livekit.participants(room) == {}


def test_an_agent_whose_dispatch_is_deleted_before_it_has_joined_can_stay(livekit, room):
    """Its worker ignores that a job it has not started yet is to end; mostly, not always."""
    warm = livekit.dispatch(room)
    listed_jobs(livekit, room, warm.id)

    def stays() -> bool:
        deleted = f"{room}-{secrets.token_hex(4)}"
        livekit.delete_dispatch(deleted, livekit.dispatch(deleted).id)
        (job,) = eventually(lambda: livekit.jobs(deleted))
        eventually(lambda: livekit.webhooks.of(deleted, "participant_joined"), timeout=3)
        here = livekit.participants(deleted)
        listed = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(deleted))
        return f"agent-{job['id']}" in here and "greeter" not in {d.agent_name for d in listed}

    eventually(stays, timeout=60)


def test_the_job_of_an_agent_that_left_is_listed_as_running_for_ever(livekit, room):
    livekit.join(room, "ana")
    dispatch = livekit.dispatch_to("leave", room)
    left = eventually(lambda: livekit.webhooks.of(room, "participant_left"), timeout=15)
    assert left[0].event["participant"]["disconnectReason"] == "CLIENT_INITIATED"
    (job,) = listed_jobs(livekit, room, dispatch.id)
    assert job.state.status == api.JobStatus.JS_RUNNING


def test_a_worker_that_is_not_available_leaves_no_job(livekit, room):
    refused = livekit.dispatch_to("refuse", room)
    taken = livekit.dispatch(f"{room}-2")
    listed_jobs(livekit, f"{room}-2", taken.id)
    assert list(livekit.get_dispatch(room, refused.id).state.jobs) == []


def test_a_worker_that_declines_leaves_a_job_that_has_succeeded(livekit, room):
    declined = livekit.dispatch_to("end", room)
    (job,) = listed_jobs(livekit, room, declined.id)
    assert job.state.status == api.JobStatus.JS_SUCCESS
    assert job.state.participant_identity == ""
    assert job.state.ended_at == job.state.started_at
    assert livekit.participants(room) == {}


def test_an_agent_may_have_an_identity_of_its_own_choosing(livekit, room):
    dispatch = livekit.dispatch_to("rename", room)
    (job,) = listed_jobs(livekit, room, dispatch.id)
    assert job.state.participant_identity == f"renamed-{job.id}"
    assert joined(livekit, room)["participant"]["identity"] == f"renamed-{job.id}"


def test_an_agent_on_its_way_opens_a_room_that_was_deleted_anew(livekit, room):
    livekit.dispatch(room)
    asked = api.DeleteRoomRequest(room=room)
    livekit.ask(lambda client: client.room.delete_room(asked))
    eventually(lambda: livekit.webhooks.of(room, "participant_joined"))
    told = [event.split()[0] for event in livekit.webhooks.told(room)]
    assert told == ["room_started", "room_finished", "room_started", "participant_joined"]
    first, second = livekit.webhooks.of(room, "room_started")
    assert first.event["room"]["sid"] != second.event["room"]["sid"]


def test_a_token_dispatches_when_its_bearer_creates_the_room(livekit, room):
    config = api.RoomConfiguration(
        agents=[
            api.RoomAgentDispatch(
                agent_name="greeter", metadata="by token", deployment="staging",
                attributes={"a": "b"},
            )
        ]
    )  # fmt: skip
    livekit.join(room, "ana", room_config=config)
    (job,) = eventually(lambda: livekit.jobs(room))
    assert (job["metadata"], job["deployment"]) == ("by token", "staging")
    assert job["attributes"] == {"a": "b"}
    (dispatch,) = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert dict(dispatch.attributes) == {"a": "b"}


def test_a_token_dispatches_nobody_into_a_room_that_is_open(livekit, room):
    livekit.join(room, "ana")
    config = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")])
    livekit.join(room, "ben", room_config=config)
    listed = livekit.ask(lambda client: client.agent_dispatch.list_dispatch(room))
    assert [dispatch.agent_name for dispatch in listed] == [""]
