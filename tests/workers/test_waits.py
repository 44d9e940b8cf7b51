"""`after`: an agent that waits, and is sent only if it is still wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually

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
