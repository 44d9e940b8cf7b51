"""`fallback` and `join_within`: whom to ask for next, and when."""

from __future__ import annotations

import json

import pytest

from rules.decision import Outcome, Reason, RestartPolicy
from tests.rules.given import errors, joined, one, rule, rule_file, ruleset, started, warnings

LADDER = """
dispatch:
  agent: greeter
  deployment: staging
  metadata: {for: "{{ participant.identity }}"}
  attributes: {a: b}
  restart_policy: never
join_within: 8s
fallback:
  - {deployment: ""}
  - {agent: voicemail, metadata: {}, attributes: {c: d}, restart_policy: always, join_within: 20s}
"""


def plan(body, event=None):
    decision = one(rule(body), event or joined())
    assert decision.plans, decision.detail
    return decision.plans[0]


def test_a_rung_replaces_what_it_names_whole_and_the_rest_stays():
    found = plan(LADDER)
    second, third = found.fallback
    assert (second.agent, second.deployment) == ("greeter", "")
    assert (second.metadata, second.attributes) == (found.metadata, {"a": "b"})
    assert second.restart_policy is RestartPolicy.NEVER
    assert (third.agent, third.deployment) == ("voicemail", "staging")
    assert (third.metadata, third.attributes) == ("{}", {"c": "d"})
    assert third.restart_policy is RestartPolicy.ALWAYS


def test_a_rung_differs_from_dispatch_and_not_from_the_rung_before():
    body = "dispatch: {agent: a, deployment: x}\nfallback: [{agent: b}, {deployment: y}]"
    rungs = plan(body).fallback
    assert [(rung.agent, rung.deployment) for rung in rungs] == [("b", "x"), ("a", "y")]


def test_a_rung_without_join_within_has_the_rules():
    found = plan(LADDER)
    assert [r.join_within for r in (found, *found.fallback)] == [8.0, 8.0, 20.0]


def test_without_join_within_an_agent_may_take_as_long_as_it_takes():
    found = plan("fallback: [{agent: b}, {agent: c, join_within: 1s}]")
    assert [r.join_within for r in (found, *found.fallback)] == [None, None, 1.0]


def test_a_rule_without_them_has_none():
    found = plan("")
    assert (found.join_within, found.fallback) == (None, ())


def test_all_of_it_is_one_claim():
    assert len(one(rule(LADDER), joined()).plans) == 1


def test_all_of_it_is_rendered_at_the_match():
    body = 'fallback: [{agent: "b-{{ participant.identity }}", metadata: {by: "{{ rule }}"}}]'
    (rung,) = plan(body).fallback
    assert (rung.agent, json.loads(rung.metadata)) == ("b-ana", {"by": "r"})


@pytest.mark.parametrize(
    ("rung", "reason", "at"),
    [
        ("{agent: '{{ room.metadata.x }}'}", Reason.TEMPLATE_ERROR, "agent"),
        ("{metadata: {a: {b: '{{ room.metadata.x }}'}}}", Reason.TEMPLATE_ERROR, "metadata.a.b"),
        ("{attributes: {a: '{{ room.metadata.x }}'}}", Reason.TEMPLATE_ERROR, "attributes.a"),
        ("{agent: \"{{ ' ' }}\"}", Reason.INVALID_AGENT, "agent"),
        ("{deployment: \"{{ 'a_b' }}\"}", Reason.INVALID_DEPLOYMENT, "deployment"),
        ("{metadata: \"{{ 'x' * 600000 }}\"}", Reason.METADATA_TOO_LARGE, "metadata"),
    ],
)
def test_what_fails_anywhere_in_it_is_an_error_of_the_rule(rung, reason, at):
    decision = one(rule(f"fallback: [{{agent: b}}, {rung}]"), joined())
    assert (decision.outcome, decision.reason, decision.plans) == (Outcome.ERROR, reason, ())
    assert decision.at == f"fallback[1].{at}"


def test_in_a_list_it_is_told_in_which_entry():
    decision = one(
        rule("dispatch: [{agent: a}, {agent: b, fallback: [{agent: '{{ room.metadata.x }}'}]}]"),
        joined(),
    )
    assert decision.at == "dispatch[1].fallback[0].agent"


