"""A Create whose answer was lost is looked for, not repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import eventually
from tests.workers.conftest import GREET, create_by_hand, explicit

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

BIG = """
version: 1
rules:
  - id: greet
    on: participant_joined
    dispatch: {agent: greeter, attributes: {big: "%s"}}
""" % ("x" * 65_500)
STAGING = GREET.replace("{agent: greeter}", "{agent: greeter, deployment: staging}")


@pytest.mark.parametrize("fault", ["cut", "unavailable_after_work"])
def test_a_create_that_was_done_is_adopted(house: House, sandbox: Sandbox, fault: str) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault(fault, "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"), timeout=15)
    assert len(sandbox.calls.of("CreateDispatch")) == 1
    [listed] = explicit(sandbox, "support-1")
    assert dispatch["dispatch_id"] == listed.id


@pytest.mark.parametrize("fault", ["cut_before_work", "unavailable", "too_many"])
def test_a_create_that_was_not_done_is_made_again(
    house: House, sandbox: Sandbox, fault: str
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault(fault, "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=15)
    assert len(explicit(sandbox, "support-1")) == 1
    [first, second] = sandbox.calls.of("CreateDispatch")
    assert second.at - first.at >= 7, "LiveKit may still have been at it"


def test_a_wrong_key_is_tried_again_and_shown(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("unauthorized", "CreateDispatch", times=2)
    sandbox.join("support-1", "ana")
    eventually(lambda: any("LIVEKIT_API_SECRET" in (d["reason"] or "") for d in house.dispatches()))
    [dispatch] = eventually(lambda: house.dispatches(state="active"), timeout=15)
    assert dispatch["reason"] is None


def test_what_livekit_refuses_is_final_in_its_own_words(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(BIG)
    house.start_worker()
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert "attribute size exceeds limits" in dispatch["reason"]
    assert len(sandbox.calls.of("CreateDispatch")) == 1


def test_an_old_server_never_sends_stagings_calls_to_production(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(STAGING)
    house.start_worker()
    sandbox.fault("old_server")
    sandbox.join("support-1", "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="failed"))
    assert "1.12" in dispatch["reason"]
    eventually(lambda: not explicit(sandbox, "support-1"))
    eventually(lambda: set(sandbox.rooms.open["support-1"].participants) == {"ana"})
    assert len(sandbox.agents.workers[0].jobs) == 1, "production's agent came, and went again"


def test_what_an_old_server_made_of_a_call_whose_answer_was_lost_is_found_and_deleted(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(STAGING)
    house.start_worker()
    sandbox.fault("old_server")
    sandbox.join("warm-up", "ana")  # by this answer it is known that the server is old
    eventually(lambda: house.dispatches(room="warm-up", state="failed"))
    sandbox.fault("cut", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(room="support-1", state="failed"), timeout=20)
    eventually(lambda: not explicit(sandbox, "support-1"))
    eventually(lambda: set(sandbox.rooms.open["support-1"].participants) == {"ana"})
    assert len(sandbox.calls.of("CreateDispatch", "support-1")) == 1


def test_an_old_server_without_deployments_works(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("old_server")
    sandbox.join("warm-up", "ana")
    eventually(lambda: house.dispatches(room="warm-up", state="active"))
    sandbox.fault("cut", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(room="support-1", state="active"), timeout=15)
    assert len(sandbox.calls.of("CreateDispatch", "support-1")) == 1


def test_livekit_hanging_holds_up_no_other_server_and_no_second_call_is_made(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker(concurrency=8)
    sandbox.fault("hang_after_work", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch"))
    sandbox.join("support-2", "bo")
    eventually(lambda: house.dispatches(room="support-2", state="active"), timeout=2)
    eventually(lambda: house.dispatches(room="support-1", state="active"), timeout=15)
    assert len(sandbox.calls.of("CreateDispatch", "support-1")) == 1


@pytest.mark.parametrize("rules", [GREET, STAGING], ids=["production", "staging"])
def test_what_somebody_else_dispatched_is_neither_adopted_nor_deleted(
    house: House, sandbox: Sandbox, rules: str
) -> None:
    house.rules.write_text(rules)
    house.start_worker()
    sandbox.fault("cut_before_work", "CreateDispatch", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: sandbox.calls.of("CreateDispatch", "support-1"))
    theirs = create_by_hand(sandbox, "support-1")
    eventually(lambda: house.dispatches(room="support-1", state="active"), timeout=15)
    [dispatch] = house.dispatches(room="support-1")
    assert dispatch["dispatch_id"] != theirs
    assert theirs in {d.id for d in explicit(sandbox, "support-1")}
    assert not sandbox.calls.of("DeleteDispatch")


def test_a_look_that_fails_is_repeated_and_loses_nothing(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("cut", "CreateDispatch", times=1)
    sandbox.fault("unavailable", "ListDispatch", times=2)
    sandbox.fault("unavailable", "ListRooms", times=1)
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"), timeout=20)
    assert len(explicit(sandbox, "support-1")) == 1
    assert len(sandbox.calls.of("CreateDispatch")) == 1
