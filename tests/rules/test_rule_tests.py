"""Files of rule tests: how they are read, what is wrong with them, and how they fail."""

# ruff: noqa: E501 - a mistake and what is said of it stand on one line

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from rules.files import RuleFile
from rules.problems import Report
from rules.rule_test_run import run_test
from rules.rule_tests import read_tests
from tests.recorded import PATH
from tests.rules.given import rule, ruleset

EVENT = "{event: participant_joined, room: {name: a}, participant: {identity: ana}}"
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


def read(text, path="some.test.yaml"):
    report = Report()
    return read_tests(RuleFile(str(path), dedent(text)), report), report


def wrong(text, path="some.test.yaml"):
    """What is wrong with a file, by its places."""
    _, report = read(text, path)
    return [f"{p.line}:{p.column}: {p.message}" for p in report.problems]


def wrong_test(body):
    """What is wrong with one test, which begins in line 2, without the places."""
    return [each.split(": ", 1)[1] for each in wrong(f"tests:\n  - {{name: t, {body}}}\n")]


def differences(body, rules=RULES):
    file, report = read(f"tests:\n  - {{name: t, {body}}}\n")
    assert report.problems == []
    (test,) = file.tests
    return list(run_test(rules, test).differences)


class TestFiles:
    @pytest.mark.parametrize("text", ["", "\n\n", "# nothing but words\n", "---\n"])
    def test_an_empty_file_is_no_passed_test(self, text):
        assert len(wrong(text)) == 1

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "1:1: an empty file: it needs 'tests:', a list of tests"),
            ("[]", "1:1: a file of rule tests is a mapping with 'tests:'"),
            ("just words", "1:1: a file of rule tests is a mapping with 'tests:'"),
            ("rules: a.yaml", "1:1: the file needs 'tests:', a list of tests"),
            ("tests: []", "1:1: the file needs 'tests:', a list of tests"),
            ("tests: {}", "1:1: the file needs 'tests:', a list of tests"),
        ],
    )
    def test_what_is_no_file_of_tests(self, text, said):
        assert wrong(text) == [said]

    def test_yaml_that_cannot_be_read_is_told_once(self):
        (said,) = wrong('tests:\n  - name: "a\n')
        assert said.startswith("2:11: not valid YAML:")

    def test_every_problem_of_a_file_is_told(self):
        said = wrong("test: 1\ntests: [a, {nam: b}, {name: c}]\n")
        assert "1:1: unknown field 'test', did you mean 'tests'?" in said
        assert "2:9: a test is a mapping with 'name', 'events' and 'expect'" in said
        assert "2:13: unknown field 'nam', did you mean 'name'?" in said
        assert "2:12: a test has one of 'events', 'event' and 'file'" in said

    def test_the_rules_lie_beside_the_file(self):
        tests = f"tests: [{{name: t, event: {EVENT}, expect: []}}]"
        assert read(tests, "/x/a.test.yaml")[0].rules == ("/x/a.yaml",)
        assert read(tests, "/x/a.test.yml")[0].rules == ("/x/a.yml",)
        named = read(f"rules: [b.yaml, c, ../d/*.yaml]\n{tests}", "/x/a.test.yaml")[0].rules
        assert named == ("/x/b.yaml", "/x/c", "/x/../d/*.yaml")
        assert read(f"rules: b.yaml\n{tests}", "/x/a.test.yaml")[0].rules == ("/x/b.yaml",)

    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            ("[]", "1:8: 'rules' is an empty list: name the files it is about"),
            ("7", "1:8: 'rules' takes text: quote it"),
            ("{a: b}", "1:8: 'rules' takes text"),
        ],
    )
    def test_rules_that_name_no_file(self, rules, said):
        assert wrong(f"rules: {rules}\ntests: [{{name: t, event: {EVENT}, expect: []}}]") == [said]


