"""What LiveKit would refuse is refused here: when loaded if constant, when rendered if not."""

from __future__ import annotations

import json

import pytest

from rules.decision import Reason, RestartPolicy
from tests.rules.given import errors, joined, one, rule, rule_file

RENDERED = "{{ room.metadata.x }}"


def rendered(part, value):
    event = joined(room={"metadata": {"x": value}})
    return one(rule(f"dispatch: {{agent: a, {part}}}".replace("agent: a, agent", "agent")), event)


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("", "the agent's name is empty"),
        ("   ", "the agent's name is empty"),
        (" a", "begins or ends with a space"),
        ("a\u0007b", "holds a control character"),
    ],
)
def test_agents(agent, message):
    written = json.dumps(agent)
    (error,) = errors(rule_file(f"dispatch: {{agent: {written}}}"))
    assert message in error
    decision = rendered(f'agent: "{RENDERED}"', agent)
    assert (decision.reason, decision.at) == (Reason.INVALID_AGENT, "dispatch.agent")
    assert message in decision.detail


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        ("a" * 64, "at most 63 bytes, this one has 64"),
        ("ñ" * 32, "at most 63 bytes, this one has 64"),
        ("my_staging", "holds '_'"),
        ("my staging", "whitespace"),
        ("a\u00a0b", "whitespace"),
        ("a\n", "whitespace"),
        ("a\u0000", "control character"),
        ("a\u0085b", "control character"),
    ],
)
def test_deployments(deployment, message):
    written = json.dumps(deployment)
    for part in (f"deployment: {written}", f"deployment: {{weights: {{{written}: 1}}}}"):
        (error,) = errors(rule_file(f"dispatch: {{agent: a, {part}}}"))
        assert message in error
    decision = rendered(f'deployment: "{RENDERED}"', deployment)
    assert (decision.reason, decision.at) == (Reason.INVALID_DEPLOYMENT, "dispatch.deployment")
    assert message in decision.detail


@pytest.mark.parametrize("deployment", ["", "a" * 63, "ñ" * 31, "v1.2-rc", "staging"])
def test_deployments_livekit_takes(deployment):
    written = json.dumps(deployment)
    assert one(rule(f"dispatch: {{agent: a, deployment: {written}}}"), joined()).plans
    assert rendered(f'deployment: "{RENDERED}"', deployment).plans[0].deployment == deployment


def test_metadata_has_at_most_512_kib():
    (error,) = errors(rule_file(f"dispatch: {{agent: a, metadata: {'x' * 524_289}}}"))
    assert "the metadata has 524,289 bytes, 524,288 are allowed" in error
    (error,) = errors(rule_file(f"dispatch: {{agent: a, metadata: [{'x' * 524_285}]}}"))
    assert "524,289 bytes" in error
    assert rule(f"dispatch: {{agent: a, metadata: {'x' * 524_288}}}").rules
    for size, taken in ((524_288, True), (524_289, False), (2_000_000, False)):
        decision = rendered(f'metadata: "{RENDERED}"', "x" * size)
        assert bool(decision.plans) is taken
        assert taken or decision.reason is Reason.METADATA_TOO_LARGE
    decision = rendered(f'metadata: {{a: "{RENDERED}"}}', "x" * 524_288)
    assert (decision.reason, decision.at) == (Reason.METADATA_TOO_LARGE, "dispatch.metadata")


def test_attributes_have_at_most_64_kib_together():
    (error,) = errors(rule_file(f"dispatch: {{agent: a, attributes: {{k: {'x' * 65_536}}}}}"))
    assert "the attributes have 65,537 bytes" in error
    decision = rendered(f'attributes: {{k: "{RENDERED}"}}', "x" * 65_536)
    assert (decision.reason, decision.at) == (Reason.METADATA_TOO_LARGE, "dispatch.attributes")
    assert rendered(f'attributes: {{k: "{RENDERED}"}}', "x" * 65_535).plans


@pytest.mark.parametrize("value", ["7", "true", "null", "+34", "1.10"])
def test_attributes_are_strings(value):
    (error,) = errors(rule_file(f"dispatch: {{agent: a, attributes: {{k: {value}}}}}"))
    assert f"attributes are strings, and 'k' is none: quote it: \"{value}\"" in error


def test_attributes_are_no_lists():
    (error,) = errors(rule_file("dispatch: {agent: a, attributes: {k: [a]}}"))
    assert error.endswith("attributes are strings, and 'k' is none")


def test_names_are_no_templates():
    told = errors(
        rule_file(
            "dispatch:\n  agent: a\n  attributes: {'{{ rule }}': x}\n"
            "  deployment: {weights: {'{{ rule }}': 1}}"
        )
    )
    assert "templates stand in values, not in keys" in told[0]
    assert "weights are of deployments by name" in told[1]


def test_all_that_is_wrong_in_a_dispatch_is_told_at_once():
    told = errors(
        rule_file("dispatch: {agen: a, deployment: a_b, metadata: 7, attributes: {x: 1}}")
    )
    assert len(told) == 5


@pytest.mark.parametrize("policy", ["on_failure", "never", "always"])
def test_restart_policies(policy):
    (plan,) = one(rule(f"dispatch: {{agent: a, restart_policy: {policy}}}"), joined()).plans
    assert plan.restart_policy is RestartPolicy(policy)


def test_agents_are_restarted_on_failure_and_go_to_production_if_the_rule_does_not_say():
    (plan,) = one(rule("dispatch: {agent: a}"), joined()).plans
    expected = (RestartPolicy.ON_FAILURE, "", "", {})
    assert (plan.restart_policy, plan.deployment, plan.metadata, plan.attributes) == expected
