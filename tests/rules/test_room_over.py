"""No agent is sent to a room that has ended or for a participant who has left."""

from __future__ import annotations

from rules.decision import Reason
from rules.session import Session
from tests.rules.given import joined, one, problems, rule, rule_file, started

ENDED = Session("RM_1", ended=True)


def test_room_finished_matches_but_is_refused():
    rules = rule("on: room_finished")
    (warning,) = rules.warnings
    assert "room_ended" in warning.message
    assert (warning.line, warning.column) == (3, 9)
    assert one(rules, joined(name="room_finished")).reason is Reason.ROOM_ENDED


def test_a_late_event_of_a_room_that_ended_is_refused():
    assert one(rule(""), joined(), ENDED).reason is Reason.ROOM_ENDED
    assert one(rule("on: room_started"), started(), ENDED).reason is Reason.ROOM_ENDED


def test_a_join_that_comes_after_the_leave_is_refused():
    gone = Session("RM_1", gone=("PA_1",))
    assert one(rule(""), joined(), gone).reason is Reason.PARTICIPANT_GONE
    back = joined(participant={"sid": "PA_2"})
    assert one(rule(""), back, gone).reason is Reason.MATCHED


def test_a_leave_itself_may_send_an_agent():
    assert one(rule("on: participant_left"), joined(name="participant_left")).reason == "matched"


def test_warnings_are_told_with_the_errors():
    found = problems(rule_file("on: room_finished\nonce: x"))
    assert [problem.severity for problem in found] == ["warning", "error"]
