"""What becomes of a dispatch is told in the log, a line for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from tests.waiting import eventually
from tests.workers.conftest import GREET

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

FAILING = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, metadata: {tier: "{{ participant.attributes.tier }}"}}
"""


def test_from_an_unclear_call_to_the_agents_leaving(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("cut", "CreateDispatch", times=1)
    with capture_logs() as told:
        house.start_worker()
        sandbox.join("support-1", "ana")
        [dispatch] = eventually(lambda: house.dispatches(state="active"), timeout=15)
        sandbox.leave("support-1", dispatch["agent_identity"])
        eventually(lambda: house.dispatches(state="ended"))
        names = ["dispatch_retried", "dispatched", "agent_joined", "dispatch_ended"]
        eventually(lambda: [line["event"] for line in told if line["event"] in names] == names)
    assert {line.get("room") for line in told if line["event"] in names} == {"support-1"}


def test_a_rule_that_fails_on_an_event_is_named(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(FAILING)
    with capture_logs() as told:
        house.start_worker()
        sandbox.join("support-1", "ana")
        [line] = eventually(lambda: [line for line in told if line["event"] == "rule_failed"])
    assert (line["rule"], line["reason"]) == ("greet", "template_error")
    assert not house.dispatches()
