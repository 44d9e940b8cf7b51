"""No template costs much, whatever it says and whatever the event holds."""

from __future__ import annotations

import json

import pytest

from rules.decision import Reason
from tests.rules.given import errors, joined, metadata_of, one, rule, rule_file


def failed(template, event=None):
    body = f"dispatch: {{agent: a, metadata: {json.dumps(template)}}}"
    decision = one(rule(body), event or joined())
    assert decision.plans == ()
    return decision


DOUBLED = "{% set a = 'x' * 1000000 %}" + "{% set a = a ~ a %}" * 30 + "{{ a }}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ (1, 2) * 10**9 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ (10 ** 1000) * (10 ** 1000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ ('x' ~ '').center(10**9) }}",
        "{{ ('x' ~ '').zfill(10**9) }}",
        "{{ ('x' ~ '').replace('x', 'y' * 1000000).replace('y', 'z' * 1000000) }}",
        "{{ 'x' | replace('x', 'y' * 1000000) | replace('y', 'z' * 1000000) }}",
        "{{ range(100000) | join('x' * 1000000) }}",
        "{{ range(10**9) | list | length }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9000) %}{{ 'x' * 1000 }}{% endfor %}",
        DOUBLED,
        "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 40 + "{{ a | tojson }}",
        "{% set a = 'x' * 1000000 %}{{ a + a }}",
        "{% set a = range(100000) | list %}{% set b = a + a + a + a + a + a + a %}{{ b + b }}",
    ],
)
def test_what_would_grow_is_stopped(template):
    assert failed(template).reason in (Reason.TEMPLATE_ERROR, Reason.METADATA_TOO_LARGE)


def test_a_loop_over_what_a_participant_sent_is_bounded_too():
    event = joined(room={"metadata": {"list": [0] * 20_000}})
    decision = failed("{% for a in room.metadata.list %}{% endfor %}", event)
    assert "its loops take more than 10,000 turns" in decision.detail


def test_rounding_to_very_many_digits_is_bounded():
    rules = rule('dispatch: {agent: a, metadata: "{{ 1.5 | round(10 ** 9) }}"}')
    assert one(rules, joined()).plans[0].metadata == "1.5"


@pytest.mark.parametrize(
    "template",
    [
        f"{{% set t = 'a' * 500000 %}}{{% set o = {other} %}}{{{{ t{call} }}}}"
        for other, call in [
            ("'ab' ~ 'a' * 200000", ".rfind(o)"),
            ("'ab' ~ 'a' * 200000", ".rpartition(o) | length"),
            ("'ab' ~ 'a' * 200000", ".rsplit(o) | length"),
            ("'ab' ~ 'a' * 200000", ".rsplit(sep=o) | length"),
            ("'b' * 200000 ~ 'a'", ".strip(o)"),
            ("'b' * 200000 ~ 'a'", ".lstrip(o)"),
            ("'b' * 200000 ~ 'a'", ".rstrip(o)"),
            ("'b' * 200000 ~ 'a'", " | trim(o)"),
        ]
    ],
)
def test_what_compares_each_with_each_costs_as_much(template):
    assert "it takes too much work" in failed(template).detail


@pytest.mark.parametrize("start", ["[]", "()", "'a'.split('b')", "''"])
def test_only_numbers_are_summed(start):
    event = joined(room={"metadata": {"l": [[0]] * 1000}})
    decision = failed(f"{{{{ room.metadata.l | sum(start={start}) | length }}}}", event)
    assert "'sum' adds numbers" in decision.detail


@pytest.mark.parametrize(
    ("template", "is_"),
    [
        ("{{ [1, 2.5] | sum }}", "3.5"),
        ("{{ [1, 2] | sum(start=-3) }}", "0"),
        ("{{ [{'a': 1}, {'a': 5}] | sum('a') }}", "6"),
        ("{{ ' a ' | trim }}-{{ 'xay' | trim('xy') }}", "a-a"),
        ("{{ 'a-b-c'.rsplit('-', 1)[0] }}", "a-b"),
        ("{{ 'a-b-c'.rpartition('-')[2] ~ 'a-b'.rfind('-') ~ 'x1x'.strip('x') }}", "c11"),
        ("{{ ('a' * 500000 ~ '-b').rsplit('-', 1)[1] ~ (' ' * 500000).strip() }}", "b"),
    ],
)
def test_what_is_usual_is_no_work(template, is_):
    assert metadata_of(template, joined()) == is_


@pytest.mark.parametrize(
    "template", ["{{ ''.__class__ }}", "{{ room.__class__.__mro__ }}", "{{ now.__reduce__() }}"]
)
def test_the_sandbox_holds(template):
    body = f"dispatch: {{agent: a, metadata: {json.dumps(template)}}}"
    if "unknown field" in "".join(loaded_errors(body)):
        return
    assert one(rule(body), joined()).reason is Reason.TEMPLATE_ERROR


def loaded_errors(body):
    try:
        return errors(rule_file(body))
    except AssertionError:
        return []


def test_data_cannot_be_changed():
    for change in ("room.metadata.l.append(1)", "participant.attributes.update(a=1)"):
        event = joined(room={"metadata": {"l": []}})
        assert failed(f"{{{{ {change} }}}}", event).reason is Reason.TEMPLATE_ERROR
