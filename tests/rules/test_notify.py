"""`notify`, the last rung: what is told where nobody comes."""

from __future__ import annotations

import json

import pytest

from rules.decision import Notice, Outcome, Reason
from rules.diff import diff
from rules.rule_test_run import run_test
from service.cli.rules_explain import story
from tests.rules.given import errors, joined, one, rule, rule_file, ruleset, warnings
from tests.rules.written_tests import read

OF_BOTH = "of 'message' and 'data', such as {message: 'no agent for {{ room.name }}'}"
LONG = "x" * 20_000
LADDER = """
dispatch: {agent: greeter}
join_within: 8s
fallback:
  - {agent: voicemail}
  - notify:
      message: "no agent for {{ room.name }}"
      data: {who: "{{ participant.identity }}", n: 3}
"""


def plan(body):
    decision = one(rule(body), joined(room={"name": "line-1"}))
    assert decision.plans, decision.detail
    return decision.plans[0]


def notice(text):
    return plan(f"join_within: 1s\nfallback: [{{notify: {text}}}]").notice


def test_it_is_rendered_as_metadata_is_and_asks_for_nobody():
    found = plan(LADDER)
    assert found.notice == Notice("no agent for line-1", '{"who":"ana","n":3}')
    assert [rung.agent for rung in found.fallback] == ["voicemail"]


def test_it_may_be_the_only_one_and_have_one_of_both():
    assert notice("{message: nobody}") == Notice("nobody")
    assert notice("{data: {a: '{{ [1] | tojson }}'}}") == Notice("", '{"a":[1]}')


def test_without_it_nothing_is_told():
    assert plan("fallback: [{agent: b}]").notice is None


def test_in_a_list_each_entry_has_its_own():
    body = """
dispatch:
  - {agent: a, join_within: 5s, fallback: [{notify: {message: one}}]}
  - {agent: b, join_within: 5s, fallback: [{agent: c}, {notify: {message: two}}]}
"""
    plans = one(rule(body), joined()).plans
    assert [each.notice.message for each in plans] == ["one", "two"]


def test_defaults_may_have_it():
    text = """
version: 1
defaults: {join_within: 5s, fallback: [{notify: {message: "none in {{ room.name }}"}}]}
rules:
  - {id: r, on: participant_joined, dispatch: {agent: a}}
"""
    assert one(ruleset(text), joined(room={"name": "x"})).plans[0].notice.message == "none in x"


@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        ("{message: '{{ room.metadata.x }}'}", Reason.TEMPLATE_ERROR, "message"),
        ("{data: {a: {b: '{{ room.metadata.x }}'}}}", Reason.TEMPLATE_ERROR, "data.a.b"),
        ("{message: \"{{ 'x' * 3000 }}\"}", Reason.METADATA_TOO_LARGE, "message"),
        ("{data: {a: \"{{ 'x' * 20000 }}\"}}", Reason.METADATA_TOO_LARGE, "data"),
        ("{data: {a: \"{{ 'x' * 900000 }}\"}}", Reason.METADATA_TOO_LARGE, "data"),
        ("{message: \"{{ 'x' * 900000 }}\"}", Reason.METADATA_TOO_LARGE, "message"),
    ],
)
def test_what_fails_in_it_is_an_error_of_the_rule(text, reason, at):
    decision = one(rule(f"join_within: 1s\nfallback: [{{agent: b}}, {{notify: {text}}}]"), joined())
    assert (decision.outcome, decision.reason, decision.plans) == (Outcome.ERROR, reason, ())
    assert decision.at == f"fallback[1].notify.{at}"


