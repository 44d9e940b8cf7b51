"""What other rules would have dispatched on the same events."""

from __future__ import annotations

import pytest

from rules.diff import Change, diff
from rules.storyline import Storyline
from tests.recorded import PATH
from tests.rules.given import ruleset

RULES = """
version: 1
rules:
  - id: support
    on: participant_joined
    when: {room: {name: "support-*"}, participant: {kind: [STANDARD, SIP]}}
    dispatch: {agent: greeter, metadata: {who: "{{ participant.identity }}"}}
  - id: phone
    on: participant_joined
    when: {participant: {kind: SIP}}
    once: participant
    dispatch: {agent: phone}
"""


@pytest.fixture(scope="module")
def events():
    return list(Storyline(0).recorded(PATH.read_text()))


def changed(*edits, rules=RULES):
    """The rules with words replaced, which must be there."""
    for old, new in edits:
        assert old in rules
        rules = rules.replace(old, new)
    return ruleset(rules)


def told(old, new, events):
    return [
        (each.change.value, each.rule, each.event.room_name, each.because)
        for each in diff(old, new, events)
    ]


def test_the_same_rules_differ_in_nothing(events):
    assert diff(changed(), changed(), events) == []


def test_a_condition_that_is_changed_lists_exactly_the_dispatches_that_differ(events):
    assert told(changed(), changed(('"support-*"', '"crash-*"')), events) == [
        ("removed", "support", "support-1", _expected("crash-*", "support-1")),
        ("removed", "support", "support-1", _expected("crash-*", "support-1")),
        ("added", "support", "crash-1", _expected("support-*", "crash-1")),
    ]


def _expected(pattern, got):
    return f"condition: when.room.name: expected {pattern}; got '{got}'"


def test_one_session_is_told_apart_from_another_of_the_same_name(events):
    new = changed(('name: "support-*"', 'name: "support-*", metadata: {tier: gold}'))
    [second] = diff(changed(), new, events)
    assert second.change is Change.REMOVED
    assert second.event.participant["identity"] == "cust-1"
    assert second.event.room["metadata"] == ""


def test_metadata_that_is_changed_is_told_old_and_new(events):
    new = changed(('"{{ participant.identity }}"', '"{{ room.name }}"'))
    first, second = diff(changed(), new, events)
    assert (first.change, first.because) == (Change.CHANGED, None)
    assert first.old["metadata"] == {"who": "cust-1"}
    assert first.new["metadata"] == {"who": "support-1"}
    assert second.change is Change.CHANGED


@pytest.mark.parametrize(
    ("edit", "field", "values"),
    [
        ("restart_policy: never", "restart_policy", (None, "never")),
        ("deployment: staging", "deployment", (None, "staging")),
        ("attributes: {a: b}", "attributes", (None, {"a": "b"})),
    ],
)
def test_every_field_of_a_dispatch_is_compared(events, edit, field, values):
    [only] = diff(changed(), changed(("agent: phone", f"agent: phone, {edit}")), events)
    assert (only.old.get(field), only.new.get(field)) == values


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ("after: 1s", "after", 1.0),
        ("join_within: 5s", "join_within", 5.0),
        ("fallback: [{deployment: b}]", "fallback", [{"agent": "phone", "deployment": "b"}]),
        ("release: participant_left", "release", ["participant_left", 0.0]),
        (
            "release: {when: {humans: {lt: 2}}, after: 1m}",
            "release",
            [{"humans": {"lt": 2}}, 60.0],
        ),
    ],
)
def test_so_are_those_of_its_rule(events, lines, field, value):
    new = changed(("once: participant", f"once: participant\n    {lines}"))
    [only] = diff(changed(), new, events)
    assert (only.change, only.new.get(field), only.old.get(field)) == (Change.CHANGED, value, None)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("metadata: {a: b}", {"agent": "b", "metadata": '{"a":"b"}'}),
        ("attributes: {a: b}", {"agent": "b", "attributes": {"a": "b"}}),
        ("restart_policy: never", {"agent": "b", "restart_policy": "never"}),
        ("join_within: 9s", {"agent": "b", "join_within": 9.0}),
        (
            "provider: videosdk, version: v2, room: m",
            {"agent": "b", "provider": "videosdk", "version": "v2", "room": "m"},
        ),
    ],
)
def test_so_is_everything_of_a_fallback(events, entry, told):
    ladder = "once: participant\n    agents_are: {name: B}\n    fallback: [{agent: b}]"
    old = changed(("once: participant", ladder))
    new = changed(("once: participant", ladder.replace("agent: b", f"agent: b, {entry}")))
    [only] = diff(old, new, events)
    assert (only.old["fallback"], only.new["fallback"]) == ([{"agent": "b"}], [told])


