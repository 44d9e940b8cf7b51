"""`group`: rules that share a claim, of which the first that can dispatches."""

from __future__ import annotations

import pytest

from rules.decision import Outcome, Provider, Reason
from rules.files import RuleFile
from rules.known import Known
from rules.loader import load_files
from tests.rules.given import counted, decided, errors, joined, rule_file, ruleset, started


def group(*rules, once="room", on="participant_joined"):
    """Rules of the group `support`, each with its id, and an agent of that name if it has none."""
    listed = []
    for each in rules:
        name, _, more = each.partition(" ")
        more = more if "dispatch:" in more else f"dispatch: {{agent: {name}}}, {more}"
        common = f"id: {name}, on: {on}, group: support, once: {once}"
        listed.append(f"  - {{{common}, {more.rstrip(', ')}}}\n")
    return ruleset("version: 1\nrules:\n" + "".join(listed))


def claims(rules, event, **known):
    """Claims that are taken on an event, by the rules that take them."""
    answers = decided(rules, event, known=Known(**known) if known else None)
    return {plan.claim.key: plan.rule for each in answers for plan in each.plans}


def reasons(rules, event, full=(), **known):
    """Of all its rules, where those in `full` have one agent live somewhere."""
    answers = decided(rules, event, known=counted(dict.fromkeys(full, 1), **known))
    return [str(each.reason) for each in answers]


def test_the_first_that_passes_everything_dispatches_and_the_rest_are_group():
    rules = group("a when: {room: {name: x}}", "b", "c", "d when: {room: {name: x}}")
    assert reasons(rules, joined()) == ["condition", "matched", "group", "condition"]


def test_the_rule_that_is_dispatched_is_told():
    _, second = decided(group("a", "b"), joined())
    assert (second.outcome, second.at) == (Outcome.SKIP, None)
    assert second.detail == "'a' of the group 'support' is dispatched"


@pytest.mark.parametrize(
    ("stopped", "reason"),
    [
        ("when: {room: {name: x}}", "condition"),
        ("unless: {room: {name: support-1}}", "unless"),
        ("if: 'false'", "expression"),
        ("schedule: {days: [mon], except: ['2026-01-01..2026-12-31']}", "schedule"),
        ("enabled: false", "disabled"),
        ("dispatch: {agent: '{{ room.metadata.x }}'}", "template_error"),
        ("dispatch: {agent: \"{{ '' }}\"}", "invalid_agent"),
        ("dispatch: {agent: a, deployment: \"{{ 'a_b' }}\"}", "invalid_deployment"),
        ("agents_are: {name: B}, dispatch: {agent: a, provider: videosdk, room: m}", "unsupported"),
        ("limit: {active: 1}", "limit"),
        ("limit: {active: 5, per: '{{ room.metadata.x }}'}", "template_error"),
    ],
)
def test_whatever_stops_a_rule_lets_the_next_try(stopped, reason):
    rules = group(f"first {stopped}", "second", "third")
    found = reasons(rules, joined(), full=["first"])
    assert found == [reason, "matched", "group"]


def test_a_rule_of_other_events_lets_the_next_try():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: a, on: room_started, group: g, dispatch: {agent: a}}\n"
        "  - {id: b, on: [room_started, participant_joined], group: g, dispatch: {agent: b}}\n"
    )
    assert reasons(rules, joined()) == ["event_type", "matched"]
    assert reasons(rules, started()) == ["matched", "group"]


def test_while_an_agent_of_the_group_is_live_every_rule_of_it_is_already_dispatched():
    rules = group("a when: {participant: {identity: ana}}", "b")
    live = claims(rules, joined())
    bob = joined(participant={"sid": "PA_2", "identity": "bob"}, id="EV_2")
    answers = decided(rules, bob, known=Known(live=live))
    assert [d.reason for d in answers] == [Reason.CONDITION, Reason.ALREADY_DISPATCHED]
    assert answers[1].detail == "an agent of 'a' of the group 'support' is live"
    again = decided(rules, joined(id="EV_3"), known=Known(live=live))
    assert [d.reason for d in again] == [Reason.ALREADY_DISPATCHED] * 2
    assert again[0].detail == "its agent for room 'support-1' is live"


def test_it_is_already_dispatched_before_limits_are_counted():
    rules = group("a limit: {active: 1}", "b limit: {active: 1}")
    live = claims(rules, joined())
    found = reasons(rules, joined(id="EV_2"), live=live, full="ab")
    assert found == ["already_dispatched", "already_dispatched"]


def test_a_later_rule_that_holds_the_claim_stops_the_earlier():
    rules = group("a when: {participant: {identity: bob}}", "b")
    live = claims(rules, joined())
    assert set(live.values()) == {"b"}
    bob = joined(participant={"sid": "PA_2", "identity": "bob"}, id="EV_2")
    assert reasons(rules, bob, live=live) == ["already_dispatched"] * 2


def test_a_rule_that_a_reload_took_away_holds_its_claim_still():
    live = claims(group("old"), joined())
    assert reasons(group("new"), joined(id="EV_2"), live=live) == ["already_dispatched"]


def test_when_its_agent_is_gone_the_group_may_send_another():
    rules = group("a limit: {active: 1}", "b")
    assert reasons(rules, joined(id="EV_2"), full="a") == ["limit", "matched"]
    assert reasons(rules, joined(id="EV_3")) == ["matched", "group"]


