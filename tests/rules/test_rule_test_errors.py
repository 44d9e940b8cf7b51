"""What is wrong with files of rule tests, and with recordings, is told with its place."""

# ruff: noqa: E501 - a mistake and what is said of it stand on one line

from __future__ import annotations

import pytest

from tests.rules.written_tests import EVENT, read, wrong, wrong_test


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
            (f"event: {EVENT}, reasons: {{a: [limit]}}", "a reason is one word, such as schedule"),
            (f"event: {EVENT}, reasons: {{a: null}}", "there is no reason null"),
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
            ("{event: room_started, room: {name: a}, after: -5s}", "'after': it must be a duration such as 250ms, 10s, 5m, 2h or 7d"),
            ("{event: participant_joined, room: {name: a}, participant: {attributes: {sip.trunkPhoneNumber: +34910555000}}}", "the attribute 'sip.trunkPhoneNumber' must be text: quote it"),
            ("{event: participant_joined, room: {name: a}, participant: {attributes: {beta: true}}}", "the attribute 'beta' must be text: quote it"),
            ("{event: participant_joined, room: {name: a}, participant: {attributes: {beta: [x]}}}", "the attribute 'beta' must be text"),
            ("{event: participant_joined, room: {name: a}, participant: {attributes: [x]}}", "'attributes' of a participant must be an object of strings"),
        ],
    )  # fmt: skip
    def test_so_is_what_is_wrong_with_an_event(self, event, said):
        assert wrong_test(f"event: {event}, expect: []") == [said]

    def test_two_tests_of_a_name_and_one_without(self):
        test = f"{{name: t, event: {EVENT}, expect: []}}"
        text = f"tests:\n  - {test}\n  - {test}\n  - {test.replace('name: t', 'name: T')}\n"
        assert wrong(text) == ["3:5: two tests are called 't': the first in line 2"]
        nameless = test.replace("name: t", "name: ' '")
        assert wrong(f"tests:\n  - {nameless}\n") == ["2:5: a test needs a 'name'"]

    def test_the_clock_does_not_go_back(self):
        first = EVENT.replace("{", "{at: 2026-03-02T10:00:00+01:00, ", 1)
        second = EVENT.replace("{", "{at: 2026-03-02T09:59:59+01:00, ", 1)
        said = "'2026-03-02T09:59:59+01:00' is before the event that comes first"
        assert wrong_test(f"events: [{first}, {second}], expect: []") == [said]
        assert wrong_test(f"events: [{second}, {first}, {first}], expect: []") == []
        assert wrong_test(f"at: 2026-12-31, events: [{first}], expect: []") == []


class TestWhatIsNoRecording:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "no events"),
            (b"\n \n", "no events"),
            (b"\xff\xfe", "not UTF-8 text"),
            (b"[1]", "line 1: a JSON object is needed"),
            (b'{"body": null}', "line 1: a JSON object is needed"),
            (b'{"event"', "line 1: no JSON: Expecting ':' delimiter, at character 9"),
            (b'{"body": "{"}', "line 1: no JSON: Expecting property name enclosed in double quotes, at character 2"),
            (b"[" * 100_000, "line 1: no JSON that can be read: it is nested too deeply"),
            (b'{"createdAt": ' + b"9" * 5_000, "line 1: no JSON that can be read: a number has too many digits"),
            (b'{"event": "x", "createdAt": NaN}', "line 1: 'created_at' is a time in Unix seconds"),
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