def test_a_rule_that_is_new_gone_or_switched_off(events):
    without = ruleset(RULES.partition("  - id: phone")[0])
    off = changed(("id: phone", "id: phone\n    enabled: false"))
    there_is_none = "there is no such rule"
    assert told(without, changed(), events) == [("added", "phone", "sip-1", there_is_none)]
    assert told(changed(), without, events) == [("removed", "phone", "sip-1", there_is_none)]
    assert told(changed(), off, events) == [("removed", "phone", "sip-1", "disabled")]


def test_a_rule_that_becomes_a_shadow_sends_nothing_more(events):
    new = changed(("id: phone", "id: phone\n    shadow: true"))
    assert told(changed(), new, events) == [("removed", "phone", "sip-1", "it is a shadow")]


def test_a_dispatch_that_waits_in_vain_is_one_less_and_told_why(events):
    new = changed(("once: participant", "once: participant\n    after: 5s"))
    gone = "participant_gone: the participant has left"
    assert told(changed(), new, events) == [("removed", "phone", "sip-1", gone)]


def test_what_follows_from_a_change_is_told_too():
    """Who is refused by a limit is another when somebody before them is not sent an agent."""
    rules = RULES.replace("    once: participant", "    limit: {active: 1}")
    new = changed(("{kind: SIP}", "{kind: SIP, identity: {not: ana}}"), rules=rules)
    story = Storyline(1_000)
    events = [
        story.next(
            {
                "event": "participant_joined",
                "room": {"name": f"of-{who}"},
                "participant": {"identity": who, "kind": "SIP"},
            }
        )
        for who in ("ana", "ben", "carla")
    ]
    removed, added = diff(ruleset(rules), new, events)
    assert (removed.change, removed.event.room_name) == (Change.REMOVED, "of-ana")
    assert (added.change, added.event.room_name) == (Change.ADDED, "of-ben")
    assert added.because is not None
    assert added.because.startswith("limit")


def test_they_come_in_the_order_of_their_events(events):
    nobody = ruleset("version: 1\nrules: []")
    times = [each.event.at for each in diff(nobody, changed(), events)]
    assert len(times) == 3
    assert times == sorted(times)


def test_what_comes_first_is_told_first_be_it_added_or_removed(events):
    old, new = changed(('"support-*"', '"sip-*"')), changed(('"support-*"', '"support-*"'))
    assert [each[0] for each in told(old, new, events)] == ["added", "added", "removed"]


def test_each_of_several_dispatches_is_compared_with_its_own(events):
    both = ("{agent: phone}", "[{agent: phone}, {id: notes, agent: note-taker}]")
    other = (both[0], both[1].replace("note-taker", "writer"))
    [only] = diff(changed(both), changed(other), events)
    assert (only.change, only.old["agent"], only.new["agent"]) == (
        Change.CHANGED,
        "note-taker",
        "writer",
    )
    [more] = diff(changed(), changed(both), events)
    assert (more.change, more.new["agent"]) == (Change.ADDED, "note-taker")


def test_events_of_one_moment_are_told_apart_and_stay_in_order():
    story = Storyline(1_000)
    events = [
        story.next(
            {
                "event": "participant_joined",
                "room": {"name": f"support-{n}"},
                "participant": {"identity": who},
            }
        )
        for n, who in enumerate(["ana", "ben", "ana", "ana", "ben"])
    ]
    assert len({event.at for event in events}) == 1
    new = changed(("kind: [STANDARD, SIP]", "kind: [STANDARD, SIP], identity: {not: ana}"))
    assert [each.event.room_name for each in diff(changed(), new, events)] == [
        "support-0",
        "support-2",
        "support-3",
    ]


def test_no_events_differ_in_nothing():
    assert diff(changed(), ruleset("version: 1\nrules: []"), []) == []
