"""The recording of a real server's webhooks, signed anew, through the whole service."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from service.web import create_app
from tests.recorded import TURN_SECRET, recorded
from tests.waiting import eventually
from workers import keys
from workers.ledger import Ledger

if TYPE_CHECKING:
    from redis import Redis

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

RULES = """
version: 1
rules:
  - id: spanish
    on: participant_joined
    when: {room: {name: "support-*", metadata: {lang: es}}}
    dispatch: {agent: greeter, metadata: {customer: "{{ participant.identity }}"}}
  - id: phone
    on: participant_joined
    when: {participant: {kind: SIP}}
    dispatch: {agent: phone, metadata: {from: "{{ participant.attributes['sip.phoneNumber'] }}"}}
  - id: odd
    on: participant_joined
    when: {room: {name: "room/*"}}
    dispatch: {agent: greeter, metadata: {who: "{{ participant.identity }}"}}
"""


def play(house: House, sandbox: Sandbox) -> None:
    """Post every delivery as if it had just been sent."""
    client = create_app(house.settings).test_client()
    for delivery in recorded():
        event = delivery.event | {"createdAt": str(int(time.time()))}
        fresh = type(delivery)(delivery.at, delivery.step, json.dumps(event).encode())
        answer = client.post(
            "/webhooks/livekit", data=fresh.body, headers=fresh.signed(sandbox.key, sandbox.secret)
        )
        assert answer.get_json() == {"status": "accepted"}, delivery.step


def test_every_recorded_event_is_decided_in_order_and_dispatches_what_the_rules_say(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(RULES)
    sandbox.fault("webhooks_lost")
    # The server of the recording is gone; here its rooms are made by the calls themselves.
    play(house, sandbox)
    house.start_worker()
    eventually(lambda: not house.redis.keys(keys.INBOX + "*"), timeout=20)
    made = {(d["rule"], d["room"], d["metadata"]) for d in house.dispatches()}
    assert made == {
        ("spanish", "support-1", '{"customer":"cust-1"}'),
        ("phone", "sip-1", '{"from":"+15105550123"}'),
        ("odd", "room/with slash & émoji 🦜", '{"who":"usuário-ñ 🦜"}'),
    }
    assert {d["state"] for d in house.dispatches()} <= {"failed", "ended"}, "all rooms have closed"


def test_no_secret_of_a_room_is_stored(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(RULES)
    sandbox.fault("webhooks_lost")
    play(house, sandbox)
    assert TURN_SECRET.encode() not in everything(house.redis)
    house.start_worker()
    eventually(lambda: not house.redis.keys(keys.INBOX + "*"), timeout=20)
    assert Ledger(house.redis).events().items
    assert TURN_SECRET.encode() not in everything(house.redis)


def everything(redis: Redis) -> bytes:
    found = [redis.dump(key) for key in redis.keys("*")]
    for key in redis.keys("lkd:*"):
        match redis.type(key):
            case b"string":
                found.append(redis.get(key))
            case b"hash":
                found += redis.hgetall(key).values()
            case b"list":
                found += redis.lrange(key, 0, -1)
            case _:
                found.append(str(redis.zrange(key, 0, -1)).encode())
    return b"\n".join(one for one in found if one)
