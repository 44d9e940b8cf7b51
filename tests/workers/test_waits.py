"""`after`: an agent that waits, and is sent only if it is still wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.desk import Desk, dispatch, run
from workers import settle
from workers.dispatch import State
from workers.rules_in_force import RulesInForce
from workers.tools import Tools

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

WAITS = """
version: 1
rules:
  - id: waiting-line
    on: participant_joined
    when: {participant: {identity: ana}, not: {participants: {identity: "op-*"}}}
    after: 1500ms
    dispatch: {agent: greeter, metadata: "{{ participant.identity }}"}
"""


def test_an_agent_waits_and_is_sent(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    [waits] = eventually(lambda: house.dispatches(state="scheduled"))
    assert sandbox.calls.of("CreateDispatch") == []
    [sent] = eventually(lambda: house.dispatches(state="active"))
    assert sent["id"] == waits["id"]
    assert sent["metadata"] == "ana"
    [_] = sandbox.calls.of("CreateDispatch")
    assert sandbox.calls.of("ListRooms"), "a call after a wait looks for its session first"


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (lambda sandbox: sandbox.join("line-1", "op-eva"), "condition"),
        (lambda sandbox: sandbox.leave("line-1", "ana"), "participant_gone"),
        (lambda sandbox: sandbox.delete_room("line-1"), "room_ended"),
    ],
    ids=["an operator came", "the caller left", "the room ended"],
)
def test_an_agent_that_is_not_wanted_any_more_is_not_sent(
    house: House, sandbox: Sandbox, then, reason: str
) -> None:
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    then(sandbox)
    [released] = eventually(lambda: house.dispatches(state="released"))
    assert released["reason"] == reason
    assert released["ended_at"] is not None
    assert sandbox.calls.of("CreateDispatch") == []


def test_while_it_waits_the_claim_is_taken(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    sandbox.leave("line-1", "ana")
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    assert len(house.dispatches()) == 1


def test_it_is_judged_by_the_rule_as_it_was_when_it_matched(house: House, sandbox: Sandbox) -> None:
    """Though its worker has ended, and the next one has read other rules."""
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    house.stop()
    other = WAITS.replace("identity: ana", "identity: nobody").replace("agent: greeter", "agent: b")
    house.rules.write_text(other)
    house.start_worker()
    [sent] = eventually(lambda: house.dispatches(state="active"))
    assert sent["agent"] == "greeter"


def test_a_rule_that_is_gone_is_still_the_rule_of_what_waits(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    house.stop()
    house.rules.write_text(WAITS.replace("waiting-line", "another"))
    house.start_worker()
    sandbox.join("line-1", "op-eva")
    [released] = eventually(lambda: house.dispatches(state="released"))
    assert released["reason"] == "condition"


def test_a_room_that_ended_unheard_releases_what_waits(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(WAITS)
    house.start_worker()
    sandbox.join("line-1", "ana")
    eventually(lambda: house.dispatches(state="scheduled"))
    sandbox.fault("webhooks_lost")
    sandbox.delete_room("line-1")
    [released] = eventually(lambda: house.dispatches(state="released"))
    assert released["reason"] == "room_ended"
    assert sandbox.calls.of("CreateDispatch") == []


def test_the_time_a_dispatch_is_tried_begins_when_its_wait_is_over(valkey, redis) -> None:
    """LiveKit may fail for minutes after a wait of any length."""

    async def play(desk: Desk) -> None:
        now = desk.queue.now()
        long_ago = replace(
            dispatch("a", 5), created_at=now - 600, wanted_at=now - 1, state=State.REQUESTED
        )
        tools = Tools(desk.queue, RulesInForce(""), {}, {}, 60)
        again = settle.later(long_ago, "unavailable", tools).dispatch
        assert (again.state, again.failures) == (State.REQUESTED, 1)
        over = replace(long_ago, wanted_at=now - 301, failures=settle.LEAST_TRIES)
        given_up = settle.later(over, "unavailable", tools).dispatch
        assert given_up.state is State.FAILED

    run(valkey, play)


def test_a_dispatch_is_tried_some_times_though_nothing_ran_for_minutes(valkey, redis) -> None:
    async def play(desk: Desk) -> None:
        long_ago = desk.queue.now() - 3600
        tools = Tools(desk.queue, RulesInForce(""), {}, {}, 60)
        tried = replace(dispatch("a", 5), wanted_at=long_ago, state=State.REQUESTED)
        tries = 0
        while tried.live:
            tried = settle.later(tried, "unavailable", tools).dispatch
            tries += 1
        assert tries == settle.LEAST_TRIES + 1

    run(valkey, play)
