"""What templates can read, and how they fail."""

from __future__ import annotations

import pytest

from rules.decision import Outcome, Reason
from tests.rules.given import (
    decided,
    errors,
    joined,
    metadata_of,
    one,
    rule,
    rule_file,
    ruleset,
    started,
)

ANA = joined(
    room={"metadata": {"lang": "es", "n": 3, "customer": {"name": "Ana", "items": 2}, "nil": None}},
    participant={"attributes": {"sip.phoneNumber": "+34", "items": "mine"}, "metadata": "plain"},
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no template { at } all", "no template { at } all"),
        (
            "{{ event }} {{ source }} {{ project }} {{ rule }}",
            "participant_joined livekit devkey r",
        ),
        ("{{ room.name }}/{{ participant.identity }}", "support-1/ana"),
        ("{{ room.metadata.lang }}", "es"),
        ("{{ room.metadata['lang'] }}", "es"),
        ("{{ room.metadata.customer.name }}", "Ana"),
        ("{{ room.metadata.customer.items }}", "2"),
        ("{{ room.metadata.customer['name'] | upper }}", "ANA"),
        ("{{ room.metadata.n + 1 }}", "4"),
        ("{{ participant.metadata }}", "plain"),
        ("{{ participant.attributes['sip.phoneNumber'] }}", "+34"),
        ("{{ participant.attributes.items }}", "mine"),
        ("{{ participant.attributes.get('x', 'none') }}", "none"),
        ("{{ participant.kind }} {{ participant.joined_at }}", "STANDARD 0"),
        ("{{ participant.permission.can_publish }}", "False"),
        ("{{ now.isoformat() }}", "2026-02-02T02:40:00+00:00"),
        ("{{ now.strftime('%H:%M') }}", "02:40"),
        ("{{ room.metadata.tier | default('standard') }}", "standard"),
        ("{{ room.metadata.a.b.c | default('deep') }}", "deep"),
        ("{{ room.metadata.nil | default('null is absent') }}", "null is absent"),
        ("{{ participant.metadata.lang | default('not JSON') }}", "not JSON"),
        ("{{ track.name | default('no track') }}", "no track"),
        ("{% if room.metadata.tier is defined %}a{% else %}b{% endif %}", "b"),
        ("{% for k in room.metadata.customer %}{{ k }},{% endfor %}", "name,items,"),
        ("{% set x = room.name %}{{ x.split('-')[1] }}", "1"),
        ("{{ 'a' if 'es' in room.metadata else 'b' }}", "a"),
        (
            "{{ room.name.replace('-', '_') }} {{ room.name | replace('-', '') }}",
            "support_1 support1",
        ),
        (
            "{{ [1, 2] | join('-') }} {{ 7.25 | round(1) }} {{ 'a' ~ 1 }} {{ 'ab' * 2 }}",
            "1-2 7.2 a1 abab",
        ),
        ("{{ {'a': '<&>'} | tojson }}", '{"a":"<&>"}'),
        ("{{ room.metadata.customer | tojson }}", '{"name":"Ana","items":2}'),
        ("{{ '{{ room.name }}' }}", "{{ room.name }}"),
        ("a {# note #}b", "a b"),
        ("line\n{{ room.name }}\n", "line\nsupport-1\n"),
    ],
)
def test_what_a_template_renders_to(template, text):
    assert metadata_of(template, ANA) == text


def test_metadata_alone_is_the_raw_text():
    raw = ANA.room["metadata"]
    assert metadata_of("{{ room.metadata }}", ANA) == raw
    assert metadata_of("{{ room.metadata | length }}", ANA) == str(len(raw))


