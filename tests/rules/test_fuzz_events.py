"""Any events in any order, by any rules: an event is refused when read, or everything goes on."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

from hypothesis import assume, given
from hypothesis import strategies as st

from rules.decide import decide
from rules.decision import Outcome
from rules.event import read_event
from rules.files import RuleFile
from rules.known import Known
from rules.loader import load_files
from rules.problems import RuleErrors
from rules.session import Session, observe
from tests.rules.given import explain
from tests.rules.made import (
    any_json,
    bodies,
    field_names,
    in_time,
    long,
    mutated,
    rule_files,
    texts,
    written_files,
)

KEYS = (
    field_names
    | texts
    | st.sampled_from(["event", "id", "createdAt", "egressInfo", "ingressInfo", "emptyTimeout"])
)
recorded = st.sampled_from(bodies())
spoilt = mutated(recorded, any_json, KEYS)
anything = st.builds(
    lambda name, more: {**more, "event": name},
    st.sampled_from([body["event"] for body in bodies()]) | texts,
    st.dictionaries(KEYS, any_json, max_size=4),
)
sequences = st.lists(recorded | spoilt | anything, min_size=1, max_size=6)


@cache
def written():
    return [load_files([RuleFile("rules.yaml", text)]) for text in written_files()]


def events(sequence):
    """Those of them that are events."""
    for body in sequence:
        if isinstance(body, dict):
            with suppress(ValueError):
                yield read_event(body, project="devkey", fallback_id="EV_x")


def play(rules, sequence):
    """Decide each as it comes, and check that what is made of it can be kept and sent."""
    session, live = Session("RM_1"), {}
    for read in events(sequence):
        known = Known(live=dict(live), accepted=dict(live))
        explained = explain(rules, read, session, known)
        json.dumps(explained).encode()
        session, event = observe(session, read)
        decisions = decide(rules, event, session, known)
        assert decisions == decide(rules, event, session, known)
        few = decide(rules, event, session, known, every_rule=False)
        assert [each for each in few if each.plans] == [each for each in decisions if each.plans]
        assert [each["rule"] for each in explained["decisions"]] == [
            each.id for each in rules.rules
        ]
        for decision in decisions:
            assert (decision.outcome in (Outcome.DISPATCH, Outcome.SHADOW)) is bool(decision.plans)
            check(decision)
            if decision.outcome is Outcome.DISPATCH:
                live |= {plan.claim.key: decision.rule for plan in decision.plans}
        kept = json.loads(json.dumps(session.to_json(), ensure_ascii=False).encode())
        assert Session.from_json(kept) == session
        json.dumps(event.to_json(), ensure_ascii=False).encode()


def check(decision):
    if decision.detail is not None:
        assert len(decision.detail.splitlines()) <= 1, decision
        assert "object at 0x" not in decision.detail, decision
        assert "Traceback" not in decision.detail, decision
        decision.detail.encode()
    for plan in decision.plans:
        for rung in (plan, *plan.fallback):
            whole = [
                rung.agent,
                rung.deployment,
                rung.metadata,
                rung.version,
                dict(rung.attributes),
            ]
            json.dumps(whole, ensure_ascii=False).encode()
        (plan.claim.key + (plan.share.per if plan.share else "")).encode()


@long(300)
@given(any_json)
def test_a_body_is_an_event_or_a_value_error(body):
    if isinstance(body, dict):
        list(events([body]))
        list(events([{**body, "event": "participant_joined"}]))


@long(300)
@given(st.data(), sequences)
def test_written_rules_decide_any_events(data, sequence):
    with in_time():
        play(data.draw(st.sampled_from(written())), sequence)


@long(200)
@given(rule_files, sequences)
def test_made_rules_decide_any_events(tree, sequence):
    try:
        rules = load_files([RuleFile("rules.yaml", json.dumps(tree))])
    except RuleErrors:
        assume(False)
    with in_time():
        play(rules, sequence)
