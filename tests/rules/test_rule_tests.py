"""Rule tests: what passes, and how what differs is told."""

# ruff: noqa: E501 - a mistake and what is said of it stand on one line

from __future__ import annotations

import json

import pytest

from rules.rule_test_run import run_test
from tests.recorded import PATH
from tests.rules.given import rule, ruleset
from tests.rules.written_tests import EVENT, read

RULES = ruleset(
    """
    version: 1
    rules:
      - id: greet
        on: participant_joined
        when: {room: {name: [a, support-1]}}
        dispatch: {agent: greeter, metadata: {who: "{{ participant.identity }}", tags: [x, y]}}
      - {id: wait, on: participant_joined, after: 60s, shadow: true, dispatch: {agent: helper}}
    """
)


def differences(body, rules=RULES):
    file, report = read(f"tests:\n  - {{name: t, {body}}}\n")
    assert report.problems == []
    (test,) = file.tests
    return list(run_test(rules, test).differences)


class TestRecordedEvents:
    def test_a_recording_of_deliveries(self):
        ours = "{rule: greet, agent: greeter, metadata: {who: cust-1}}"
        assert differences(f"file: {PATH}, expect: [{ours}, {ours}]") == []

    def test_a_recording_stands_among_events(self):
        body = f"events: [{EVENT}, {{file: {PATH}}}], expect: [{{room: a}}, {{}}, {{}}]"
        assert differences(body) == []

    def test_the_key_that_signed_a_delivery_stands_beside_it(self, tmp_path):
        body = {"event": "participant_joined", "room": {"name": "a"}}
        body["participant"] = {"identity": "ana"}
        lines = [{"body": json.dumps(body), "project": key} for key in ("APIa", "APIb", 7)]
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, [*lines, body])))
        text = "tests: [{name: t, file: a.jsonl, expect: []}]"
        file, _ = read(text, tmp_path / "a.test.yaml")
        assert [event.project for event in file.tests[0].events] == ["APIa", "APIb", "", ""]

    def test_events_without_a_time_come_when_the_test_begins(self, tmp_path):
        event = {"event": "participant_joined", "room": {"name": "a"}}
        event["participant"] = {"identity": "ana"}
        (tmp_path / "a.jsonl").write_text(json.dumps(event))
        text = "tests: [{name: t, file: a.jsonl, at: 2026-03-02, expect: []}]"
        file, _ = read(text, tmp_path / "a.test.yaml")
        assert file.tests[0].events[0].at == 1772409600