@pytest.mark.parametrize(
    ("template", "detail"),
    [
        ("{{ room.metadata.tier }}", "'room.metadata.tier' is absent"),
        ("{{ room.metadata.customer.age.years }}", "'room.metadata.customer.age.years' is absent"),
        ("{{ room.metadata.nil }}", "'room.metadata.nil' is absent"),
        ("{{ participant.metadata.lang }}", "'participant.metadata.lang' is absent"),
        ("{{ participant.attributes.vip | upper }}", "'participant.attributes.vip' is absent"),
        ("{{ participant.attributes.vip | tojson }}", "tojson cannot write Missing"),
        ("{% if room.metadata.tier %}a{% endif %}", "'room.metadata.tier' is absent"),
        ("{{ track.name }}", "'track.name' is absent"),
        ("{{ [] | first }}", "No first item"),
        ("{{ room.metadata.n / 0 }}", "division by zero"),
        ("{{ room.metadata.lang + 1 }}", "can only concatenate str"),
        ("{{ (room.name ~ '').format(1) }}", "'format of a text' is absent"),
    ],
)
def test_something_absent_is_an_error_and_never_an_empty_text(template, detail):
    body = f'dispatch: {{agent: a, metadata: {{x: {{y: ["{template}"]}}}}}}'
    decision = one(rule(body), ANA)
    assert (decision.outcome, decision.reason) == (Outcome.ERROR, Reason.TEMPLATE_ERROR)
    assert decision.at == "dispatch.metadata.x.y[0]"
    assert detail in decision.detail


@pytest.mark.parametrize(
    ("part", "at"),
    [
        ('agent: "{{ room.metadata.x }}"', "dispatch.agent"),
        ('agent: a, deployment: "{{ room.metadata.x }}"', "dispatch.deployment"),
        ('agent: a, metadata: "{{ room.metadata.x }}"', "dispatch.metadata"),
        ('agent: a, attributes: {k: "{{ room.metadata.x }}"}', "dispatch.attributes.k"),
    ],
)
def test_an_error_says_which_template(part, at):
    assert one(rule(f"dispatch: {{{part}}}"), joined()).at == at


def test_a_name_the_event_does_not_carry_is_absent():
    body = 'on: room_started\ndispatch: {agent: a, metadata: "{{ participant.identity }}"}'
    rules = rule(body)
    assert [warning.message for warning in rules.warnings] == [
        "'participant' is never there on room_started"
    ]
    assert one(rules, started()).detail == "'participant.identity' is absent"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ room.name", "not a valid template: unexpected end of template"),
        ("{{ }}", "not a valid template: Expected an expression"),
        ("{{ a }}", "unknown name 'a' in a template"),
        (
            "{{ partcipant.identity }}",
            "unknown name 'partcipant' in a template, did you mean 'participant'?",
        ),
        (
            "{{ room.metdata }}",
            "unknown field 'room.metdata' in a template, did you mean 'room.metadata'?",
        ),
        ("{{ participant.permission.agnt }}", "did you mean 'participant.permission.agent'?"),
        ("{{ participant['idntity'] }}", "did you mean 'participant.identity'?"),
        ("{{ room.name.format('x') }}", "unknown field 'room.name.format'"),
        ("{{ room.name | center(9) }}", "unknown filter 'center' in a template"),
        ("{{ room.name | uper }}", "unknown filter 'uper' in a template, did you mean 'upper'?"),
        ("{% if true %}{{ 'b' | uper }}{% endif %}", "did you mean 'upper'?"),
        ("{{ [1] | counted }}", "unknown filter 'counted' in a template"),
        ("{{ room.name is odder }}", "unknown test 'odder' in a template"),
        ("{{ 'a' if room.name is definedd else 'b' }}", "did you mean 'defined'?"),
        ("{% macro m() %}{% endmacro %}", "'macro' is not part of rule templates"),
        ("{% include 'x' %}", "'include' is not part of rule templates"),
        ("{% import 'x' as y %}", "'import' is not part of rule templates"),
        ("{% extends 'x' %}", "'extends' is not part of rule templates"),
        ("{% block b %}{% endblock %}", "'block' is not part of rule templates"),
        ("{% for a in [1] recursive %}{% endfor %}", "a recursive loop is not part"),
        ("{{ namespace() }}", "unknown name 'namespace'"),
        ("{{ people }}", "unknown name 'people'"),
        ("{{ self }}", "unknown name 'self'"),
        ("{{" + "(" * 3000 + "1" + ")" * 3000 + "}}", "not a valid template"),
        ("{{ " + "9" * 6000 + " }}", "not a valid template"),
        ("x" * 70_000 + "{{ 1 }}", "65,536 are allowed"),
    ],
)
def test_a_template_that_can_never_render_is_an_error_when_loaded(template, message):
    body = f'dispatch:\n  agent: a\n  metadata: "{template}"'
    (error,) = errors(rule_file(body))
    assert error.startswith("5:17: ")
    assert message in error


