"""The claim of an agent that leaves is free when its own `participant_left` is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.waiting import eventually

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

RULES = """
version: 1
rules:
  - id: greet
    on: [participant_joined, participant_left]
    when: {any: [{event: participant_joined}, {participant: {kind: AGENT}, humans: {gte: 1}}]}
    limit: {active: 1}
    dispatch: {agent: greeter}
"""


def test_a_rule_may_send_the_next_when_it_hears_that_one_has_left(
    house: House, sandbox: Sandbox
) -> None:
    """By claim and by limit: the place it had is free in the same write that gives it away."""
    house.rules.write_text(RULES)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [first] = eventually(lambda: house.dispatches(state="active"))
    sandbox.leave("support-1", first["agent_identity"])
    eventually(lambda: len(house.dispatches()) == 2)
    [second] = eventually(lambda: house.dispatches(state="active"))
    assert second["agent_identity"] != first["agent_identity"]
    assert [d["state"] for d in house.dispatches()] == ["ended", "active"]
