"""The sample traffic, and the sandbox under more than that."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from livekit import api

import rules
from rules.decide import decide
from rules.event import read_event
from rules.known import Known
from rules.loader import load
from rules.session import Session, observe
from service.sandbox import (
    ARRIVALS,
    DEPARTURES,
    EXPECTED,
    Sandbox,
    play,
    play_from_outside,
    running,
)
from service.sandbox.traffic import Expected
from tests.live.receiver import Receiver
from tests.waiting import eventually


async def list_rooms(sandbox):
    async with api.LiveKitAPI(sandbox.url, sandbox.key, sandbox.secret, failover=False) as client:
        listed = await client.room.list_rooms(api.ListRoomsRequest())
        return {room.name for room in listed.rooms}


def test_the_sample_traffic_is_told_scene_by_scene():
    told = []
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        arrived = play_from_outside(sandbox, ARRIVALS, tell=told.append)
        left = play_from_outside(sandbox, DEPARTURES, tell=told.append)
        eventually(lambda: len(webhooks.received) == arrived.events + left.events)
        assert webhooks.told("support-1") == [
            "room_started",
            "participant_joined ana",
            "participant_joined luis",
            "track_published ana",
            "participant_left luis",
        ]
        spanish = webhooks.of("support-1", "room_started")[0].event
        assert json.loads(spanish["room"]["metadata"]) == {"lang": "es"}
        caller = webhooks.of("call-7001", "participant_joined")[0].event["participant"]
        assert caller["kind"] == "SIP"
        assert caller["attributes"]["sip.trunkPhoneNumber"] == "+34910000001"
    assert told == list(arrived.scenes + left.scenes)


def test_the_sample_rules_make_of_the_arrivals_just_what_is_expected():
    ruleset = load(Path(rules.__file__).parent / "examples" / "demo.yaml")
    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        arrived = play_from_outside(sandbox, ARRIVALS)
        eventually(lambda: len(webhooks.received) == arrived.events)
    sessions, live, made = {}, {}, set()
    for received in webhooks.received:
        event = read_event(received.event, project="devkey")
        session = sessions.get(event.room_sid, Session(event.room_sid))
        sessions[event.room_sid], event = observe(session, event)
        for decision in decide(ruleset, event, sessions[event.room_sid], Known(live=live)):
            for plan in decision.plans:
                live[plan.claim.key] = plan.rule
                made.add(Expected(event.room_name, plan.agent, plan.deployment))
    assert made == set(EXPECTED)


def test_it_runs_on_a_loop_of_ones_own():
    async def whole():
        async with Sandbox() as sandbox:
            played = await play(sandbox)
            return played, await list_rooms(sandbox)

    played, rooms = asyncio.run(whole())
    assert played.events == 17
    assert rooms == {"support-1", "support-2", "call-7001", "beta-1", "beta-4", "lobby-1"}


def test_it_may_be_away_for_a_while_and_come_back_with_its_rooms():
    with Receiver() as webhooks:
        sandbox = Sandbox(webhook_urls=[webhooks.url])
        for number in (1, 2):
            with running(sandbox):
                sandbox.fault("slow", seconds=0.01)
                sandbox.join("support-1", f"caller-{number}")
                rooms = asyncio.run(list_rooms(sandbox))
                eventually(lambda: len(webhooks.received) > sandbox.webhooks.count - 1)
            with pytest.raises(aiohttp.ClientConnectorError):
                asyncio.run(list_rooms(sandbox))
    assert rooms == {"support-1"}
    assert len(webhooks.of("support-1", "room_started")) == 1


def test_hundreds_of_rooms_at_once_lose_and_double_nothing():
    rooms = [f"room-{number}" for number in range(300)]

    async def dispatch_to_all(sandbox):
        async with api.LiveKitAPI(
            sandbox.url, sandbox.key, sandbox.secret, failover=False
        ) as client:
            return await asyncio.gather(
                *(
                    client.agent_dispatch.create_dispatch(
                        api.CreateAgentDispatchRequest(room=room, agent_name="greeter")
                    )
                    for room in rooms
                )
            )

    with Receiver() as webhooks, running(Sandbox(webhook_urls=[webhooks.url])) as sandbox:
        for room in rooms:
            sandbox.join(room, "ana")
        made = asyncio.run(dispatch_to_all(sandbox))
        for room in rooms:
            sandbox.delete_room(room)
        eventually(lambda: len(webhooks.received) == 4 * len(rooms), timeout=30)
        assert len({dispatch.id for dispatch in made}) == len(rooms)
        assert sandbox.calls.counts["CreateDispatch"] == len(rooms)
        for room in rooms:
            assert [event.split()[0] for event in webhooks.told(room)] == [
                "room_started",
                "participant_joined",
                "participant_left",
                "room_finished",
            ]
