"""What participants write is data: it is never a template, a pattern or a program."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from rules.decision import Outcome
from tests.rules.given import joined, metadata_of, one, rule

RULES = rule(
    """
    when: {participant: {identity: {not: "admin*"}}}
    once: participant
    dispatch:
      agent: a
      deployment: {weights: {"": 1, staging: 1}, sticky: participant}
      metadata:
        text: "{{ participant.identity }}"
        json: "{{ participant.attributes | tojson }}"
        attribute: "{{ participant.attributes['k'] | default('none') }}"
        mixed: "from {{ participant.name }}"
      attributes: {who: "{{ participant.name }}"}
    """
)
texts = st.text(max_size=40) | st.sampled_from(
    [
        "{{ 7 * 7 }}",
        "{% raw %}",
        "{{ self }}",
        '"}',
        "*",
        "'",
        "\\",
        "\0",
        "${x}",
        "items",
        "\u2028",
    ]
)


@given(
    identity=texts.filter(bool), name=texts, attributes=st.dictionaries(texts, texts, max_size=4)
)
@example(identity="{{ now }}", name='", "admin": true, "', attributes={"k": "{{ room }}"})
@example(identity="x", name="x", attributes={"items": "x", "keys": "y", "get": "z", "read": "w"})
def test_it_arrives_as_it_was_written(identity, name, attributes):
    event = joined(participant={"identity": identity, "name": name, "attributes": attributes})
    decision = one(RULES, event)
    if identity.startswith("admin"):
        return
    assert decision.outcome is Outcome.DISPATCH, decision
    plan = decision.plans[0]
    assert json.loads(plan.metadata) == {
        "text": identity,
        "json": attributes,
        "attribute": attributes.get("k", "none"),
        "mixed": f"from {name}",
    }
    assert plan.attributes == {"who": name}
    assert plan.claim.subject == identity


@given(text=st.text(max_size=60) | st.sampled_from(['{"a":', '{"a": 1}', "{{ 1 }}", "[]"]))
def test_metadata_of_any_text_is_passed_on_unchanged(text):
    event = joined(room={"metadata": text})
    assert metadata_of("{{ room.metadata }}", event) == text


def test_half_a_surrogate_pair_becomes_a_question_mark():
    event = joined(room={"metadata": '{"lang": "\\ud800", "k\\udc00": [1, {"x": "\\udfff"}]}'})
    assert metadata_of("{{ room.metadata.lang }}", event) == "?"
    everything = rule(
        "dispatch: {agent: a, metadata: [\"{{ room.metadata.get('k?') | tojson }}\"]}"
    )
    assert one(everything, event).plans[0].metadata == '[[1,{"x":"?"}]]'
    assert one(rule('when: {room: {metadata: {lang: {regex: "."}}}}'), event).plans


def test_an_identity_of_half_a_surrogate_pair_is_no_accident():
    event = joined(participant={"identity": "a\ud800"})
    plan = one(RULES, event).plans[0]
    assert "a?" in plan.metadata
    (plan.metadata + plan.claim.key).encode()


def test_deeply_nested_metadata_is_survived():
    event = joined(room={"metadata": '{"a":' * 900 + "1" + "}" * 900})
    decision = one(
        rule('dispatch: {agent: a, metadata: ["{{ room.metadata.a | tojson }}"]}'), event
    )
    assert decision.outcome in (Outcome.DISPATCH, Outcome.ERROR)