class TestWhatIsExpected:
    @pytest.mark.parametrize(
        "expected",
        [
            "{}",
            "{rule: greet, agent: greeter, room: a, subject: a, deployment: '', version: ''}",
            "{restart_policy: on_failure, provider: livekit, attributes: {}}",
            "{at: 2026-01-01T13:00:00+01:00}",
            "{metadata: {who: ana}}",
            "{metadata: {tags: [x, y]}}",
            '{metadata: \'{"who":"ana","tags":["x","y"]}\'}',
        ],
    )
    def test_what_comes_so(self, expected):
        assert differences(f"event: {EVENT}, expect: [{expected}]") == []

    @pytest.mark.parametrize(
        ("expected", "lines"),
        [
            ("{metadata: {who: ben}}", ["- metadata: {who: ben}", "+ metadata: {who: ana, tags: [x, y]}"]),
            ("{metadata: {no: ben}}", ["- metadata: {no: ben}", "+ metadata: {who: ana, tags: [x, y]}"]),
            ("{metadata: {tags: [x]}}", ["- metadata: {tags: [x]}", "+ metadata: {who: ana, tags: [x, y]}"]),
            ("{deployment: b}", ["- deployment: b", '+ deployment: ""']),
            ("{at: 2026-01-01T12:00:01Z}", ['- at: "2026-01-01T12:00:01Z"', '+ at: "2026-01-01T12:00:00Z"']),
        ],
    )  # fmt: skip
    def test_what_comes_otherwise(self, expected, lines):
        expected = expected.replace("{", "{rule: greet, ", 1)
        told = differences(f"event: {EVENT}, expect: [{expected}]")
        assert told == ["  {rule: greet, agent: greeter}", *lines]

    @pytest.mark.parametrize(
        ("wanted", "holds"),
        [
            ("[true, 1, {a: [x], b: 2}]", True),
            ("[true, 1.0, {a: [x]}]", True),
            ("[1, 1, {}]", False),
            ("[true, true, {}]", False),
            ("[true, 1, {a: []}]", False),
            ("[true, 1]", False),
            ("[1, true, {}]", False),
            ("{}", False),
            ("null", False),
        ],
    )
    def test_metadata_within_lists(self, wanted, holds):
        rules = rule("dispatch: {agent: a, metadata: {n: [true, 1, {a: [x], b: 2}]}}")
        told = differences(f"event: {EVENT}, expect: [{{metadata: {{n: {wanted}}}}}]", rules)
        assert (told == []) is holds

    def test_texts_are_told_apart_from_what_looks_like_them(self):
        rules = rule(
            'dispatch: {agent: a, metadata: {a: "null", b: "True", c: "7", d: "", e: null}}'
        )
        told = differences(f"event: {EVENT}, expect: [{{rule: r, metadata: {{a: null}}}}]", rules)
        assert told[1:] == [
            "- metadata: {a: null}",
            '+ metadata: {a: "null", b: "True", c: "7", d: "", e: null}',
        ]

    def test_what_does_not_come_is_told_with_its_reason(self):
        event = EVENT.replace("name: a", "name: b")
        assert differences(f"event: {event}, expect: [{{rule: greet}}]") == [
            "- {rule: greet}",
            "    condition: when.room.name: expected one of a, support-1; got 'b'",
        ]

    def test_what_comes_and_is_not_expected(self):
        assert differences(f"event: {EVENT}, expect: []") == [
            "+ {rule: greet, room: a, agent: greeter, metadata: {who: ana, tags: [x, y]}}"
        ]

    def test_a_rule_that_there_is_not(self):
        body = f"event: {EVENT}, expect: [{{}}, {{rule: nix}}], reasons: {{nil: matched}}"
        assert differences(body) == [
            "- {rule: nix}",
            "    there is no rule 'nix'",
            "    there is no rule 'nil'",
        ]

    def test_each_dispatch_is_expected_once_and_in_any_order(self):
        rules = rule(
            "once: participant\ndispatch: {agent: x, attributes: {who: '{{participant.identity}}'}}"
        )
        ben = EVENT.replace("ana", "ben")
        both = f"events: [{EVENT}, {ben}]"
        wanted = "expect: [{}, {subject: ana}], reasons: {r: matched}"
        assert differences(f"{both}, {wanted}", rules) == []
        assert differences(f"{both}, expect: [{{subject: ben}}, {{subject: ana}}]", rules) == []
        twice = differences(f"{both}, expect: [{{subject: ben}}, {{subject: ben}}]", rules)
        assert "- subject: ben" in twice
        assert "+ subject: ana" in twice

    def test_as_many_as_can_be_are_paired(self):
        """Whom each takes at first may have to be given up for one that fits nothing else."""
        rules = rule("once: participant")
        come = ", ".join(EVENT.replace("ana", who) for who in ("ana", "ben", "eva"))
        for wanted in (
            "{}, {subject: ben}, {subject: ana}",
            "{agent: greeter}, {rule: r}, {subject: ana}",
            "{subject: eva}, {}, {subject: ana}",
        ):
            assert differences(f"events: [{come}], expect: [{wanted}]", rules) == []
        told = differences(f"events: [{come}], expect: [{{}}, {{subject: zoe}}, {{}}]", rules)
        assert told[-2:] == ["- subject: zoe", "+ subject: eva"]

    @pytest.mark.parametrize(("wanted", "came"), [(1_100, 1_100), (1_100, 1_050), (1_050, 1_100)])
    def test_very_many_are_paired_without_ado(self, wanted, came):
        events = [EVENT.replace("name: a", f"name: a{n}") for n in range(came)]
        expect = ", ".join(["{rule: r}"] * wanted)
        told = differences(f"events: [{', '.join(events)}], expect: [{expect}]", rule(""))
        assert sum(line.startswith("- ") for line in told) == max(0, wanted - came)
        assert sum(line.startswith("+ ") for line in told) == max(0, came - wanted)

    def test_reasons_alone_leave_the_dispatches_uncompared(self):
        assert differences(f"event: {EVENT}, reasons: {{greet: matched}}") == []
        assert differences(f"event: {EVENT}, reasons: {{greet: limit}}") == [
            "- greet: limit",
            "+ greet: matched",
        ]

    def test_a_shadow_sends_nothing_and_matches(self):
        assert differences(f"event: {EVENT}, expect: [{{}}], reasons: {{wait: matched}}") == []

    def test_the_clock_runs_until_who_waits_is_sent_or_not(self):
        rules = rule("once: participant\nafter: 60s")
        late = "{at: 2026-01-01T12:01:00Z}"
        assert (
            differences(f"event: {EVENT}, expect: [{late}], reasons: {{r: matched}}", rules) == []
        )
        gone = EVENT.replace("joined", "left")
        body = f"events: [{EVENT}, {gone}], expect: [], reasons: {{r: participant_gone}}"
        assert differences(body, rules) == []
        assert differences(body.replace("expect: []", "expect: [{rule: r}]"), rules) == [
            "- {rule: r}",
            "    participant_gone: the participant has left",
        ]

    def test_the_last_event_a_rule_is_about_and_who_waited_since_tell_the_reason(self):
        rules = rule("once: participant\nafter: 60s")
        gone, again = EVENT.replace("joined", "left"), EVENT.replace("{", "{after: 2m, ", 1)
        body = f"events: [{EVENT}, {gone}, {again}], expect: [{{}}], reasons: {{r: matched}}"
        assert differences(body, rules) == []
        body = f"events: [{EVENT}, {again}, {gone}], expect: [{{}}], reasons: {{r: already_dispatched}}"
        assert differences(body, rules) == []


