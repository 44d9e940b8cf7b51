"""An agent that fails is sent again; one that has finished, or was sent away by hand, is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.sandbox import Worker
from tests.waiting import eventually, throughout
from tests.workers.conftest import delete_by_hand, explicit
from tests.workers.test_ladder import agents, came, states
from workers.dispatch import RECONNECTION_SECONDS

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

GREET = """
version: 1
rules:
  - id: greet
    on: [participant_joined, participant_left]
    when: {humans: {gte: 1}}
    dispatch: {agent: greeter, restart_policy: %s}
"""
ACTIVE = ("greeter", "", "active")
ENDED = ("greeter", "", "ended")


def greeted(house: House, sandbox: Sandbox, policy: str = "on_failure") -> str:
    """A room with a caller and an agent; returns the agent's identity."""
    house.rules.write_text(GREET % policy)
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    [identity] = agents(sandbox, "support-1")
    return identity


@pytest.mark.parametrize(
    "reason", ["CONNECTION_TIMEOUT", "STATE_MISMATCH", "SIGNAL_CLOSE", "UNKNOWN_REASON"]
)
def test_an_agent_that_failed_is_back(house: House, sandbox: Sandbox, reason: str) -> None:
    first = greeted(house, sandbox)
    sandbox.leave("support-1", first, reason)
    eventually(lambda: states(house) == [ENDED, ACTIVE], timeout=4)
    before, after = house.dispatches()
    assert before["reason"] == reason.lower()
    assert after["attempt"] == 2
    assert agents(sandbox, "support-1") == [after["agent_identity"]]
    assert [d.id for d in explicit(sandbox, "support-1")] == [after["dispatch_id"]]


def test_one_that_leaves_right_after_joining_has_failed(house: House, sandbox: Sandbox) -> None:
    first = greeted(house, sandbox)
    sandbox.leave("support-1", first)
    eventually(lambda: states(house) == [ENDED, ACTIVE], timeout=4)
    assert house.dispatches()[0]["reason"].startswith("left_early: it joined and left after ")


def test_with_never_it_stays_away(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET.replace(", participant_left", "") % "never")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.leave("support-1", *agents(sandbox, "support-1"), "SIGNAL_CLOSE")
    eventually(lambda: states(house) == [ENDED])
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == [ENDED, ACTIVE])
    assert house.dispatches()[1]["attempt"] == 1


def test_after_five_failures_it_is_given_up(house: House, sandbox: Sandbox) -> None:
    sandbox.agents.workers.clear()
    sandbox.add_worker(Worker("greeter", accept_delay=0.01, join_delay=0.01, leave_after=0.05))
    house.rules.write_text(GREET.replace(", participant_left", "") % "on_failure")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: [s for _, _, s in states(house)] == ["ended"] * 5 + ["failed"], timeout=30)
    last = house.dispatches()[-1]
    assert last["reason"].startswith("restarts_used_up: it failed 6 times in 10 minutes, last: ")
    assert last["attempt"] == 6


def test_an_agent_removed_by_hand_is_not_sent_again(house: House, sandbox: Sandbox) -> None:
    first = greeted(house, sandbox)
    sandbox.leave("support-1", first, "PARTICIPANT_REMOVED")
    eventually(lambda: states(house) == [ENDED])
    sandbox.join("support-1", "ben")
    sandbox.leave("support-1", "ben")
    eventually(lambda: "held" in reasons(house))
    assert states(house) == [ENDED]
    sandbox.delete_room("support-1")
    sandbox.join("support-1", "ana")  # another session of the name
    eventually(lambda: states(house) == [ENDED, ACTIVE])


@pytest.mark.parametrize("policy", ["on_failure", "always", "never"])
def test_a_dispatch_deleted_by_hand_is_not_sent_again(
    house: House, sandbox: Sandbox, policy: str
) -> None:
    greeted(house, sandbox, policy)
    [mine] = explicit(sandbox, "support-1")
    sandbox.calls.clear()
    delete_by_hand(sandbox, "support-1", mine.id)
    eventually(lambda: agents(sandbox, "support-1") == [])
    eventually(lambda: house.dispatches()[-1]["state"] in ("ended", "released"))
    eventually(lambda: len(sandbox.calls.of("ListDispatch")) == 2)  # two looks that agree
    eventually(lambda: held(house, sandbox), timeout=6)
    assert [s for _, _, s in states(house)] in (["ended"], ["ended", "released"])


