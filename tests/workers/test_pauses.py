"""Rules that are paused send nobody; what is live goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.desk import Desk, arrive, coming, run
from workers import keys
from workers.ledger import Ledger
from workers.pauses import Paused, Pauses

if TYPE_CHECKING:
    from redis import Redis

    from service.sandbox import Sandbox
    from tests.conftest import Valkey
    from tests.workers.conftest import House
    from workers.drain import DrainThread

TWO = """
version: 1
rules:
  - {id: greet, on: participant_joined, once: participant, dispatch: {agent: greeter}}
  - {id: stage, on: participant_joined, once: participant,
     dispatch: {agent: greeter, deployment: staging}}
"""


def decided(house: House, room: str, who: str) -> dict[str, str]:
    """What each rule said when somebody came into a room; empty before that."""
    for event in Ledger(house.redis).events(limit=100).items:
        participant = event["body"].get("participant") or {}
        if (event["room"], participant.get("identity")) == (room, who):
            return {d["rule"]: d["reason"] for d in event["decisions"]}
    return {}


def known_to(loop: DrainThread) -> frozenset[str]:
    """What a worker's loop knows of pauses."""
    assert loop._drain is not None
    return loop._drain._tools.queue.paused


def test_a_claim_hands_out_what_is_paused(valkey: Valkey, redis: Redis) -> None:
    async def play(desk: Desk) -> None:
        assert await desk.take() == []
        assert desk.queue.paused == frozenset()
        Pauses(redis).pause("greet")
        arrive(redis, coming("a"))
        assert len(await desk.take()) == 1
        assert desk.queue.paused == {"greet"}
        Pauses(redis).pause()
        assert await desk.take() == []
        assert desk.queue.paused == {"greet", "*"}
        Pauses(redis).resume_all()
        await desk.take()
        assert desk.queue.paused == frozenset()

    run(valkey, play)


def test_what_is_paused_is_kept_until_it_is_resumed(redis: Redis) -> None:
    pauses = Pauses(redis)
    assert (pauses.now(), bool(pauses.now())) == (Paused(every=False, rules=()), False)
    pauses.pause("b")
    pauses.pause("a")
    pauses.pause()
    assert pauses.now() == Paused(every=True, rules=("a", "b"))
    assert redis.ttl(keys.PAUSED) == -1
    pauses.resume("b")
    assert pauses.now() == Paused(every=True, rules=("a",))
    pauses.resume_all()
    assert not pauses.now()


@pytest.mark.parametrize("rule", ["greet", "*"])
def test_a_paused_rule_sends_nobody_until_it_is_resumed(
    house: House, sandbox: Sandbox, rule: str
) -> None:
    house.rules.write_text(TWO)
    pauses = Pauses(house.redis)
    pauses.pause(rule)
    loop = house.start_worker()
    sandbox.join("a", "ana")
    other = "paused" if rule == "*" else "matched"
    assert eventually(lambda: decided(house, "a", "ana")) == {"greet": "paused", "stage": other}
    pauses.resume_all()
    eventually(lambda: not known_to(loop), timeout=2)
    sandbox.join("b", "ana")
    told = eventually(lambda: decided(house, "b", "ana"))
    assert told == {"greet": "matched", "stage": "matched"}
    eventually(lambda: len(house.dispatches(room="b", state="active")) == 2)
    assert not house.dispatches(room="a", rule="greet")


def test_what_is_live_goes_on(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(TWO)
    loop = house.start_worker()
    sandbox.join("a", "ana")
    eventually(lambda: len(house.dispatches(room="a", state="active")) == 2)
    Pauses(house.redis).pause()
    eventually(lambda: known_to(loop) == {"*"}, timeout=2)
    sandbox.join("a", "ben")
    told = eventually(lambda: decided(house, "a", "ben"))
    assert told == {"greet": "paused", "stage": "paused"}
    assert len(house.dispatches(state="active")) == len(house.dispatches()) == 2


def test_what_waits_already_is_sent_when_it_is_due(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(
        "version: 1\nrules:\n"
        "  - {id: greet, on: participant_joined, after: 1s, dispatch: {agent: greeter}}\n"
    )
    house.start_worker()
    sandbox.join("a", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    Pauses(house.redis).pause("greet")
    eventually(lambda: house.dispatches(state="active"))