class TestWhatIsWrongWithATest:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (f"event: {EVENT}", "a test needs 'expect', the dispatches that follow ([] for none), or 'reasons'"),
            (f"event: {EVENT}, expect: {{}}", "'expect' takes a list of dispatches; [] for none"),
            (f"event: {EVENT}, expect: [a]", "an expected dispatch is a mapping such as {rule: welcome, agent: greeter}"),
            (f"event: {EVENT}, expect: [{{rle: a}}]", "unknown field 'expect.rle', did you mean 'expect.rule'?"),
            (f"event: {EVENT}, expect: [{{version: 1}}]", "'expect.version' takes text: quote it"),
            (f"event: {EVENT}, expect: [{{attributes: a}}]", "'expect.attributes' takes a mapping"),
            (f"event: {EVENT}, expect: [{{restart_policy: nver}}]", "'expect.restart_policy' is one of on_failure, never, always, did you mean 'never'?"),
            (f"event: {EVENT}, expect: [{{provider: livekti}}]", "'expect.provider' is one of livekit, videosdk, did you mean 'livekit'?"),
            (f"event: {EVENT}, expect: [{{at: noon}}]", "'noon' is no time: write 2026-03-02T10:00:00+01:00"),
            (f"event: {EVENT}, at: noon, expect: []", "'noon' is no time: write 2026-03-02T10:00:00+01:00"),
            (f"event: {EVENT}, reasons: []", "'reasons' takes a mapping of rules to reasons, such as {welcome: schedule}"),
            (f"event: {EVENT}, reasons: {{a: conditoin}}", "there is no reason 'conditoin', did you mean 'condition'?"),
            (f"event: {EVENT}, reasons: {{a: [limit]}}", "there is no reason null"),
            ("expect: []", "a test has one of 'events', 'event' and 'file'"),
            (f"event: {EVENT}, file: a, expect: []", "a test has one of 'events', 'event' and 'file'"),
            ("events: [], expect: []", "'events' is an empty list"),
            ("events: {}, expect: []", "'events' takes a list of events"),
            ("event: word, expect: []", "an event is a mapping such as {event: room_started, room: {name: a}}"),
        ],
    )  # fmt: skip
    def test_it_is_told(self, body, said):
        assert wrong_test(body) == [said]

    @pytest.mark.parametrize(
        ("event", "said"),
        [
            ("{room: {name: a}}", "an event needs its name in 'event', such as participant_joined"),
            ("{event: 7}", "an event needs its name in 'event', such as participant_joined"),
            ("{event: participant_join}", "there is no event 'participant_join', did you mean 'participant_joined'?"),
            ("{event: room_started}", "an event needs its 'room', such as {name: support-1}"),
            ("{event: room_started, room: a}", "'room' of an event is a mapping"),
            ("{event: room_started, room: {nam: a}}", "unknown field 'room.nam', did you mean 'room.name'?"),
            ("{event: room_started, romm: {name: a}}", "an event has no 'romm', did you mean 'room'?"),
            ("{event: room_started, room: {name: a, sid: {}}}", "'sid' of 'room' must be text"),
            ("{event: room_started, room: {name: a}, after: 5}", "'after': it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
            ("{event: room_started, room: {name: a}, after: 9000000d}", "'after' is too long"),
            ("{event: room_started, room: {name: a}, at: now}", "'now' is no time: write 2026-03-02T10:00:00+01:00"),
            ("{event: room_started, room: {name: a}, at: now, after: 5s}", "an event has 'at' or 'after', not both"),
            ("{event: room_started, room: {name: a}, created_at: 1e300}", "'created_at' is a time in Unix seconds"),
            ("{event: room_started, room: {name: a}, created_at: noon}", "'created_at' is a time in Unix seconds"),
        ],
    )  # fmt: skip
    def test_so_is_what_is_wrong_with_an_event(self, event, said):
        assert wrong_test(f"event: {event}, expect: []") == [said]


class TestRecordedEvents:
    def test_a_recording_of_deliveries(self):
        ours = "{rule: greet, agent: greeter, metadata: {who: cust-1}}"
        assert differences(f"file: {PATH}, expect: [{ours}, {ours}]") == []

    def test_a_recording_stands_among_events(self):
        body = f"events: [{EVENT}, {{file: {PATH}}}], expect: [{{room: a}}, {{}}, {{}}]"
        assert differences(body) == []

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "no events"),
            (b"\n \n", "no events"),
            (b"\xff\xfe", "not UTF-8 text"),
            (b"[1]", "line 1: a JSON object is needed"),
            (b'\n{"event": 7}', "line 2: a webhook event needs a name in 'event'"),
            (b'{"event": "x", "room": 7}', "line 1: 'room' of a webhook event must be an object"),
            (b'{"event": "x", "createdAt": 1795321767000}', "line 1: 'created_at' is a time in Unix seconds"),
            (b'{"event": "x", "createdAt": "noon"}', "line 1: 'created_at' is a time in Unix seconds"),
        ],
    )  # fmt: skip
    def test_what_is_no_recording(self, tmp_path, content, said):
        (tmp_path / "a.jsonl").write_bytes(content)
        text = "tests: [{name: t, file: a.jsonl, expect: []}]"
        assert wrong(text, tmp_path / "a.test.yaml") == [f"1:25: {tmp_path}/a.jsonl: {said}"]

    def test_json_that_is_cut_off_is_told_with_its_line(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"event": "room_started"}\n{"event"')
        (said,) = wrong("tests: [{name: t, file: a.jsonl, expect: []}]", tmp_path / "a.test.yaml")
        assert f"{tmp_path}/a.jsonl: line 2: " in said

    def test_a_recording_that_is_not_there(self, tmp_path):
        (said,) = wrong("tests: [{name: t, file: nix, expect: []}]", tmp_path / "a.test.yaml")
        assert said == f"1:25: {tmp_path}/nix: No such file or directory"

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


def test_an_event_cannot_be_before_the_one_before_it():
    text = dedent("""
        rules: [r.yaml]
        tests:
          - name: back in time
            events:
              - {event: room_started, room: {name: a}, at: "2026-01-02T00:00:00Z"}
              - {event: room_finished, room: {name: a}, at: "2026-01-01T00:00:00Z"}
            expect: []
        """)
    report = Report()
    read_tests(RuleFile("r.test.yaml", text), report)
    (problem,) = report.problems
    assert problem.message == "'2026-01-01T00:00:00Z' is before the event that comes first"
