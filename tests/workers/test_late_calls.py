"""Nothing is dispatched into a session that is over, and no room is made by being late."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rules.decision import Claim, Once, Plan
from rules.event import Event, read_event
from rules.session import Session
from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from workers.calls import CALLS_EACH, make_calls
from workers.connection import connect_async
from workers.inbox import EVENTS_EACH, DueQueue
from workers.intake import Intake
from workers.planned import planned
from workers.providers.livekit import LiveKit
from workers.record import Record
from workers.rules_in_force import RulesInForce
from workers.scripts import ScriptRunner
from workers.tools import Gate, Tools

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


EACH = GREET.replace("dispatch:", "once: participant\n    dispatch:")


def the_join(sandbox: Sandbox, room: str, identity: str) -> Event:
    """The event of somebody's joining, though its webhook was lost."""
    opened = sandbox.rooms.open[room]
    person = opened.participants[identity]
    return read_event(
        {
            "event": "participant_joined",
            "id": f"EV_{identity}",
            "createdAt": int(time.time()),
            "room": {"sid": opened.info.sid, "name": room,
                     "creationTime": str(opened.info.creation_time)},
            "participant": {"sid": person.sid, "identity": identity, "state": "ACTIVE"},
        },
        project="devkey",
    )  # fmt: skip


def late(event: Event, seconds: float) -> Event:
    return replace(event, at=time.time() - seconds, id=event.id + "-late")


def offer(house: House, event: Event) -> None:
    Intake(house.redis).accept(house.settings.servers[0].id, event)


def decided(house: House, event: Event) -> bool:
    return house.redis.exists(f"lkd:event:{house.settings.servers[0].id}:{event.id}") == 1


