"""History is kept short and shown whole; the record of a room tells its dispatches once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from rules.session import Session
from tests.waiting import eventually
from tests.workers.conftest import GREET
from tests.workers.desk import coming, dispatch
from workers import keys
from workers.intake import Intake
from workers.kept import from_record, to_record
from workers.ledger import Ledger
from workers.record import Record
from workers.states import State

if TYPE_CHECKING:
    from service.sandbox import Sandbox
    from tests.workers.conftest import House
    from workers.dispatch import Dispatch

PLAIN = replace(
    dispatch("support-1", 1), claim="greet\x1f0\x1froom\x1fsupport-1", subject="support-1",
    created_at=7.0, wanted_at=7.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        PLAIN,
        replace(PLAIN, wanted_at=0.0),
        replace(PLAIN, wanted_at=9.5, subject="somebody"),
        replace(PLAIN, subject=""),
        replace(PLAIN, claim="", subject=""),
        replace(PLAIN, claim="greet\x1f0\x1fparticipant\x1fa\x1fb", subject="a\x1fb"),
        replace(PLAIN, room_sid="RM_before", room="support-2"),
        PLAIN.accepted("AD_1", 8.0).joined("agent-1", "PA_1", 9.0),
        PLAIN.accepted("AD_1", 8.0).ended(State.RELEASED, "released: by hand", 9.0),
    ],
)
def test_what_is_not_kept_of_a_dispatch_is_told_beside_it(given: Dispatch) -> None:
    told = {"room": "support-1", "room_sid": "RM_support-1"}
    for known in ({}, told):
        assert from_record(json.loads(json.dumps(to_record(given, known))), known) == given
    session = Session("RM_support-1", room=coming("support-1").room)
    record = Record(session=session, dispatches={given.id: given})
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize("sid", ["", "RM_other", "RM_support-1"])
def test_a_session_keeps_the_sid_its_room_was_told_with(sid: str) -> None:
    session = Session("RM_support-1", room={**(coming("support-1").room or {}), "sid": sid})
    assert Session.from_json(json.loads(json.dumps(session.to_json()))) == session


def test_a_document_that_cannot_be_read_hides_no_other(house: House, sandbox: Sandbox) -> None:
    house.rules.write_text(GREET)
    house.start_worker()
    for room in ("support-1", "support-2", "support-3"):
        sandbox.join(room, "ana")
    eventually(lambda: len(house.dispatches(state="active")) == 3)
    house.stop()
    [_, second, _], [_, other, *_] = house.dispatches(), house.events()
    newer = keys.DISPATCH + second["id"]
    value = {**second, "claim": "c", "state": "one of another version"}
    house.redis.set(newer, json.dumps(value))
    strange = f"{keys.EVENT}{house.settings.servers[0].id}:{other['id']}"
    assert house.redis.set(strange, b'{"id": "EV_1"}', xx=True)

    with capture_logs() as logs:
        assert second["id"] not in {d["id"] for d in house.dispatches()}
        assert other["id"] not in {e["id"] for e in house.events()}
        assert len(house.dispatches()) == 2
    assert {line["key"] for line in logs if line["event"] == "history_not_read"} == {newer, strange}


def test_events_of_one_moment_are_listed_in_the_order_in_which_they_were_decided(
    house: House,
) -> None:
    house.rules.write_text(GREET)
    people = [f"caller-{number}" for number in range(20, 0, -1)]
    for who in people:  # whose ids sort the other way round
        Intake(house.redis).accept(house.settings.servers[0].id, coming("support-1", who))
    house.start_worker()
    eventually(lambda: len(house.events()) == len(people))
    assert [event["body"]["participant"]["identity"] for event in house.events()] == people
    told = Ledger(house.redis).events_since(0.0)
    assert [event["body"]["participant"]["identity"] for event in told] == people
