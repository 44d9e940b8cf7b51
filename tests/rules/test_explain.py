"""What `rules explain --json` prints."""

from __future__ import annotations

import json

from rules.known import Known
from rules.session import Session, observe
from tests.rules.given import explain, joined, one, rule, ruleset

RULES = ruleset(
    """
    version: 1
    rules:
      - id: es
        on: participant_joined
        when: {room: {metadata: {lang: es}}}
        dispatch: {agent: greeter-es}
      - id: all
        on: participant_joined
        dispatch:
          agent: greeter
          deployment: staging
          metadata: {n: 1}
          attributes: {k: v}
          restart_policy: never
      - id: broken
        on: participant_joined
        dispatch: {agent: "{{ room.metadata.agent }}"}
    """
)


def test_every_rule_with_its_outcome_reason_and_dispatches():
    explained = explain(RULES, joined(room={"metadata": {"lang": "fr"}}))
    assert json.loads(json.dumps(explained)) == {
        "event": "participant_joined",
        "room": "support-1",
        "decisions": [
            {
                "rule": "es",
                "outcome": "skip",
                "reason": "condition",
                "at": "when.room.metadata.lang",
                "dispatches": [],
            },
            {
                "rule": "all",
                "outcome": "dispatch",
                "reason": "matched",
                "at": None,
                "dispatches": [
                    {
                        "provider": "livekit",
                        "agent": "greeter",
                        "deployment": "staging",
                        "metadata": '{"n":1}',
                        "attributes": {"k": "v"},
                        "restart_policy": "never",
                    }
                ],
            },
            {
                "rule": "broken",
                "outcome": "error",
                "reason": "template_error",
                "at": "dispatch.agent",
                "dispatches": [],
            },
        ],
    }


def reason(rules, event, *more):
    return explain(rules, event, *more)["decisions"][0]["reason"]


def test_it_knows_the_room_it_is_told_of():
    everybody = rule("on: track_published\nwhen: {participant: {attributes: {plan: pro}}}")
    session, _ = observe(Session("RM_1"), joined(participant={"attributes": {"plan": "pro"}}))
    published = joined(name="track_published", track={"sid": "TR_1"})
    assert reason(everybody, published) == "loop_guard"
    assert reason(everybody, published, session) == "matched"


def test_it_knows_what_is_live():
    everybody = rule("")
    (plan,) = one(everybody, joined()).plans
    known = Known(live={plan.claim.key: plan.rule})
    assert reason(everybody, joined(), None, known) == "already_dispatched"


def test_an_event_written_by_hand_needs_no_id():
    assert reason(rule("once: event"), joined(id="")) == "matched"