def held(house: House, sandbox: Sandbox) -> bool:
    """Whether the rule is held when somebody else comes."""
    sandbox.join("support-1", "ben")
    sandbox.leave("support-1", "ben")
    return "held" in reasons(house)


def reasons(house: House) -> set[str]:
    """What the rule said of the events so far."""
    return {d["reason"] for event in house.events() for d in event["decisions"]}


def test_a_restart_is_owed_to_the_next_human(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET.replace("when: {humans: {gte: 1}}", "") % "on_failure")
    house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: states(house) == [ACTIVE])
    sandbox.leave("support-1", "ana")
    sandbox.leave("support-1", *agents(sandbox, "support-1"), "SIGNAL_CLOSE")
    waiting = ("greeter", "", "scheduled")
    eventually(lambda: states(house) == [ENDED, waiting])
    sandbox.join("support-1", "ben")
    eventually(lambda: states(house) == [ENDED, ACTIVE], timeout=4)


def test_always_restarts_an_agent_that_has_finished(house: House, sandbox: Sandbox) -> None:
    first = greeted(house, sandbox, "always")
    sandbox.leave("support-1", first)
    eventually(lambda: states(house) == [ENDED, ACTIVE], timeout=4)


@pytest.mark.parametrize("house", [{"DISPATCHER_RESTARTS": "livekit"}], indirect=True)
class TestLiveKitRestartsThem:
    """As LiveKit Cloud does."""

    def test_a_claim_is_kept_for_the_agent_it_sends(self, house: House, sandbox: Sandbox) -> None:
        first = greeted(house, sandbox)
        [before] = house.dispatches()
        sandbox.leave("support-1", first, "SIGNAL_CLOSE")
        sandbox.join("support-1", "ben")  # matches as well
        eventually(lambda: len(house.events()) >= 2)
        sandbox.send_again("support-1", before["dispatch_id"])
        [second] = eventually(lambda: agents(sandbox, "support-1"))
        known = RECONNECTION_SECONDS + 5
        eventually(lambda: house.dispatches()[0]["agent_identity"] == second, timeout=known)
        assert states(house) == [ACTIVE]
        assert len(sandbox.calls.of("CreateDispatch")) == 1
        sandbox.leave("support-1", second, "ROOM_CLOSED")
        eventually(lambda: states(house)[0] == ENDED)

    def test_one_that_does_not_come_back_is_gone(self, house: House, sandbox: Sandbox) -> None:
        first = greeted(house, sandbox)
        sandbox.leave("support-1", first, "SIGNAL_CLOSE")
        eventually(lambda: states(house) == [ENDED], timeout=RECONNECTION_SECONDS + 5)
        sandbox.join("support-1", "ben")
        eventually(lambda: states(house) == [ENDED, ACTIVE])

    @pytest.mark.parametrize("listed_after", [0.0, 6.0])
    def test_no_webhook_need_tell_of_it(
        self, house: House, sandbox: Sandbox, listed_after: float
    ) -> None:
        first = greeted(house, sandbox)
        [before] = house.dispatches()
        sandbox.leave("support-1", first, "SIGNAL_CLOSE")
        eventually(lambda: house.dispatches()[0]["reason"] == "signal_close")
        sandbox.agents._job_listing_delay = listed_after
        sandbox.fault("webhooks_lost")
        throughout(lambda: states(house) == [ACTIVE], listed_after)
        sandbox.send_again("support-1", before["dispatch_id"])
        [second] = eventually(lambda: agents(sandbox, "support-1"))
        eventually(lambda: house.dispatches()[0]["agent_identity"] == second, timeout=20)
        assert states(house) == [ACTIVE]

    def test_released_while_it_is_on_its_way(self, house: House, sandbox: Sandbox) -> None:
        rules = GREET.replace("dispatch:", "release: last_human_left\n    dispatch:") % "on_failure"
        house.rules.write_text(rules)
        house.start_worker()
        sandbox.join("support-1", "ana")
        eventually(lambda: states(house) == [ACTIVE])
        sandbox.agents.workers[0].join_delay = 1.0
        [before] = house.dispatches()
        sandbox.leave("support-1", before["agent_identity"], "SIGNAL_CLOSE")
        sandbox.send_again("support-1", before["dispatch_id"])
        eventually(lambda: len(explicit(sandbox, "support-1")[0].state.jobs) == 2)
        sandbox.leave("support-1", "ana")
        eventually(lambda: house.dispatches()[0]["state"] == "released")
        eventually(lambda: len(came(sandbox)) == 2)
        eventually(lambda: agents(sandbox, "support-1") == [], timeout=15)
