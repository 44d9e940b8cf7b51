"""One agent for one claim, whatever comes how often."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rules.event import read_event
from tests.waiting import eventually
from workers.calls import CALLS_EACH
from workers.intake import Intake
from workers.ledger import Ledger

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

GREET = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {room: {metadata: {lang: es}}}
    dispatch:
      agent: greeter
      metadata: {customer: "{{ participant.identity }}", lang: "{{ room.metadata.lang }}"}
      attributes: {source: rules}
"""
STAGING = """
version: 1
rules:
  - id: beta
    on: participant_joined
    once: participant
    dispatch: {agent: greeter, deployment: staging}
"""


def test_a_caller_gets_the_agent_the_rule_names(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join("support-1", "ana", room_metadata='{"lang":"es"}')
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    assert dispatch["agent"] == "greeter"
    assert json.loads(dispatch["metadata"]) == {"customer": "ana", "lang": "es"}
    assert dispatch["attributes"] == {"source": "rules"}
    # An agent may be in the room before the answer to the call that asked for it is here.
    assert dispatch["created_at"] <= min(dispatch["accepted_at"], dispatch["joined_at"])
    assert dispatch["agent_identity"].startswith("agent-")
    [call] = sandbox.calls.of("CreateDispatch")
    assert call.request["room"] == "support-1"


def test_a_staging_rule_reaches_only_the_staging_worker(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(STAGING)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"))
    assert dispatch["deployment"] == "staging"
    production, staging = sandbox.agents.workers
    assert (len(production.jobs), len(staging.jobs)) == (0, 1)


def test_twenty_joining_one_room_at_once_get_one_agent(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    for _ in range(3):
        house.start_worker()
    sandbox.create_room("support-1", metadata='{"lang":"es"}')
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: sandbox.join("support-1", f"caller-{n}"), range(20)))
    eventually(lambda: house.dispatches(state="active"))
    eventually(lambda: house.redis.keys("lkd:inbox:*") == [])
    assert len(house.dispatches()) == 1
    assert len(sandbox.calls.of("CreateDispatch")) == 1


def test_each_of_twenty_gets_an_agent_where_the_rule_says_so(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(STAGING)
    house.start_worker()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: sandbox.join("support-1", f"caller-{n}"), range(20)))
    eventually(lambda: len(house.dispatches(state="active")) == 20, timeout=20)
    assert len(sandbox.calls.of("CreateDispatch")) == 20


def test_the_same_event_three_times_is_decided_once(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(STAGING)
    sandbox.join("support-1", "ana")
    delivery = eventually(
        lambda: [d for d in sandbox.webhooks.deliveries if d.event == "participant_joined"]
    )[0]
    event = read_event(json.loads(delivery.body), project="devkey")
    intake = Intake(house.redis)
    server_id = house.settings.servers[0].id
    eventually(lambda: intake.accept(server_id, event) == "duplicate")
    assert intake.accept(server_id, event) == "duplicate"
    house.start_worker()
    eventually(lambda: house.dispatches(state="active"))
    assert len(sandbox.calls.of("CreateDispatch")) == 1


def test_more_dispatches_than_calls_at_once_are_all_made_without_a_pause(
    house: House, sandbox: Sandbox
) -> None:
    rules = [
        f"  - {{id: rule-{n}, on: participant_joined, dispatch: {{agent: greeter}}}}"
        for n in range(2 * CALLS_EACH + 3)
    ]
    house.rules.write_text("\n".join(["version: 1", "rules:", *rules, ""]))
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(house.dispatches(state="active")) == len(rules), timeout=6)
    assert len(sandbox.calls.of("CreateDispatch")) == len(rules)


def test_a_rule_sends_all_of_its_agents_and_a_shadow_none(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(
        "version: 1\nrules:\n"
        "  - {id: shadow, shadow: true, on: participant_joined, dispatch: {agent: greeter}}\n"
        "  - id: both\n    on: participant_joined\n"
        "    dispatch: [{agent: greeter}, {agent: greeter, deployment: staging}]\n"
    )
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(house.dispatches(state="active")) == 2)
    assert {(d["rule"], d["deployment"]) for d in house.dispatches()} == {
        ("both", ""), ("both", "staging")
    }  # fmt: skip
    [event] = [e for e in Ledger(house.redis).events().items if e["decisions"]
               and any(d["outcome"] == "shadow" for d in e["decisions"])]  # fmt: skip
    shadow, both = event["decisions"]
    assert (shadow["reason"], shadow["dispatches"], len(both["dispatches"])) == ("matched", [], 2)