def test_weights_of_a_rung_are_as_sticky_as_others():
    weights = "{weights: {x: 50, y: 50}}"
    body = f"dispatch: {{agent: a, deployment: {weights}}}\nfallback: [{{agent: b}}]"
    for number in range(20):
        found = plan(body, joined(room={"name": f"room-{number}"}))
        assert found.deployment == found.fallback[0].deployment


def test_a_rung_may_read_who_is_present():
    (rung,) = plan('fallback: [{agent: "b-{{ humans | length }}"}]').fallback
    assert rung.agent == "b-1"


LIST = """
dispatch:
  - {agent: a, join_within: 5s, fallback: [{agent: b}]}
  - {id: notes, agent: c, fallback: [{agent: d}]}
"""


def test_with_a_list_they_stand_inside_its_entries():
    first, second = one(rule(LIST), joined()).plans
    assert (first.join_within, [r.agent for r in first.fallback]) == (5.0, ["b"])
    assert first.fallback[0].join_within == 5.0
    assert (second.join_within, [r.agent for r in second.fallback]) == (None, ["d"])
    assert (first.claim.position, second.claim.position) == ("0", "notes")


@pytest.mark.parametrize(
    "beside", ["join_within: 5s", "fallback: [{agent: b}]", "release: participant_left"]
)
def test_beside_a_list_they_are_an_error(beside):
    key = beside.partition(":")[0]
    assert errors(rule_file(f"{beside}\ndispatch: [{{agent: a}}]")) == [
        f"3:5: '{key}' stands inside the entries of a list of dispatches, not beside it"
    ]


@pytest.mark.parametrize(
    "inside", ["join_within: 5s", "fallback: [{agent: b}]", "release: participant_left"]
)
def test_inside_a_single_dispatch_they_are_an_error(inside):
    key = inside.partition(":")[0]
    assert errors(rule_file(f"dispatch: {{agent: a, {inside}}}")) == [
        f"3:26: '{key}' stands beside 'dispatch', not inside it"
    ]


DEFAULTS = """
version: 1
defaults: {join_within: 5s, fallback: [{agent: z}]%s}
rules:
  - {id: r, on: participant_joined%s}
"""


def with_defaults(defaults, body):
    return one(ruleset(DEFAULTS % (defaults, body)), joined()).plans


def test_defaults_beside_a_list_get_inside_its_entries():
    own = ", dispatch: [{agent: a}, {agent: b, join_within: 9s, fallback: [{agent: c}]}]"
    first, second = with_defaults("", own)
    assert (first.join_within, first.fallback[0].agent) == (5.0, "z")
    assert (second.join_within, second.fallback[0].agent) == (9.0, "c")


def test_so_they_do_where_the_list_is_a_default_too():
    first, second = with_defaults(", dispatch: [{agent: a}, {agent: b, join_within: 9s}]", "")
    assert (first.join_within, second.join_within) == (5.0, 9.0)
    assert [each.fallback[0].agent for each in (first, second)] == ["z", "z"]


def test_defaults_beside_one_dispatch_stay_there():
    (found,) = with_defaults("", ", join_within: 7s, dispatch: {agent: a}")
    assert (found.join_within, found.fallback[0].agent) == (7.0, "z")


def test_what_a_rule_says_itself_beside_a_list_is_still_an_error():
    text = DEFAULTS % ("", ", join_within: 9s, dispatch: [{agent: a}]")
    (error,) = errors(text.lstrip())
    assert error.startswith("4:37: 'join_within' stands inside the entries")