def test_a_claim_of_a_group_is_none_of_a_rule_of_that_name():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: x, on: participant_joined, group: y, dispatch: {agent: a}}\n"
        "  - {id: y, on: participant_joined, dispatch: {agent: b}}\n"
        "  - {id: z, on: participant_joined, group: x, dispatch: {agent: c}}\n"
    )
    assert reasons(rules, joined()) == ["matched"] * 3
    live = claims(rules, joined())
    assert len(live) == 3
    assert reasons(rules, joined(), live=live) == ["already_dispatched"] * 3


def test_each_participant_has_the_group_to_themselves_where_once_says_so():
    rules = group("a when: {participant: {identity: ana}}", "b", once="participant")
    ana, bob = joined(), joined(participant={"sid": "PA_2", "identity": "bob"}, id="EV_2")
    live = claims(rules, ana)
    assert reasons(rules, bob, live=live) == ["condition", "matched"]
    live |= claims(rules, bob, live=live)
    assert set(live.values()) == {"a", "b"}
    assert reasons(rules, bob, live=live) == ["condition", "already_dispatched"]
    back = joined(participant={"sid": "PA_3"}, id="EV_3")
    assert reasons(rules, back, live=live) == ["already_dispatched"] * 2


def test_an_identity_that_looks_like_a_part_of_a_claim_is_only_an_identity():
    rules = group("a", "b", once="participant")
    live = claims(rules, joined(participant={"identity": "x\x1fana"}))
    assert reasons(rules, joined(), live=live) == ["matched", "group"]


def test_each_event_has_the_group_to_itself_where_once_says_so():
    rules = group("a", "b", once="event")
    live = claims(rules, joined())
    assert reasons(rules, joined(), live=live) == ["already_dispatched"] * 2
    assert reasons(rules, joined(id="EV_2"), live=live) == ["matched", "group"]


def test_a_shadow_neither_takes_a_group_nor_closes_it():
    rules = group("new shadow: true", "old", "newer shadow: true")
    answers = decided(rules, joined())
    assert [(d.outcome, d.reason) for d in answers] == [
        ("shadow", "matched"), ("dispatch", "matched"), ("skip", "group")
    ]  # fmt: skip


def test_a_group_over_several_files_is_asked_in_their_order():
    file = "version: 1\nrules: [{id: %s, on: participant_joined, group: g, dispatch: {agent: a}}]"
    rules = load_files([RuleFile(f"{name}.yaml", file % name) for name in "ab"])
    assert reasons(rules, joined()) == ["matched", "group"]


LISTS = (
    "one dispatch: [{agent: greeter}, {id: notes, agent: note-taker}]",
    "two dispatch: [{agent: a}, {agent: b}, {agent: c}]",
)


def test_a_rule_of_a_group_sends_all_of_its_list_again_as_they_go():
    rules = group(*LISTS)
    live = claims(rules, joined())
    assert set(live.values()) == {"one"}
    (notes,) = [key for key in live if "notes" in key]
    first, second = decided(rules, joined(id="EV_2"), known=Known(live={notes: "one"}))
    assert [plan.agent for plan in first.plans] == ["greeter"]
    assert second.reason is Reason.GROUP


def test_a_list_is_stopped_by_any_agent_of_another_rule_whatever_its_place():
    live = claims(group("one dispatch: {id: only, agent: x}"), joined())
    assert reasons(group(LISTS[1]), joined(), live=live) == ["already_dispatched"]


def test_rules_of_a_group_agree_on_once():
    text = (
        "version: 1\nrules:\n"
        "  - {id: a, group: g, on: participant_joined, dispatch: {agent: a}, when: {humans: 1}}\n"
        "  - {id: b, group: g, once: participant, on: participant_joined, dispatch: {agent: a}}\n"
        "  - {id: c, group: h, once: event, on: participant_joined, dispatch: {agent: a}}\n"
    )
    (error,) = errors(text)
    at, _, told = error.partition(": ")
    assert at == "4:10"
    assert told == (
        "'once: participant' in the group 'g': the rules of a group agree on 'once': 'a' has 'room'"
    )


@pytest.mark.parametrize("name", ["A", "a b", "7", "[]", "''", "null", "-a", "a_b"])
def test_a_group_has_a_name_like_a_rule(name):
    assert errors(rule_file(f"group: {name}")) == [
        "3:12: 'group' is a name of lowercase letters, digits and '-', such as support"
    ]


def test_a_group_may_be_a_default():
    rules = ruleset(
        "version: 1\ndefaults: {group: g}\nrules:\n"
        "  - {id: a, on: participant_joined, dispatch: {agent: a}, if: 'true'}\n"
        "  - {id: b, on: participant_joined, dispatch: {agent: b}}\n"
    )
    assert reasons(rules, joined()) == ["matched", "group"]


def test_a_provider_that_is_configured_dispatches():
    asked = "agents_are: {name: B}, dispatch: {agent: a, provider: videosdk, room: m}"
    rules = group(f"a {asked}", "b")
    both = frozenset(Provider)
    assert reasons(rules, joined(), providers=both) == ["matched", "group"]
