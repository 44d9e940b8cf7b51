"""Each named fault of the sandbox does what its name says, and is over when it should be."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import jwt
import pytest
from livekit import api
from livekit.api import TokenVerifier

from service.sandbox import FaultName, Sandbox, Worker, running
from tests.live.receiver import Receiver
from tests.waiting import eventually


@pytest.fixture
def sandbox():
    with running(Sandbox(job_listing_delay=0, workers=[Worker("greeter")])) as started:
        yield started


def ask(sandbox, question, *, patience=5.0):
    async def asking():
        async with api.LiveKitAPI(
            sandbox.url, sandbox.key, sandbox.secret, failover=False
        ) as client:
            async with asyncio.timeout(patience):
                return await question(client)

    return asyncio.run(asking())


def create(sandbox, room="support-1", *, patience=5.0, **fields):
    asked = api.CreateAgentDispatchRequest(room=room, agent_name="greeter", **fields)
    return ask(
        sandbox, lambda client: client.agent_dispatch.create_dispatch(asked), patience=patience
    )


def made(sandbox, room="support-1"):
    """How many dispatches of the greeter there are in truth."""
    opened = sandbox.rooms.open.get(room)
    dispatches = opened.dispatches.values() if opened else ()
    return sum(dispatch.agent_name == "greeter" for dispatch in dispatches)


@pytest.mark.parametrize(
    ("name", "status", "code", "done"),
    [
        ("unavailable", 503, "unavailable", 0),
        ("unavailable_after_work", 503, "unavailable", 1),
        ("too_many", 429, "resource_exhausted", 0),
        ("unauthorized", 401, "unknown", 0),
    ],
)
def test_a_fault_that_answers(sandbox, name, status, code, done):
    sandbox.fault(name, "CreateDispatch")
    with pytest.raises(api.TwirpError) as failed:
        create(sandbox)
    assert (failed.value.status, failed.value.code) == (status, code)
    assert made(sandbox) == done


@pytest.mark.parametrize(("name", "done"), [("cut", 1), ("cut_before_work", 0)])
def test_a_fault_that_cuts_the_connection(sandbox, name, done):
    sandbox.fault(name, "CreateDispatch")
    with pytest.raises(aiohttp.ClientError):
        create(sandbox)
    assert made(sandbox) == done
    (call,) = sandbox.calls.of("CreateDispatch")
    assert (call.status, call.fault, call.worked) == (None, name, bool(done))


@pytest.mark.parametrize(("name", "done"), [("hang", 0), ("hang_after_work", 1)])
def test_a_fault_that_never_answers(sandbox, name, done):
    sandbox.fault(name, "CreateDispatch")
    with pytest.raises(TimeoutError):
        create(sandbox, patience=0.3)
    assert made(sandbox) == done


def test_slow_works_at_once_and_answers_late(sandbox):
    sandbox.fault("slow", "CreateDispatch", seconds=5)
    with pytest.raises(TimeoutError):
        create(sandbox, patience=0.3)
    assert made(sandbox) == 1


def test_late_works_after_the_caller_has_gone(sandbox):
    sandbox.fault("late", "CreateDispatch", seconds=0.5)
    with pytest.raises(TimeoutError):
        create(sandbox, patience=0.1)
    assert made(sandbox) == 0
    eventually(lambda: made(sandbox) == 1)


def test_too_many_says_when_to_come_again(sandbox):
    sandbox.fault("too_many", seconds=3)

    async def post():
        token = api.AccessToken(sandbox.key, sandbox.secret).with_grants(
            api.VideoGrants(room_list=True)
        )
        headers = {"Authorization": f"Bearer {token.to_jwt()}"}
        url = f"{sandbox.url}/twirp/livekit.RoomService/ListRooms"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={}, headers=headers) as answer,
        ):
            return answer.status, answer.headers["Retry-After"]

    assert asyncio.run(post()) == (429, "3")


def test_an_old_server_sends_staging_to_production(sandbox):
    sandbox.fault("old_server")
    answer = create(sandbox, deployment="staging", attributes={"k": "v"})
    assert (answer.deployment, dict(answer.attributes)) == ("", {})
    eventually(lambda: sandbox.agents.workers[0].jobs)
    (call,) = sandbox.calls.of("CreateDispatch")
    assert call.request["deployment"] == "staging", "the log keeps what was asked"


def test_without_workers_nobody_is_offered_the_job_not_even_later(sandbox):
    sandbox.fault("no_worker")
    create(sandbox)
    sandbox.heal()
    later = create(sandbox)
    eventually(lambda: len(sandbox.agents.workers[0].jobs) == 1)
    assert sandbox.agents.workers[0].jobs[0].dispatch_id == later.id


def test_a_fault_ends_after_as_many_calls_as_it_was_told(sandbox):
    fault = sandbox.fault("unavailable", "CreateDispatch", times=2)
    for _ in range(2):
        with pytest.raises(api.TwirpError):
            create(sandbox)
    assert create(sandbox).agent_name == "greeter"
    assert fault.met == 2
    assert len(sandbox.calls.of("CreateDispatch")) == 3


def test_a_fault_concerns_the_methods_and_rooms_it_names(sandbox):
    sandbox.fault("unavailable", "CreateDispatch", rooms=["support-2"])
    create(sandbox, "support-1")
    with pytest.raises(api.TwirpError):
        create(sandbox, "support-2")
    ask(sandbox, lambda client: client.room.list_rooms(api.ListRoomsRequest(names=["support-2"])))


def test_a_healed_fault_is_over(sandbox):
    sandbox.fault("unavailable")
    sandbox.fault("cut")
    sandbox.heal("unavailable")
    assert [fault.name for fault in sandbox.faults.active] == [FaultName.CUT]
    sandbox.heal()
    create(sandbox)


def test_an_unknown_fault_is_refused(sandbox):
    with pytest.raises(ValueError, match="bad_luck"):
        sandbox.fault("bad_luck")


def test_lost_webhooks_never_come_and_held_ones_come_in_order():
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        sandbox.fault("webhooks_lost")
        sandbox.join("support-1", "ana")
        sandbox.heal()
        sandbox.fault("webhooks_held")
        sandbox.join("support-1", "ben")
        sandbox.join("support-1", "carla")
        sandbox.heal()
        eventually(lambda: len(webhooks.received) == 2)
        assert webhooks.told("support-1") == ["participant_joined ben", "participant_joined carla"]
        outcomes = [delivery.outcome for delivery in sandbox.webhooks.deliveries]
        assert outcomes[:2] == ["lost", "lost"]


def test_webhooks_of_one_room_are_held_and_others_go():
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        sandbox.fault("webhooks_held", rooms=["support-1"])
        sandbox.join("support-1", "ana")
        sandbox.join("support-2", "ben")
        eventually(lambda: len(webhooks.told("support-2")) == 2)
        assert webhooks.told("support-1") == []


def test_shuffled_webhooks_overtake_each_other_and_doubled_ones_come_twice():
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        sandbox.fault("webhooks_shuffled", seconds=0.5)
        sandbox.fault("webhooks_doubled", rooms=["support-2"])
        people = [f"caller-{n}" for n in range(20)]
        for caller in people:
            sandbox.join("support-1", caller)
        sandbox.join("support-2", "ana")
        eventually(lambda: len(webhooks.received) == 21 + 4)
        joins = [one.identity for one in webhooks.of("support-1", "participant_joined")]
        assert sorted(joins) == sorted(people)
        assert joins != people
        ids = [one.event["id"] for one in webhooks.of("support-2")]
        assert {ids.count(each) for each in ids} == {2}


@pytest.mark.parametrize("ahead", [30.0, -30.0])
def test_a_wrong_clock_stamps_all_there_is_and_is_right_again(ahead):
    """By a minute at most: up to then LiveKit takes our tokens, and we take its webhooks."""
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        sandbox.fault("clock", seconds=ahead)
        wrong = time.time() + ahead
        sandbox.join("support-1", "ana")
        made = create(sandbox)
        [started, joined] = eventually(lambda: len(webhooks.received) == 2 and webhooks.received)
        claims = jwt.decode(started.headers["authorization"], options={"verify_signature": False})
        stamped = [
            int(started.event["createdAt"]),
            int(started.event["room"]["creationTime"]),
            int(joined.event["participant"]["joinedAt"]),
            made.state.created_at / 1e9,
            claims["nbf"],
            claims["exp"] - 300,
        ]
        assert stamped == pytest.approx([wrong] * 6, abs=5)
        TokenVerifier(sandbox.key, sandbox.secret).verify(started.headers["authorization"])
        sandbox.heal("clock")
        assert sandbox.join("support-1", "ben").joined_at == pytest.approx(time.time(), abs=5)


def test_a_clock_that_is_wrong_by_more_refuses_our_tokens(sandbox):
    sandbox.fault("clock", seconds=-90)
    with pytest.raises(api.TwirpError) as failed:
        create(sandbox)
    assert failed.value.status == 401


def test_the_sandbox_stops_though_calls_hang_and_webhooks_are_being_retried():
    with Receiver() as webhooks:
        with running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
            sandbox.fault("hang")
            with webhooks.failing("support-1", *[503] * 9):
                sandbox.join("support-1", "ana")
                with pytest.raises(TimeoutError):
                    create(sandbox, patience=0.2)
                eventually(lambda: webhooks.received)
                began = time.monotonic()
        assert time.monotonic() - began < 2
