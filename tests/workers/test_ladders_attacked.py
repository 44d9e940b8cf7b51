"""Ladders and restarts on a bad day: claims, limits and sessions stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually, throughout
from tests.workers.conftest import explicit
from tests.workers.shares import watched
from tests.workers.test_ladder import agents, states

if TYPE_CHECKING:
    from redis import Redis

    from service.sandbox import Sandbox
    from tests.workers.conftest import House

ROOM = "support-1"

ONE_RULE = """
version: 1
rules:
  - id: first
    on: participant_joined
    dispatch: {agent: greeter, deployment: beta}
    join_within: 700ms
    fallback: [{deployment: ""}]
"""
TWO_RULES = """
version: 1
rules:
  - id: first
    on: participant_joined
    dispatch: {agent: greeter, deployment: beta}
    join_within: 700ms
    fallback: [{deployment: ""}]
  - id: second
    on: participant_joined
    dispatch: {agent: greeter, deployment: gamma}
    join_within: 700ms
    fallback: [{deployment: staging}]
"""
SEVERAL = """
version: 1
rules:
  - id: both
    on: participant_joined
    dispatch:
      - {agent: greeter, deployment: beta, join_within: 700ms, fallback: [{deployment: ""}]}
      - id: notes
        agent: nobody
        join_within: 1200ms
        fallback: [{agent: greeter, deployment: staging}]
      - {id: third, agent: greeter}
"""
EACH = """
version: 1
rules:
  - id: each
    on: participant_joined
    once: participant
    dispatch: {agent: greeter, deployment: beta, metadata: "{{ participant.identity }}"}
    join_within: 700ms
    fallback: [{deployment: ""}]
"""
GROUP = """
version: 1
rules:
  - id: gold
    on: participant_joined
    group: support
    limit: {active: 2}
    dispatch: {agent: greeter, deployment: beta}
    join_within: 700ms
    fallback: [{deployment: gamma}, {deployment: ""}]
  - id: everybody
    on: participant_joined
    group: support
    dispatch: {agent: greeter, deployment: staging}
"""


def settled(house: House, sandbox: Sandbox, room: str, number: int, timeout: float = 15) -> None:
    """So many dispatches are active, each with its agent, and no others are there or listed."""
    eventually(lambda: len(house.dispatches(room=room, state="active")) == number, timeout)
    active = house.dispatches(room=room, state="active")
    identities = sorted(d["agent_identity"] for d in active)
    eventually(lambda: sorted(agents(sandbox, room)) == identities, timeout)
    assert {d.id for d in explicit(sandbox, room)} == {d["dispatch_id"] for d in active}


def test_two_rules_in_one_room_climb_each_for_itself(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(TWO_RULES)
    house.start_worker()
    sandbox.join(ROOM, "ana")
    settled(house, sandbox, ROOM, 2)
    assert {d["rule"] for d in house.dispatches(state="active")} == {"first", "second"}
    assert len(house.dispatches()) == 4


def test_several_dispatches_of_a_rule_climb_each_for_itself(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(SEVERAL)
    house.start_worker()
    sandbox.join(ROOM, "ana")
    settled(house, sandbox, ROOM, 3)
    assert len(house.dispatches()) == 5
    assert len(sandbox.calls.of("CreateDispatch")) == 5


def test_each_participant_climbs_alone(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(EACH)
    house.start_worker()
    for who in ("ana", "ben", "carla"):
        sandbox.join(ROOM, who)
    settled(house, sandbox, ROOM, 3)
    active = house.dispatches(state="active")
    assert {(d["subject"], d["metadata"]) for d in active} == {
        (who, who) for who in ("ana", "ben", "carla")
    }


def test_the_claim_of_a_group_is_taken_all_the_way_and_places_are_counted(
    house: House, sandbox: Sandbox, redis: Redis
) -> None:
    house.rules.write_text(GROUP)
    house.start_worker()
    with watched(redis) as watch:
        for n in range(4):
            sandbox.join(f"room-{n}", "ana")
        for _ in range(20):
            for n in range(4):
                sandbox.join(f"room-{n}", "ben")
                sandbox.leave(f"room-{n}", "ben")
            throughout(lambda: watch.differing == [], 0.1)
        eventually(lambda: len(house.dispatches(state="active")) == 4, timeout=15)
        for n in range(4):
            settled(house, sandbox, f"room-{n}", 1)
    assert watch.differing == []
    assert max(watch.most.values()) <= 2
    rules = [d["rule"] for d in house.dispatches()]
    assert (rules.count("gold"), rules.count("everybody")) == (6, 2)


def test_agents_that_share_an_identity(house: House, sandbox: Sandbox) -> None:
    """Two dispatches' agents choose the same identity: LiveKit lets only the last one stay."""
    sandbox.agents.workers[:] = [
        Worker("greeter", identity="the-greeter", accept_delay=0.02, join_delay=0.02)
    ]
    house.rules.write_text(
        EACH.replace(", deployment: beta", "").replace(
            'fallback: [{deployment: ""}]', "release: participant_left"
        )
    )
    house.start_worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: [s for *_, s in states(house)] == ["active"])
    sandbox.join(ROOM, "ben")
    eventually(lambda: [s for *_, s in states(house)].count("active") == 2, timeout=15)


