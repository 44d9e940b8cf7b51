"""Warnings of rules that wait for what their own event has ended."""

from __future__ import annotations

import pytest

from rules.delay import refusal_when_due
from rules.session import Session
from tests.rules.given import joined, one, rule, warnings

ANA = {"sid": "PA_1", "identity": "ana", "kind": "STANDARD"}


@pytest.mark.parametrize(
    ("on", "word", "what"),
    [
        ("participant_left", "participant_left", "participant"),
        ("participant_connection_aborted", "participant_left", "participant"),
        ("[participant_joined, participant_left]", "participant_left", "participant"),
        ("track_unpublished", "track_unpublished", "track"),
    ],
)
def test_an_agent_that_is_sent_away_as_it_comes_is_told(on: str, word: str, what: str) -> None:
    event = on.strip("[]").rpartition(" ")[2]
    told = f"the {what} of '{event}' has gone: the agent is sent away at once"
    written = rule(f"on: {on}\nrelease: {word}")
    assert warnings(written) == [f"4:14: 'release: {word}': {told}"]
    longer = rule(f"on: {on}\nrelease: {{when: {word}}}")
    assert warnings(longer) == [f"4:21: 'release.when: {word}': {told}"]


@pytest.mark.parametrize(
    "body",
    [
        "on: participant_joined\nrelease: participant_left",
        "on: track_published\nrelease: track_unpublished",
        "on: track_unpublished\nrelease: participant_left",
        "on: participant_left\nrelease: last_human_left",
        "on: participant_left\nrelease: {when: participant_left, after: 5m}",
        "on: participant_left\nafter: 5s",
        "on: participant_joined\nonce: participant\nafter: 5s",
        "on: participant_left\nonce: participant",
        "on: participant_left\nonce: participant\nafter: 0s",
    ],
)
def test_what_is_still_to_come_is_not(body: str) -> None:
    assert warnings(rule(body)) == []


def test_what_is_told_is_so() -> None:
    event = joined(name="participant_left", participant=ANA)
    empty = Session("RM_1")
    (plan,) = one(rule("on: participant_left\nrelease: participant_left"), event, empty).plans
    assert plan.release.holds(event, event, empty, already=False)
    waiting = rule("on: participant_left\nonce: participant\nafter: 5s")
    refused = refusal_when_due(waiting.rules[0], event, empty)
    assert refused is not None
    assert refused.reason == "participant_gone"


@pytest.mark.parametrize("once", ["participant", "event"])
def test_waiting_for_who_has_left_is_told(once: str) -> None:
    written = rule(f"on: [participant_joined, participant_left]\nonce: {once}\nafter: 5s")
    told = "'after': the participant of 'participant_left' has gone when it is over"
    assert warnings(written) == [
        f"5:5: {told}: with 'once: {once}' nobody is sent unless they are back"
    ]
