"""Two versions work on one Redis while one replaces the other: what the newer writes the older one
reads, keeps, and does not count against anybody.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import eventually, throughout
from tests.workers.conftest import GREET
from workers import keys
from workers.dispatch import Dispatch, State
from workers.entries import order_offer
from workers.history import shown_event
from workers.intake import Intake
from workers.kept import from_record, to_record
from workers.planned import next_rung
from workers.record import Record

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House

OF_TOMORROW = {"of_tomorrow": {"x": 1}}


def dispatch(**more: Any) -> dict[str, Any]:
    made = Dispatch(
        id="D1", provider="livekit", room="r", room_sid="RM_1", rule="greet", subject="",
        agent="greeter", deployment="", metadata="", attributes={}, restart_policy="on_failure",
        event_id="EV_1", rules_hash="h", created_at=1.0, claim="greet|0|room|",
    )  # fmt: skip
    return {**to_record(made), **more}


def room_of(house: House, name: str) -> str:
    return keys.ROOM + keys.room_key(house.settings.servers[0].id, name)


def test_fields_that_are_not_known_stay_as_they_are() -> None:
    given = {"dispatches": [dispatch(**OF_TOMORROW)], "past": ["RM_0"], **OF_TOMORROW}
    read = Record.from_json(json.dumps(given))
    written = json.loads(read.with_sweep(["D0"], now=1.0).to_json())
    assert written["of_tomorrow"] == {"x": 1}
    assert written["dispatches"][0]["of_tomorrow"] == {"x": 1}
    assert written["sweep"] == ["D0"]
    assert Record.from_json(json.dumps(written)).past == ("RM_0",)


def test_a_field_that_is_not_known_stays_with_its_dispatch_and_goes_to_no_other() -> None:
    rung = {
        "agent": "other", "deployment": "", "metadata": "", "attributes": {},
        "restart_policy": "never", "provider": "livekit", "join_within": None, **OF_TOMORROW,
    }  # fmt: skip
    before = from_record(dispatch(fallback=[rung, rung], **OF_TOMORROW))
    moved = before.to(State.PENDING, None, 2.0)
    assert to_record(moved)["of_tomorrow"] == {"x": 1}
    following = next_rung(moved, "nobody came", 3.0, seen_at=3.0)
    assert following is not None
    assert "of_tomorrow" not in to_record(following)
    assert following.fallback[0]["of_tomorrow"] == {"x": 1}


def test_rows_that_have_grown_are_read_as_far_as_they_are_known() -> None:
    given = {
        "dispatches": [dispatch(moves=[[1.0, "requested", None, "tomorrow"]])],
        "agents": [["PA_1", "agent-1", 1.0, None, None, "greeter", "tomorrow"]],
        "stragglers": [["greeter", "AD_1", 9.0, "agent-1", "tomorrow"]],
        "unwanted": [["AD_2", 1.0, 2.0, ["agent-2"], None, "greeter", "tomorrow"]],
    }
    read = Record.from_json(json.dumps(given))
    assert read.dispatches["D1"].moves[0].state is State.REQUESTED
    assert read.agents["PA_1"].name == "greeter"
    assert read.stragglers[0].identity == "agent-1"
    assert read.unwanted[0].agent == "greeter"


def test_an_event_in_history_whose_decisions_tell_more_is_shown() -> None:
    kept = {
        "body": {"event": "room_started", "id": "EV_1", "room": {"name": "r", "sid": "RM_1"}},
        "decided_at": 1.0,
        "rules_hash": "h",
        "decisions": [["greet", "skip", "condition", [], None, None, "tomorrow"]],
    }
    assert shown_event(json.dumps(kept))["decisions"][0]["reason"] == "condition"


def test_a_room_goes_on_under_an_older_version_and_keeps_what_a_newer_one_wrote(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    loop = house.start_worker()
    sandbox.join("support-1", "ana")
    eventually(lambda: house.dispatches(state="active"))
    loop.stop()
    loop.join()
    room = room_of(house, "support-1")
    record = json.loads(house.redis.hget(room, "record"))
    record["dispatches"][0] |= OF_TOMORROW
    house.redis.hset(room, "record", json.dumps(record | OF_TOMORROW))
    house.start_worker()
    sandbox.join("support-1", "ben")
    written = eventually(lambda: _with(house, room, "ben"))
    assert written["of_tomorrow"] == {"x": 1}
    assert written["dispatches"][0]["of_tomorrow"] == {"x": 1}
    assert len(house.dispatches()) == 1


def _with(house: House, room: str, identity: str) -> dict[str, Any] | None:
    text = house.redis.hget(room, "record")
    return json.loads(text) if identity.encode() in text else None


@pytest.mark.timeout(60)
def test_what_an_older_version_cannot_read_waits_for_the_newer_and_loses_no_event(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    room = room_of(house, "support-1")
    unread = json.dumps({"dispatches": [dispatch(step="step_of_tomorrow")]})
    house.redis.hset(room, "record", unread)
    sandbox.join("support-1", "ana")
    house.start_worker()
    eventually(lambda: int(house.redis.hget(room, "fence") or 0) >= 4, timeout=40)
    assert house.redis.exists(keys.DEAD_LETTERS) == 0
    house.redis.hset(room, "record", "{}")  # as the newer version leaves it
    eventually(lambda: house.dispatches(state="active"))


def test_an_order_of_a_newer_version_is_put_aside_and_not_taken_for_another(
    house: House, sandbox: Sandbox
) -> None:
    house.rules.write_text(GREET)
    sandbox.join("support-1", "ana")
    house.start_worker()
    sent = eventually(lambda: house.dispatches(state="active"))[0]
    order = {"order": "mute_agent", "identity": sent["agent_identity"]}
    offer = order_offer(house.settings.servers[0].id, "support-1", "lkd.order.new", order)
    Intake(house.redis).offer(offer)
    eventually(lambda: house.redis.zcard(keys.DEAD_LETTERS) == 1, timeout=20)
    throughout(lambda: len(house.dispatches(state="active")) == 1, seconds=0.5)