@pytest.mark.parametrize(
    ("entries", "place", "told"),
    [
        (
            "[{notify: {message: a}}, {agent: b}]", "notify",
            "'notify' is the last entry of 'fallback': nobody is asked for after it",
        ),
        (
            "[{agent: b, notify: {message: a}}]", "agent",
            "'notify' stands alone in its entry: whom to ask for stands in one before it",
        ),
        (
            "[{notify: {mesage: a}}]", "mesage",
            "unknown field 'notify.mesage', did you mean 'notify.message'?",
        ),
        (
            "[{notify: {url: 'https://a'}}]", "url",
            "'notify.url' stands in no rule: DISPATCHER_NOTIFY_URL says where it is sent",
        ),
        ("[{notify: {message: 3}}]", "3", "'notify.message' takes text: quote it"),
        (
            "[{notify: {data: [a]}}]", "[a]",
            "'notify.data' takes a mapping, such as {queue: support}",
        ),
        ("[{notify: hello}]", "hello", f"'notify' takes a mapping {OF_BOTH}"),
        ("[{notify: {}}]", "{}", f"'notify' takes a mapping {OF_BOTH}"),
        (
            "[{notfy: {}}]", "notfy",
            "unknown field 'fallback.notfy', did you mean 'fallback.notify'?",
        ),
        (
            "[{notify: {message: '{{ rom.name }}'}}]", "'{{",
            "unknown name 'rom' in a template, did you mean 'room'?",
        ),
        (
            f"[{{notify: {{message: {LONG}}}}}]", LONG,
            "'notify.message' has 20,000 bytes, 2,048 are allowed",
        ),
        (
            f"[{{notify: {{data: {{a: {LONG}}}}}}}]", "{a:",
            "'notify.data' has 20,008 bytes, 16,384 are allowed",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told_with_its_place(entries, place, told):
    text = rule_file(f"join_within: 1s\nfallback: {entries}")
    line = next(line for line in text.splitlines() if "fallback" in line)
    column = line.index(place, line.index("[")) + 1
    assert f"{text.splitlines().index(line) + 1}:{column}: {told}" in errors(text)


def test_an_agent_that_is_waited_for_without_end_before_it_is_warned_of():
    (line,) = warnings(rule("fallback: [{notify: {message: a}}]"))
    assert "'notify' may never be sent" in line
    (line,) = warnings(rule("fallback: [{agent: b, join_within: 1s}, {notify: {message: a}}]"))
    assert "no 'join_within'" in line
    assert warnings(rule("join_within: 1s\nfallback: [{notify: {message: a}}]")) == []


def test_a_name_that_no_event_carries_is_warned_of():
    body = 'on: room_started\njoin_within: 1s\nfallback: [{notify: {data: {a: "{{ track.sid }}"}}}]'
    assert any("'track' is never there" in line for line in warnings(rule(body)))


def test_it_is_json_whatever_is_in_it():
    found = notice('{data: {a: "{{ participant.identity }}", b: true, c: [1, "x"], d: null}}')
    assert json.loads(found.data) == {"a": "ana", "b": True, "c": [1, "x"], "d": None}


def test_it_is_explained():
    lines = story(one(rule(LADDER), joined(room={"name": "line-1"})), 1)
    assert (
        lines[-1].strip() == 'if nobody comes, it is told: no agent for line-1 {"who":"ana","n":3}'
    )


def test_that_it_is_another_is_a_difference():
    event = joined()
    (found,) = diff(rule(LADDER), rule(LADDER.replace("no agent", "nobody")), [event])
    assert (found.old["notify"], found.new["notify"]) == (
        {"message": "no agent for support-1", "data": {"who": "ana", "n": 3}},
        {"message": "nobody for support-1", "data": {"who": "ana", "n": 3}},
    )
    assert diff(rule(LADDER), rule(LADDER), [event]) == []


EVENT = "{event: participant_joined, room: {name: line-1}, participant: {identity: ana}}"


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        ("{message: no agent for line-1}", []),
        ("{data: {who: ana}}", []),
        (
            "{data: {who: ben}}",
            [
                "  {rule: r, agent: greeter}",
                "- notify: {data: {who: ben}}",
                "+ notify: {message: no agent for line-1, data: {who: ana, n: 3}}",
            ],
        ),
    ],
)
def test_a_rule_test_may_expect_it(expected, lines):
    file, report = read(
        f"tests:\n  - {{name: t, event: {EVENT}, expect: [{{rule: r, notify: {expected}}}]}}\n"
    )
    assert report.problems == []
    assert list(run_test(rule(LADDER), file.tests[0]).differences) == lines


def test_a_rule_test_of_a_rule_without_it_fails():
    file, _ = read(
        f"tests:\n  - {{name: t, event: {EVENT}, expect: [{{notify: {{data: {{}}}}}}]}}\n"
    )
    assert "+ notify: null" in run_test(rule(""), file.tests[0]).differences


def test_a_rule_test_that_expects_no_mapping_is_refused():
    _, report = read(f"tests:\n  - {{name: t, event: {EVENT}, expect: [{{notify: x}}]}}\n")
    assert [each.message for each in report.problems] == ["'expect.notify' takes a mapping"]
