"""An agent that does not join in time makes way for the next, and no two are asked for at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually
from tests.workers.conftest import explicit

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

LADDER = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, deployment: beta}
    join_within: 1s
    fallback:
      - {deployment: ""}
      - {agent: voicemail, join_within: 2s}
"""


def states(house: House) -> list[tuple[str, str, str]]:
    """Agent, deployment and state of each dispatch, in the order they were made."""
    return [(d["agent"], d["deployment"], d["state"]) for d in house.dispatches()]


def agents(sandbox: Sandbox, room: str) -> list[str]:
    """Identities of the agents present."""
    people = sandbox.rooms.open[room].participants.values()
    return [p.identity for p in people if p.kind == 4]


def came(sandbox: Sandbox) -> set[str]:
    """Identities of the agents that have joined so far, present or not."""
    told = [json.loads(d.body) for d in sandbox.webhooks.deliveries]
    joined = [each["participant"] for each in told if each["event"] == "participant_joined"]
    return {each["identity"] for each in joined if each.get("kind") == "AGENT"}


def test_where_no_worker_answers_the_next_rung_is_asked(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    expected = [("greeter", "beta", "superseded"), ("greeter", "", "active")]
    eventually(lambda: states(house) == expected, timeout=4)
    first, second = house.dispatches()
    assert first["reason"].startswith("no_worker: no worker took it")
    assert len(agents(sandbox, "support-1")) == 1
    assert [d.id for d in explicit(sandbox, "support-1")] == [second["dispatch_id"]]


def test_at_the_end_of_the_ladder_it_has_failed_and_says_what_was_tried(
    house: House, sandbox: Sandbox
) -> None:
    for worker in list(sandbox.agents.workers):
        sandbox.remove_worker(worker)
    sandbox.add_worker(Worker("greeter", joins=False, accept_delay=0.02))
    house.rules.write_text(LADDER.replace("2s", "1s"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    expected = [
        ("greeter", "beta", "superseded"),
        ("greeter", "", "superseded"),
        ("voicemail", "beta", "failed"),
    ]
    eventually(lambda: states(house) == expected, timeout=6)
    last = house.dispatches()[-1]
    assert last["reason"].startswith("no_worker: ")
    assert "greeter (beta): no_worker" in last["reason"]
    assert "greeter: never_joined: worker AW_" in last["reason"]
    assert explicit(sandbox, "support-1") == []


def test_nothing_follows_before_livekit_has_deleted_what_came_before(
    house: House, sandbox: Sandbox
) -> None:
    sandbox.fault("unavailable", "DeleteDispatch", times=3)
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: len(sandbox.calls.of("DeleteDispatch")) == 3, timeout=6)
    assert states(house) == [("greeter", "beta", "pending")]
    expected = [("greeter", "beta", "superseded"), ("greeter", "", "active")]
    eventually(lambda: states(house) == expected, timeout=8)


@pytest.mark.parametrize("listing", [0.0, 2.0])
def test_an_agent_that_comes_late_for_a_superseded_dispatch_is_sent_away(
    house: House, sandbox: Sandbox, listing: float
) -> None:
    sandbox.add_worker(Worker("greeter", "beta", accept_delay=0.02, join_delay=3.0))
    sandbox.agents._job_listing_delay = listing
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    expected = [("greeter", "beta", "superseded"), ("greeter", "", "active")]
    eventually(lambda: states(house) == expected, timeout=8)
    eventually(lambda: len(came(sandbox)) == 2, timeout=5)
    eventually(lambda: len(agents(sandbox, "support-1")) == 1, timeout=20)
    [active] = house.dispatches(state="active")
    assert agents(sandbox, "support-1") == [active["agent_identity"]]


def test_an_agent_that_is_there_although_no_webhook_said_so_is_active(
    house: House, sandbox: Sandbox
) -> None:
    sandbox.add_worker(Worker("greeter", "beta", accept_delay=0.02, join_delay=0.3))
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [("greeter", "beta", "pending")], timeout=4)
    sandbox.fault("webhooks_lost")
    eventually(lambda: states(house) == [("greeter", "beta", "active")], timeout=4)
    assert sandbox.calls.of("DeleteDispatch") == []


def test_a_refusal_for_good_asks_the_next_rung_at_once(house: House, sandbox: Sandbox) -> None:
    sandbox.fault("old_server", "CreateDispatch", times=1)  # it drops deployments, and we refuse it
    house.rules.write_text(LADDER)
    house.start_worker()
    sandbox.join("support-1", "ana")
    expected = [("greeter", "beta", "superseded"), ("greeter", "", "active")]
    eventually(lambda: states(house) == expected, timeout=4)
    assert "1.12 or later" in house.dispatches()[0]["reason"]


def test_without_a_deadline_the_operator_is_told_why_nobody_comes(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(LADDER.replace("join_within: 1s\n    fallback", "fallback"))
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: "no_worker" in str([d["reason"] for d in house.dispatches()]), timeout=20)
    assert states(house) == [("greeter", "beta", "pending")]


@pytest.mark.parametrize("name", ["late", "slow"])
def test_nobody_is_sent_into_the_session_after_the_one_whose_agent_made_way(
    house: House, sandbox: Sandbox, name: str
) -> None:
    """The room ends and opens anew while its dispatch is being deleted."""
    house.rules.write_text(LADDER + "    when: {participant: {identity: ana}}\n")
    house.start_worker()
    sandbox.fault(name, "DeleteDispatch", times=1, seconds=4 if name == "slow" else 1)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("DeleteDispatch"))
    sandbox.delete_room("support-1")
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house)[-1][2] in ("failed", "released"), timeout=15)
    assert explicit(sandbox, "support-1") == []
    assert agents(sandbox, "support-1") == []
    assert len(sandbox.calls.of("CreateDispatch")) == 1