@pytest.mark.parametrize(
    "method", ["ListDispatch", "ListRooms", "ListParticipants", "DeleteDispatch"]
)
def test_livekit_fails_for_a_long_time(house: House, sandbox: Sandbox, method: str) -> None:
    house.rules.write_text(TWO_RULES)
    house.start_worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: [s for *_, s in states(house)] == ["pending", "pending"])
    sandbox.fault("unavailable", method)
    throughout(lambda: len(sandbox.calls.of("CreateDispatch")) <= 4, 8)
    sandbox.heal()
    settled(house, sandbox, ROOM, 2)
    assert len(sandbox.calls.of("CreateDispatch")) == 4


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("wait", [0.2, 0.9])
def test_a_room_that_ends_in_the_middle(
    house: House, sandbox: Sandbox, told: bool, wait: float
) -> None:
    house.rules.write_text(
        TWO_RULES.replace(
            "on: participant_joined",
            "on: participant_joined\n    when: {participant: {identity: ana}}",
        )
    )
    sandbox.agents.workers.clear()
    house.start_worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: [s for *_, s in states(house)] == ["pending", "pending"])
    throughout(lambda: sandbox.rooms.open[ROOM].participants, wait)
    if not told:
        sandbox.fault("webhooks_lost")
    sandbox.delete_room(ROOM)
    sandbox.join(ROOM, "ben")
    sandbox.heal()
    eventually(lambda: {s for *_, s in states(house)} <= {"failed", "superseded"}, timeout=15)
    assert explicit(sandbox, ROOM) == []


def test_a_restart_begins_at_the_rung_that_had_joined_and_climbs_on(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(
        ONE_RULE.replace(
            'fallback: [{deployment: ""}]', 'fallback: [{deployment: ""}, {deployment: staging}]'
        )
    )
    house.start_worker()
    sandbox.join(ROOM, "ana")
    settled(house, sandbox, ROOM, 1)
    production = next(w for w in sandbox.agents.workers if w.deployment == "")
    sandbox.remove_worker(production)
    sandbox.leave(ROOM, agents(sandbox, ROOM)[0], "SIGNAL_CLOSE")
    eventually(lambda: len(house.dispatches()) == 4)
    settled(house, sandbox, ROOM, 1)
    assert states(house) == [
        ("greeter", "beta", "superseded"),
        ("greeter", "", "ended"),
        ("greeter", "", "superseded"),
        ("greeter", "staging", "active"),
    ]


def test_a_late_agent_is_removed_though_livekit_could_not_delete_its_dispatch_for_long(
    house: House, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks for it any more, and its worker is out of reach: its job tells its name."""
    monkeypatch.setattr("workers.agents.LOOKS", (0.1, 0.1))
    sandbox.agents.workers[:] = [
        Worker("greeter", "beta", accept_delay=0.9, join_delay=0.1, reachable=False),
        Worker("greeter", accept_delay=0.02, join_delay=0.02),
    ]
    house.rules.write_text(ONE_RULE)
    house.start_worker()
    sandbox.fault("unavailable", "DeleteDispatch", times=4)
    sandbox.join(ROOM, "ana")
    settled(house, sandbox, ROOM, 1)


def test_webhooks_that_come_late_and_all_at_once(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(TWO_RULES)
    house.start_worker()
    sandbox.join(ROOM, "ana")
    eventually(lambda: [s for *_, s in states(house)] == ["pending", "pending"])
    sandbox.fault("webhooks_held")
    throughout(lambda: len(house.dispatches()) <= 4, 3)
    sandbox.heal()
    settled(house, sandbox, ROOM, 2)
    throughout(lambda: len(house.dispatches()) == 4, 1)


def test_an_agent_that_fails_while_its_room_is_full_of_others(
    house: House, sandbox: Sandbox, redis: Redis
) -> None:
    """One of three agents of one name fails again and again: the others stay what they are."""
    house.rules.write_text(
        EACH.replace(", deployment: beta", "").replace(
            "once: participant", "once: participant\n    limit: {active: 3}"
        )
    )
    house.start_worker()
    with watched(redis) as watch:
        for who in ("ana", "ben", "carla"):
            sandbox.join(ROOM, who)
        settled(house, sandbox, ROOM, 3)
        for _ in range(3):
            bens = next(d for d in house.dispatches(state="active") if d["subject"] == "ben")
            sandbox.leave(ROOM, bens["agent_identity"], "SIGNAL_CLOSE")
            eventually(lambda b=bens: b["id"] in {d["id"] for d in house.dispatches(state="ended")})
            settled(house, sandbox, ROOM, 3)
    assert watch.differing == []
    assert max(watch.most.values()) == 3
    subjects = [d["subject"] for d in house.dispatches()]
    assert (subjects.count("ana"), subjects.count("ben"), subjects.count("carla")) == (1, 4, 1)