class TestStories:
    def test_what_an_event_leaves_out_is_what_was_told_before(self):
        rules = rule(
            "on: track_published\nwhen: {room: {metadata: {a: 1}}, participant: {name: Ana}}"
        )
        events = """[
            {event: participant_joined, room: {name: a, metadata: {a: 1}},
             participant: {identity: ana, name: Ana}},
            {event: track_published, room: {name: a}, participant: {identity: ana},
             track: {source: CAMERA}}]"""
        assert differences(f"events: {events}, expect: [{{rule: r}}]", rules) == []

    def test_an_event_that_tells_its_own_time_moves_the_clock(self):
        rules = rule("once: event")
        first = EVENT.replace("{", "{created_at: 1772409600, ", 1)
        later = EVENT.replace("{", "{after: 5s, ", 1)
        expect = "[{at: 2026-03-02T00:00:00Z}, {at: 2026-03-02T00:00:05Z}]"
        assert differences(f"events: [{first}, {later}], expect: {expect}", rules) == []

    def test_a_name_begins_a_new_session_when_it_starts_again(self):
        ended = "{event: room_finished, room: {name: a}}"
        begun = "{event: room_started, room: {name: a}}"
        once = f"events: [{EVENT}, {ended}, {EVENT}], expect: [{{}}]"
        assert differences(once.replace("expect", "reasons: {greet: room_ended}, expect")) == []
        assert (
            differences(f"events: [{EVENT}, {ended}, {begun}, {EVENT}], expect: [{{}}, {{}}]") == []
        )

    def test_who_left_may_come_back(self):
        gone = EVENT.replace("joined", "left")
        rules = rule("release: participant_left")
        after = EVENT.replace("{event", "{after: 1s, event")
        assert differences(f"events: [{EVENT}, {gone}, {after}], expect: [{{}}, {{}}]", rules) == []
