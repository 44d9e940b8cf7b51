"""Nothing is dispatched into a session that is over, and no room is made by being late."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rules.event import Event, read_event
from tests.waiting import eventually
from tests.workers.conftest import GREET, explicit
from workers.intake import Intake

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House


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
    assert not sandbox.calls.of()


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
