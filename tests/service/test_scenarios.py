"""What a demo is told by its scenario: whether everything is as its rules say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.sandbox import sample_workers
from service.sandbox.videosdk.traffic import sample_agents
from service.scenarios import SCENARIOS

MIXED = SCENARIOS["videosdk"]


def dispatch(expected, **other):
    found = {"room": expected.room, "provider": expected.provider, "agent": expected.agent,
             "deployment": expected.deployment, "state": "active"}  # fmt: skip
    return found | ({} if expected.joins else {"state": "superseded"}) | other


def all_of(scenario):
    return [dispatch(expected) for expected in scenario.expected]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_what_is_as_expected_differs_in_nothing(scenario):
    assert scenario.differences(all_of(scenario)) == []


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_without_any_dispatch_each_is_missed(scenario):
    missed = scenario.differences([])
    assert len(missed) == len(scenario.expected)
    assert {told.partition(" was ")[2] for told in missed} == {"not dispatched"}


def test_one_that_is_missing_is_told_with_its_provider():
    found = [each for each in all_of(MIXED) if each["agent"] != "voicemail"]
    assert MIXED.differences(found) == ["voicemail of VideoSDK in night-1 was not dispatched"]


def test_one_that_no_rule_asked_for_is_told():
    more = {**all_of(MIXED)[-1], "room": "lobby-1"}
    assert MIXED.differences([*all_of(MIXED), more]) == [
        "greeter of production in lobby-1 was dispatched, no rule says so"
    ]


def test_one_at_the_wrong_provider_is_told():
    wrong = [replace(each, provider="livekit") for each in MIXED.expected]
    told = MIXED.differences([dispatch(each) for each in wrong])
    assert "host of VideoSDK in abcd-efgh-ijkl was not dispatched" in told
    assert "host of production in abcd-efgh-ijkl was dispatched, no rule says so" in told


def test_one_that_came_twice_is_told():
    found = all_of(MIXED)
    assert MIXED.differences([*found, found[-1]]) == [
        "greeter of production in support-1 was dispatched 2 times"
    ]


@pytest.mark.parametrize("state", ["requested", "pending", "failed", "superseded", "released"])
def test_one_whose_agent_has_not_joined_is_told(state):
    found = [dispatch(each, state=state) if each.joins else dispatch(each)
             for each in MIXED.expected]  # fmt: skip
    told = MIXED.differences(found)
    assert f"host in abcd-efgh-ijkl is {state}: no agent has joined" in told
    assert len(told) == 3


@pytest.mark.parametrize("state", ["pending", "active", "failed"])
def test_one_that_should_have_been_replaced_and_was_not_is_told(state):
    found = [dispatch(each) if each.joins else dispatch(each, state=state)
             for each in MIXED.expected]  # fmt: skip
    assert MIXED.differences(found) == [
        f"night-desk in night-1 is {state}: its fallback has not taken over"
    ]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_just_those_agents_that_are_to_join_have_workers(scenario):
    livekit = {("livekit", worker.agent_name) for worker in sample_workers()}
    videosdk = {("videosdk", agent.id) for agent in sample_agents()}
    for expected in scenario.expected:
        there = (expected.provider, expected.agent) in livekit | videosdk
        assert there == expected.joins