LISTS = joined(room={"metadata": {"a": 1, "l": [None, "x"], "n": 7}})


@pytest.mark.parametrize(
    "template",
    [
        "{{ room.metadata.items }}",
        "{{ room.metadata['values'] ~ 'x' }}",
        "{{ participant.identity.upper }}",
        "{{ range }}",
        "{{ participant.attributes.get('x') }}",
        "{{ 'agent-' ~ participant.attributes.get('x') }}",
        "{{ [room.metadata.x] }}",
        "{{ {'a': room.metadata.x} }}",
        "{{ [room.metadata.x] | join }}",
        "{{ room.metadata.x | string }}",
        "{{ [room.metadata] | map(attribute='z') | list }}",
        "{{ room.metadata.x | items }}",
        "{% for k, v in room.metadata.x | items %}{{ k }}{% endfor %}",
        "{{ room.metadata.l[0] }}",
        "{% for i in room.metadata.l %}{{ i }}{% endfor %}",
        "{{ room.metadata.l | reverse }}",
        "{{ now.now() }}",
        "{{ now.today() }}",
        "{{ now['utcnow']() }}",
        "{{ now.astimezone() }}",
        "{{ room.metadata.n.to_bytes(9, 'big') }}",
    ],
)
def test_what_is_no_text_is_an_error_and_never_printed(template):
    (decision,) = [one(rule(f'dispatch: {{agent: "{template}"}}'), LISTS)]
    assert (decision.outcome, decision.reason) == (Outcome.ERROR, Reason.TEMPLATE_ERROR)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ room.metadata.l[0] | default('null') }}", "null"),
        ("{% for i in room.metadata.l %}{{ i | default('-') }}{% endfor %}", "-x"),
        ("{{ room.metadata | items | list }}", "[('a', 1), ('l', [None, 'x']), ('n', 7)]"),
        ("{{ participant.metadata.get('k', 'd') }}", "d"),
        ("{{ room.metadata.get('a', 'd') }}", "1"),
        ("{{ participant.attributes.get('x') | default('d') }}", "d"),
        ("{{ now.year }}-{{ now.weekday() }}", "2026-0"),
    ],
)
def test_what_is_absent_may_be_given_a_default(template, text):
    assert metadata_of(template, LISTS) == text


def test_metadata_too_large_as_a_whole_is_an_error_of_its_rule_alone():
    leaves = ", ".join(f'k{n}: "{{{{ room.metadata }}}}"' for n in range(4))
    rules = ruleset(
        "version: 1\nrules:\n"
        f"  - {{id: big, on: participant_joined, dispatch: {{agent: a, metadata: {{{leaves}}}}}}}\n"
        "  - {id: small, on: participant_joined, dispatch: {agent: b}}\n"
    )
    big, small = decided(rules, joined(room={"metadata": "x" * 500_000}))
    assert (big.outcome, big.reason) == (Outcome.ERROR, Reason.METADATA_TOO_LARGE)
    assert small.outcome == Outcome.DISPATCH


def test_constant_metadata_too_large_as_a_whole_is_an_error_when_loaded():
    leaves = ", ".join(f"k{n}: {'x' * 400_000}" for n in range(4))
    (error,) = errors(rule_file(f"dispatch: {{agent: a, metadata: {{{leaves}}}}}"))
    assert "too large" in error


@pytest.mark.parametrize("event_at", [0, float("nan"), float("inf"), 1e20])
def test_an_event_without_a_usable_time_has_no_now(event_at):
    event = joined(created_at=event_at)
    assert metadata_of("{{ room.name }}", event) == "support-1"
