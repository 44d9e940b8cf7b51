"""An agent that comes with a caller's join token is the one of its claim; no second comes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import MessageToDict

from rules.event import read_event
from tests.waiting import eventually, throughout
from tests.workers.conftest import GREET, explicit
from tests.workers.tokens import ROOM, active, agents, room_key, token
from workers import keys
from workers.dispatch import ID_ATTRIBUTE
from workers.intake import Intake

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

STAGING = GREET.replace("greeter}", "greeter, deployment: staging}")


def tell_of(house: House, sandbox: Sandbox, identity: str) -> None:
    """The webhook of somebody's join comes, whatever became of the sandbox's own."""
    opened = sandbox.rooms.open[ROOM]
    body = {
        "event": "participant_joined", "id": f"EV_{identity}", "createdAt": int(time.time()),
        "room": MessageToDict(opened.info),
        "participant": MessageToDict(opened.participants[identity]),
    }  # fmt: skip
    Intake(house.redis).accept(house.settings.servers[0].id, read_event(body, project="devkey"))


@pytest.mark.parametrize("once", ["room", "participant", "event"])
def test_the_agent_of_the_token_is_met_and_no_other_is_sent(
    house: House, sandbox: Sandbox, once: str
) -> None:
    house.rules.write_text(STAGING + f"    once: {once}\n")
    house.start_worker()
    sandbox.join_by_token(token(house, "ana"))
    [dispatch] = active(house)
    [listed] = explicit(sandbox, ROOM)
    assert (dispatch["dispatch_id"], listed.deployment) == (listed.id, "staging")
    assert dispatch["agent_identity"] in sandbox.rooms.open[ROOM].participants
    assert dispatch["accepted_at"] >= dispatch["created_at"]
    assert not sandbox.calls.of("CreateDispatch")


def test_an_agent_that_was_there_before_the_callers_webhook_is_met(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.fault("webhooks_lost")
    sandbox.join_by_token(token(house, "ana"))
    [agent] = eventually(lambda: agents(sandbox))
    tell_of(house, sandbox, agent)
    eventually(lambda: not house.redis.llen(keys.INBOX + room_key(house)))
    tell_of(house, sandbox, "ana")
    [dispatch] = eventually(lambda: house.dispatches(state="active"), timeout=5)
    assert dispatch["agent_identity"] == agent
    assert not sandbox.calls.of("CreateDispatch")


def test_a_token_into_a_room_that_is_open_gets_its_agent_by_the_webhook(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.create_room(ROOM)
    sandbox.join_by_token(token(house, "ana"))
    [dispatch] = active(house)
    [listed] = explicit(sandbox, ROOM)
    assert listed.attributes[ID_ATTRIBUTE] == dispatch["id"]
    assert len(sandbox.calls.of("CreateDispatch")) == 1
    order = [c.method for c in sandbox.calls.of() if c.method.endswith("Dispatch")]
    assert order[:2] == ["ListDispatch", "CreateDispatch"], "it looks first"


def test_two_callers_with_tokens_for_the_same_claim_have_one_agent(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    tokens = [token(house, who) for who in ("ana", "ben")]
    for each in reversed(tokens):
        sandbox.join_by_token(each)
    active(house)
    throughout(lambda: len(house.dispatches()) == len(explicit(sandbox, ROOM)) == 1, 1)
    assert not sandbox.calls.of("CreateDispatch")


def test_callers_with_an_agent_each_have_one_each(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET + "    once: participant\n")
    house.start_worker()
    tokens = [token(house, who) for who in ("ana", "ben")]
    for each in tokens:
        sandbox.join_by_token(each)
    assert {d["subject"] for d in active(house, 2)} == {"ana", "ben"}
    assert len(explicit(sandbox, ROOM)) == 2
    assert len(sandbox.calls.of("CreateDispatch")) == 1, "ana's came with her token"


def test_a_token_used_again_when_the_room_came_anew_brings_one_agent(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    mine = token(house, "ana")
    for session in (1, 2):
        sandbox.join_by_token(mine)
        assert active(house)
        sandbox.delete_room(ROOM)
        eventually(lambda session=session: len(house.dispatches(state="ended")) == session)
    assert not sandbox.calls.of("CreateDispatch")
    assert len({d["id"] for d in house.dispatches()}) == 2


def test_what_a_token_has_sent_is_taken_once_in_a_session(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    sandbox.join_by_token(token(house, "ana"))
    [first] = active(house)
    sandbox.leave(ROOM, first["agent_identity"], "USER_REJECTED")
    eventually(lambda: not house.dispatches(state="active"))
    eventually(lambda: not [d for d in house.dispatches() if d["state"] == "scheduled"])
    sandbox.join(ROOM, "ben")
    [second] = active(house)
    assert second["dispatch_id"] != first["dispatch_id"], "its agent has gone: it is over"
    assert second["agent_identity"] in sandbox.rooms.open[ROOM].participants


def test_rules_that_ask_for_another_agent_since_get_that_and_the_tokens_goes(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    mine = token(house, "ana")
    house.rules.write_text(STAGING)
    house.start_worker()
    sandbox.join_by_token(mine)
    [dispatch] = active(house)
    assert dispatch["deployment"] == "staging"
    eventually(lambda: [d.deployment for d in explicit(sandbox, ROOM)] == ["staging"], timeout=15)
    eventually(lambda: agents(sandbox) == [dispatch["agent_identity"]])


def test_an_agent_that_no_rule_asks_for_any_more_is_let_be(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    mine = token(house, "ana")
    house.rules.write_text(GREET.replace("dispatch:", "when: {room: {name: other}}\n    dispatch:"))
    house.start_worker()
    sandbox.join_by_token(mine)
    eventually(lambda: agents(sandbox))
    eventually(house.events)
    throughout(lambda: len(agents(sandbox)) == 1 and not house.dispatches(), 1)
    assert not sandbox.calls.of("DeleteDispatch")


def test_a_token_that_brings_nobody_is_followed_by_the_fallback(
    house: House, sandbox: Sandbox
) -> None:
    sandbox.remove_worker(sandbox.agents.workers[0])  # production's
    ladder = "    join_within: 1s\n    fallback: [{deployment: staging}]\n"
    house.rules.write_text(GREET + ladder)
    house.start_worker()
    sandbox.join_by_token(token(house, "ana"))
    [dispatch] = active(house)
    assert dispatch["deployment"] == "staging"
    assert [d["state"] for d in house.dispatches()] == ["superseded", "active"]
    eventually(lambda: [d.deployment for d in explicit(sandbox, ROOM)] == ["staging"])


def test_a_caller_whose_webhook_was_lost_has_one_agent_that_is_looked_after(
    house: House, sandbox: Sandbox
) -> None:
    house.settings = replace(house.settings, reconcile_interval=timedelta(seconds=1))
    house.rules.write_text(GREET)
    sandbox.fault("webhooks_lost")
    house.start_worker()
    sandbox.join_by_token(token(house, "ana"))
    [dispatch] = active(house)
    [listed] = explicit(sandbox, ROOM)
    assert dispatch["dispatch_id"] == listed.id


def test_a_second_agent_that_came_since_the_note_was_lost_goes_at_the_next_look(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    mine = token(house, "ana")
    house.redis.delete(keys.TOKENS + room_key(house))
    house.start_worker()
    sandbox.join_by_token(mine)
    [dispatch] = active(house)
    assert len(explicit(sandbox, ROOM)) == 2
    Intake(house.redis).look(house.settings.servers[0].id, ROOM)
    eventually(lambda: [d.id for d in explicit(sandbox, ROOM)] == [dispatch["dispatch_id"]])
    eventually(lambda: agents(sandbox) == [dispatch["agent_identity"]], timeout=15)


def test_without_a_token_nobody_looks(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    token(house, "ana", room="another")
    sandbox.join(ROOM, "ana")
    active(house)
    order = [c.method for c in sandbox.calls.of() if c.method.endswith("Dispatch")]
    assert order[0] == "CreateDispatch"


def test_where_the_look_fails_nothing_is_called_until_one_has_answered(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.fault("unavailable", "ListDispatch", times=2)
    house.start_worker()
    sandbox.join_by_token(token(house, "ana"))
    active(house)
    assert len(explicit(sandbox, ROOM)) == 1
    assert not sandbox.calls.of("CreateDispatch")
