"""`dispatch.provider` and `version`: whose agents are asked for."""

from __future__ import annotations

import pytest

from rules.decision import Outcome, Provider, Reason
from rules.event import read_event
from rules.known import Known
from tests.rules.given import errors, joined, one, rule, rule_file, warnings

BOTH = Known(providers=frozenset(Provider))


def videosdk():
    body = {
        "event": "participant_joined",
        "id": "EV_1",
        "room": {"sid": "RM_1", "name": "support-1"},
        "participant": {"sid": "PA_1", "identity": "ana"},
    }
    return read_event(body, source="videosdk")


def rung(body, event, known=BOTH):
    decision = one(rule(f"dispatch: {body}"), event, known=known)
    assert decision.plans, decision.detail
    return decision.plans[0]


def stopped(body, event, known=BOTH):
    decision = one(rule(f"dispatch: {body}"), event, known=known)
    assert decision.outcome is Outcome.ERROR
    return decision.reason, decision.at, decision.detail


def test_it_is_where_the_event_came_from_unless_the_rule_says():
    assert rung("{agent: a}", joined()).provider is Provider.LIVEKIT
    assert rung("{agent: a}", videosdk()).provider is Provider.VIDEOSDK
    assert rung("{agent: a, provider: videosdk}", joined()).provider is Provider.VIDEOSDK
    assert rung("{agent: a, provider: livekit}", videosdk()).provider is Provider.LIVEKIT


def test_one_that_is_not_configured_is_unsupported():
    found = stopped("{agent: a, provider: videosdk}", joined(), Known())
    assert found == (Reason.UNSUPPORTED, "dispatch.provider", "videosdk is not configured here")
    assert stopped("{agent: a}", videosdk(), Known())[0] is Reason.UNSUPPORTED


def test_one_that_is_not_configured_in_a_fallback_is_too():
    body = "fallback: [{provider: videosdk}]"
    assert one(rule(body), joined(), known=Known()).reason is Reason.UNSUPPORTED
    (found,) = one(rule(body), joined(), known=BOTH).plans
    assert found.fallback[0].provider is Provider.VIDEOSDK


def test_a_version_is_videosdks():
    assert rung("{agent: a, version: v2}", videosdk()).version == "v2"
    assert rung("{agent: a}", videosdk()).version == ""
    assert stopped("{agent: a, version: v2}", joined()) == (
        Reason.UNSUPPORTED,
        "dispatch.version",
        "livekit has no versions of agents; its 'deployment' may be what is meant",
    )


def test_a_version_may_be_a_template():
    body = '{agent: a, version: "{{ participant.identity }}-1"}'
    assert rung(body, videosdk()).version == "ana-1"
    assert stopped("{agent: a, version: '{{ room.metadata.x }}'}", videosdk())[:2] == (
        Reason.TEMPLATE_ERROR, "dispatch.version"
    )  # fmt: skip


def test_a_deployment_is_livekits():
    assert stopped("{agent: a, deployment: staging}", videosdk()) == (
        Reason.UNSUPPORTED,
        "dispatch.deployment",
        "videosdk has no deployments; its 'version' may be what is meant",
    )
    assert rung("{agent: a, deployment: ''}", videosdk()).deployment == ""


NO_VERSIONS = "livekit has no versions of agents; its 'deployment' may be what is meant"
NO_DEPLOYMENTS = "videosdk has no deployments; its 'version' may be what is meant"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ("provider: twilio", "3:36: 'dispatch.provider' is one of livekit, videosdk"),
        (
            "provider: LiveKit",
            "3:36: 'dispatch.provider' is one of livekit, videosdk, did you mean 'livekit'?",
        ),
        ("provider: null", "3:36: 'dispatch.provider' is one of livekit, videosdk"),
        ("version: 7", "3:35: 'dispatch.version' takes text: quote it"),
        ("provider: livekit, version: v1", f"3:54: {NO_VERSIONS}"),
        ("provider: videosdk, deployment: staging", f"3:58: {NO_DEPLOYMENTS}"),
        ("provider: videosdk, deployment: {weights: {a: 1}}", f"3:58: {NO_DEPLOYMENTS}"),
    ],
)
def test_what_is_wrong_whatever_the_event_is_told_when_it_is_loaded(fields, error):
    assert errors(rule_file(f"dispatch: {{agent: a, {fields}}}")) == [error]


@pytest.mark.parametrize(
    "fields", ["provider: videosdk, deployment: ''", "provider: livekit, version: ''", "version: v"]
)
def test_what_may_be_right_is_no_error(fields):
    assert warnings(rule(f"dispatch: {{agent: a, {fields}}}")) == []


def test_a_fallback_to_another_provider_must_leave_behind_what_it_does_not_have():
    body = "fallback: [{provider: videosdk%s}]\ndispatch: {agent: a, deployment: staging}"
    assert errors(rule_file(body % "")) == [f"4:38: {NO_DEPLOYMENTS}"]
    assert rule(body % ", deployment: ''")
