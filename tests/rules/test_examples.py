"""The example rule files do what their comments say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rules
from rules.loader import load
from tests.rules.given import decided, joined

EXAMPLES = Path(rules.__file__).parent / "examples"


def dispatched(file, event):
    plans = [plan for each in decided(load(EXAMPLES / file), event) for plan in each.plans]
    return [(plan.claim.owner, plan.agent, plan.deployment, plan.metadata) for plan in plans]


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_loads_without_a_warning(path):
    assert load(path).warnings == ()


def test_the_examples_load_together():
    assert len(load(EXAMPLES).rules) >= 8


def test_the_first_example_greets_whoever_joins():
    assert dispatched("first.yaml", joined()) == [("greet-everyone", "greeter", "", "")]


@pytest.mark.parametrize(
    ("lang", "rule"), [("es", "support-es"), ("ca", "support-es"), ("de", "support-en")]
)
def test_the_demo_greets_support_rooms_in_their_language(lang, rule):
    (sent,) = dispatched("demo.yaml", joined(room={"metadata": {"lang": lang}}))
    assert sent[:3] == (rule, "greeter", "")
    expected = {
        "lang": lang if rule == "support-es" else "en",
        "customer": "ana",
        "tier": "standard",
    }
    assert json.loads(sent[3]) == expected


def test_the_demo_answers_phone_callers_with_the_phone_agent_alone():
    caller = {"kind": "SIP", "attributes": {"sip.phoneNumber": "+34910000001"}}
    (sent,) = dispatched("demo.yaml", joined(participant=caller))
    assert sent[:3] == ("phone", "phone", "")
    assert json.loads(sent[3]) == {"caller": "+34910000001", "dialled": "unknown"}


def test_the_demo_sends_some_beta_rooms_to_staging():
    sent = [dispatched("demo.yaml", joined(room={"name": f"beta-{n}"}))[0] for n in range(100)]
    assert {(agent, deployment) for _, agent, deployment, _ in sent} == {
        ("greeter", ""),
        ("greeter", "staging"),
    }


def test_the_note_taker_comes_with_the_recorder_only():
    assert dispatched("microphone.yaml", joined(participant={"kind": "EGRESS"}))
    assert not dispatched("microphone.yaml", joined())