def test_a_join_that_comes_after_its_room_has_closed_makes_no_room(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    event = late(the_join(sandbox, "support-1", "ana"), 5)
    sandbox.delete_room("support-1")
    offer(house, event)
    house.start_worker()
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert dispatch["reason"] == "room_ended"
    assert not sandbox.calls.of("CreateDispatch")
    assert "support-1" not in sandbox.rooms.open


def test_a_server_whose_clock_is_ahead_opens_no_room_either(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("webhooks_lost")
    sandbox.join("support-0", "eva")
    offer(house, late(the_join(sandbox, "support-0", "eva"), -30))
    eventually(lambda: house.dispatches(state="requested") or house.dispatches(state="pending"))
    sandbox.join("support-1", "ana")
    event = late(the_join(sandbox, "support-1", "ana"), 10 - 30)
    sandbox.delete_room("support-1")
    offer(house, event)
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert dispatch["reason"] == "room_ended"
    assert "support-1" not in sandbox.rooms.open


def test_a_join_that_comes_in_a_new_session_of_its_room_dispatches_nothing(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    event = late(the_join(sandbox, "support-1", "ana"), 5)
    sandbox.delete_room("support-1")
    sandbox.create_room("support-1")
    offer(house, event)
    house.start_worker()
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert dispatch["reason"] == "room_ended"
    assert not sandbox.calls.of("CreateDispatch")


def test_a_join_that_comes_after_room_finished_is_refused_without_a_look(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.create_room("support-1")
    sandbox.delete_room("support-1")
    finished = eventually(
        lambda: [d for d in sandbox.webhooks.deliveries if d.event == "room_finished"]
    )[0]
    room = json.loads(finished.body)["room"]
    event = read_event(
        {"event": "participant_joined", "id": "EV_late", "createdAt": int(time.time()),
         "room": room, "participant": {"sid": "PA_1", "identity": "ana"}},
        project="devkey",
    )  # fmt: skip
    eventually(lambda: finished.outcome == "delivered")
    offer(house, event)
    eventually(lambda: decided(house, event))
    assert not house.dispatches()
    assert {call.method for call in sandbox.calls.of()} <= {"ListRooms"}
    assert "support-1" not in str(sandbox.calls.of())


def test_a_late_join_in_a_room_that_is_still_there_gets_its_agent(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    event = late(the_join(sandbox, "support-1", "ana"), 60)
    sandbox.heal()
    offer(house, event)
    house.start_worker()
    eventually(lambda: house.dispatches(state="active"))
    methods = [call.method for call in sandbox.calls.of()]
    assert methods.index("ListRooms") < methods.index("CreateDispatch")


def test_an_egress_that_ends_after_its_room_opens_no_room(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET.replace("participant_joined", "egress_ended"))
    house.start_worker()
    info = {"egressId": "EG_1", "roomName": "gone", "roomId": "RM_old"}
    event = read_event(
        {"event": "egress_ended", "id": "EV_e", "createdAt": int(time.time()), "egressInfo": info},
        project="devkey",
    )
    offer(house, event)
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert dispatch["reason"] == "room_ended"
    assert not sandbox.calls.of("CreateDispatch")


def test_an_ingress_counts_for_the_session_of_its_room(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(
        GREET.replace("participant_joined", "[ingress_started, participant_joined]")
    )
    house.start_worker()
    sandbox.create_room("studio")
    sid = sandbox.rooms.open["studio"].info.sid
    for number, state in enumerate(({"roomId": sid}, {})):
        info = {"ingressId": "IN_1", "roomName": "studio", "state": state}
        offer(
            house,
            read_event(
                {"event": "ingress_started", "id": f"EV_{number}", "createdAt": int(time.time()),
                 "ingressInfo": info},
                project="devkey",
            ),
        )  # fmt: skip
    sandbox.join("studio", "ana")
    eventually(lambda: house.dispatches(state="active"))
    assert [d["room_sid"] for d in house.dispatches()] == [sid]
    assert len(explicit(sandbox, "studio")) == 1


def test_a_room_that_has_ended_by_a_later_event_in_its_inbox_gets_nothing(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    people = [f"caller-{n}" for n in range(EVENTS_EACH)]
    for person in people:
        sandbox.join("support-1", person)
    events = [the_join(sandbox, "support-1", person) for person in people]
    room = dict(events[0].room or {})
    sandbox.delete_room("support-1")
    finished = read_event(
        {"event": "room_finished", "id": "EV_end", "createdAt": int(time.time()), "room": room},
        project="devkey",
    )
    for event in (*events, finished):
        offer(house, event)
    house.start_worker()
    eventually(lambda: house.dispatches(state="failed"))
    assert not sandbox.calls.of("CreateDispatch")


MANY = CALLS_EACH + 4


def many_come_late(house: House, sandbox: Sandbox) -> None:
    """Many joins of a room that is gone, for each of which an agent is wanted."""
    house.rules.write_text(EACH)
    sandbox.fault("webhooks_lost")
    people = [f"caller-{n}" for n in range(MANY)]
    for person in people:
        sandbox.join("support-1", person)
    events = [late(the_join(sandbox, "support-1", person), 30) for person in people]
    sandbox.delete_room("support-1")
    for event in events:
        offer(house, event)


def test_many_late_joins_of_a_room_that_is_gone_open_it_for_none_of_them(
    house: House, sandbox: Sandbox
) -> None:
    many_come_late(house, sandbox)
    house.start_worker()
    eventually(lambda: len(house.dispatches(state="failed")) == MANY)
    assert not sandbox.calls.of("CreateDispatch")
    assert "support-1" not in sandbox.rooms.open


def test_a_look_that_fails_lets_none_of_them_go(house: House, sandbox: Sandbox) -> None:
    many_come_late(house, sandbox)
    sandbox.fault("unavailable", "ListRooms", times=3)
    house.start_worker()
    eventually(lambda: len(house.dispatches(state="failed")) == MANY, timeout=20)
    assert not sandbox.calls.of("CreateDispatch")


def test_somebody_who_has_just_come_does_not_wait_for_the_look_of_a_late_one(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(EACH)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    sandbox.join("support-1", "bo")
    sandbox.heal()
    sandbox.fault("unavailable", "ListRooms")
    offer(house, late(the_join(sandbox, "support-1", "ana"), 30))
    offer(house, the_join(sandbox, "support-1", "bo"))
    began = time.monotonic()
    house.start_worker()
    eventually(lambda: [d for d in house.dispatches(state="pending") if d["subject"] == "bo"])
    assert time.monotonic() - began < 5
    assert [d["state"] for d in house.dispatches() if d["subject"] == "ana"] == ["requested"]
    sandbox.heal()
    eventually(lambda: len(house.dispatches(state="active")) == 2, timeout=20)


def test_a_call_that_was_marked_and_then_slept_through_looks_first(
    house: House, sandbox: Sandbox
) -> None:
    """The mark says it is called at once; the process, or Redis, slept before it was."""
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana")
    event = the_join(sandbox, "support-1", "ana")
    sandbox.delete_room("support-1")
    server = house.settings.servers[0]
    Intake(house.redis).accept(server.id, event)

    async def wake_up() -> None:
        client = connect_async(house.settings)
        queue = DueQueue(ScriptRunner(client), "sleeper")
        provider = LiveKit(server, calls=4)
        rules = RulesInForce(str(house.rules))
        tools = Tools(queue, rules, {server.id: provider}, {server.id: Gate(4)}, 60)
        [hold] = (await queue.claim(most=1)).holds
        plan = Plan(
            claim=Claim("greet", "0", Once.ROOM, "support-1"), rule="greet", agent="greeter"
        )
        slept = planned(
            plan, event, Session(event.room_sid), event_at=event.at - 10, rules_hash="", now=0.0,
            called_by=hold.token,
        )  # fmt: skip
        await queue.commit(hold, Record().with_dispatches([slept]), taken=event.id)
        await make_calls(hold, tools)
        await provider.aclose()
        await client.aclose()

    asyncio.run(wake_up())
    assert [call.method for call in sandbox.calls.of()] == ["ListRooms"]


def test_a_call_that_lands_in_the_next_session_is_taken_back(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("late", "CreateDispatch", times=1, seconds=1.0)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"))
    sandbox.delete_room("support-1")
    sandbox.create_room("support-1")
    eventually(lambda: sandbox.calls.of("DeleteDispatch"), timeout=20)
    eventually(lambda: not explicit(sandbox, "support-1"))
    eventually(lambda: not sandbox.rooms.open["support-1"].participants)
    assert [d["reason"] for d in house.dispatches()] == ["room_ended"]
