"""Track events carry names only; what they lack is looked up, and a look holds nobody up."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from rules.event import read_event
from tests.waiting import eventually
from workers import keys
from workers.intake import Intake

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

MICROPHONE = """
version: 1
rules:
  - id: listen
    on: track_published
    when:
      track: {source: MICROPHONE}
      participant: {kind: STANDARD, metadata: {tier: gold}}
      room: {metadata: {lang: es}}
    dispatch: {agent: greeter, metadata: {who: "{{ participant.identity }}"}}
"""


BOTH = (
    MICROPHONE
    + """
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter}
"""
)


def test_a_track_of_a_call_that_began_before_the_service_did(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(MICROPHONE)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana", metadata='{"tier":"gold"}', room_metadata='{"lang":"es"}')
    sandbox.heal()
    sandbox.publish("support-1", "ana")
    house.start_worker()
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    assert json.loads(dispatch["metadata"]) == {"who": "ana"}
    assert sandbox.calls.of("ListParticipants")


def test_a_track_of_a_room_that_is_known_needs_no_look(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(MICROPHONE)
    house.start_worker()
    sandbox.join("support-1", "ana", metadata='{"tier":"gold"}', room_metadata='{"lang":"es"}')
    sandbox.publish("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    assert not sandbox.calls.of("ListParticipants")


def test_a_look_that_livekit_does_not_answer_is_made_again(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(MICROPHONE)
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "ana", metadata='{"tier":"gold"}', room_metadata='{"lang":"es"}')
    sandbox.heal()
    sandbox.fault("unavailable", "ListRooms", times=3)
    house.start_worker()
    sandbox.publish("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    assert not house.redis.keys("lkd:dead:*"), "waiting counts against no event"


def test_an_egress_that_ends_late_takes_nothing_from_the_session_of_today(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(MICROPHONE)
    house.start_worker()
    sandbox.join("support-1", "ana", metadata='{"tier":"gold"}', room_metadata='{"lang":"es"}')
    sandbox.publish("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    egress = read_event(
        {
            "event": "egress_ended",
            "id": "EV_egress",
            "createdAt": int(time.time()),
            "egressInfo": {"egressId": "EG_1", "roomId": "RM_yesterday", "roomName": "support-1"},
        },
        project="devkey",
    )
    Intake(house.redis).accept(house.settings.servers[0].id, egress)
    eventually(lambda: not house.redis.keys("lkd:inbox:*"))
    assert [d["state"] for d in house.dispatches()] == ["active"]


def test_what_was_decided_before_it_does_not_wait_for_its_look(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(BOTH)
    sandbox.fault("webhooks_held")
    sandbox.fault("unavailable", "ListParticipants")
    sandbox.join("support-1", "ana")
    sandbox.fault("webhooks_lost")
    sandbox.join("support-1", "bo")
    sandbox.heal("webhooks_lost")
    sandbox.publish("support-1", "bo")
    sandbox.heal("webhooks_held")
    eventually(lambda: len(house.redis.lrange(inbox(house, "support-1"), 0, -1)) >= 3)
    house.start_worker()
    eventually(lambda: sandbox.calls.of("CreateDispatch"), timeout=3)


def inbox(house: House, room: str) -> str:
    return keys.INBOX + keys.room_key(house.settings.servers[0].id, room)