A_LIST = """'fallback' takes a list of what differs from 'dispatch', such as [{deployment: ""}]"""
A_MAPPING = "a fallback is a mapping of what differs from 'dispatch', such as {agent: b}"


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("{agent: b}", f"3:15: {A_LIST}"),
        ("[]", f"3:15: {A_LIST}"),
        ("b", f"3:15: {A_LIST}"),
        ("null", f"3:15: {A_LIST}"),
        ("[b]", f"3:16: {A_MAPPING}"),
        ("[{}]", f"3:16: {A_MAPPING}"),
        ("[{agent: b}, [c]]", f"3:28: {A_MAPPING}"),
        ("[{agnt: b}]", "3:17: unknown field 'fallback.agnt', did you mean 'fallback.agent'?"),
        ("[{id: b}]", "3:17: unknown field 'fallback.id'"),
        ("[{release: never}]", "3:17: unknown field 'fallback.release'"),
        ("[{fallback: []}]", "3:17: unknown field 'fallback.fallback'"),
        ("[{agent: 5}]", "3:24: 'dispatch.agent' takes text: quote it"),
        ("[{agent: ''}]", "3:24: the agent's name is empty"),
        ("[{deployment: a_b}]", "3:29: the deployment 'a_b' holds '_', which LiveKit refuses"),
        (
            "[{join_within: 0s}]",
            "3:30: 'join_within' is more than 0: agents take time to join",
        ),
        (
            "[{agent: '{{ room.nam }}'}]",
            "3:24: unknown field 'room.nam' in a template, did you mean 'room.name'?",
        ),
        (f"[{', '.join(f'{{agent: a{n}}}' for n in range(17))}]",
         "3:15: 'fallback' has more than 16 entries"),
    ],
)  # fmt: skip
def test_fallbacks_that_are_wrong(written, error):
    assert errors(rule_file(f"fallback: {written}")) == [error]


def test_sixteen_fallbacks_may_be():
    rungs = ", ".join(f"{{agent: a{n}}}" for n in range(16))
    assert len(plan(f"fallback: [{rungs}]").fallback) == 16


def test_what_is_wrong_in_dispatch_is_told_once_however_many_rungs_have_it():
    body = "fallback: [{deployment: a}, {deployment: b}]\ndispatch: {agent: '{{ room.nam }}'}"
    (error,) = errors(rule_file(body))
    assert error.startswith("4:23: unknown field 'room.nam'")
    three = "{weights: {a: 1, b: 1, c: 1}}"
    body = f"fallback: [{{agent: b}}, {{agent: c}}]\ndispatch: {{agent: a, deployment: {three}}}"
    assert len(rule(body).warnings) == 1


SAME = "this fallback asks for the same as what comes before it"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[{agent: greeter}]", [f"3:16: {SAME}"]),
        ("[{join_within: 5s}]", [f"3:16: {SAME}"]),
        ("[{agent: b}, {agent: b}]", [f"3:28: {SAME}"]),
        ("[{agent: b}, {agent: greeter}]", []),
        ("[{deployment: staging}]", []),
    ],
)
def test_a_fallback_that_asks_for_the_same_again_is_warned_of(written, told):
    assert warnings(rule(f"fallback: {written}")) == told


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("5", " is a duration such as 250ms, 10s, 5m or 2h: with its unit, 5s"),
        ("soon", ": it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
        ("0s", " is more than 0: agents take time to join"),
        ("0", " is a duration such as 250ms, 10s, 5m or 2h: with its unit, 0s"),
    ],
)
def test_join_within_is_a_duration_of_some_length(written, told):
    assert errors(rule_file(f"join_within: {written}")) == [f"3:18: 'join_within'{told}"]


def test_a_rung_that_needs_a_participant_fails_on_an_event_without_one():
    body = "on: room_started\nfallback: [{agent: '{{ participant.identity }}'}]"
    decision = one(rule(body), started())
    assert (decision.reason, decision.at) == (Reason.TEMPLATE_ERROR, "fallback[0].agent")


@pytest.mark.parametrize(
    "body",
    [
        "dispatch: {agent: a}\nfallback: [{deployment: {weights: {a: 1}, sticky: participant}}]",
        "dispatch: [{agent: a, fallback: [{deployment: {weights: {a: 1}, sticky: participant}}]}]",
    ],
)
def test_a_rung_can_not_be_sticky_by_a_participant_that_no_event_has(body):
    (found,) = errors(rule_file(f"on: room_started\n{body}"))
    assert found.endswith("'sticky: participant': 'room_started' has no participant")
