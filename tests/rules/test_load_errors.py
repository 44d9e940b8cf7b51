"""Everything wrong with a rule file is told in one run, each with its line and column."""

from __future__ import annotations

import re

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from rules.problems import RuleErrors
from tests.rules.given import errors, problems, rule, rule_file, ruleset

GOOD = "{id: %s, on: participant_joined, dispatch: {agent: a}}"


def test_all_errors_are_told_in_one_run_in_the_order_of_the_file():
    found = errors(
        """\
        version: 2
        rule: []
        rules:
          - id: Bad_Id
            on: participant_join
            when: {room: {metdata: x}}
            dispatch: {agnt: a}
          - id: second
            on: [track_published, nothing]
            unless: {participant: {attributes: {vip: true}}}
            once: week
            dispatch: {agent: "{{ room.nam }}"}
        """
    )
    assert [re.match(r"\d+:\d+", error).group() for error in found] == [
        "1:10", "2:1", "4:9", "5:9", "6:19", "7:15", "7:16",
        "9:27", "10:46", "11:11", "12:23",
    ]  # fmt: skip


def test_a_problem_reads_as_compilers_write_it():
    (problem,) = problems(
        "version: 1\nrules:\n  - {id: a, on: participant_joined, dispath: 1, dispatch: {agent: a}}"
    )
    assert str(problem) == (
        "rules.yaml:3:37: error: unknown field 'dispath', did you mean 'dispatch'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: an empty file"),
        ("# nothing\n", "1:1: an empty file"),
        ("---\n", "a rule file is a mapping"),
        ("null", "1:1: a rule file is a mapping"),
        ("[]", "1:1: a rule file is a mapping"),
        ("text", "1:1: a rule file is a mapping"),
        ("rules: []", "1:1: the file needs 'version: 1'"),
        ("version: 1", "1:1: the file needs 'rules:'"),
        ("version: '1'\nrules: []", "1:10: 'version' is the number 1"),
        ("version: true\nrules: []", "1:10: 'version' is the number 1"),
        ("version: 1.0\nrules: []", "1:10: 'version' is the number 1"),
        ("version: 2\nrules: []", "1:10: version 2 is not known here"),
        ("version: 1\nrules:", "2:1: 'rules' takes a list of rules"),
        ("version: 1\nrules: {a: 1}", "2:8: 'rules' takes a list of rules"),
        ("version: 1\nrules: [a]", "2:9: a rule is a mapping with 'id', 'on' and 'dispatch'"),
        ("version: 1\nrules: [null]", "2:9: a rule is a mapping"),
        ("version: 1\nrules: [[]]", "2:9: a rule is a mapping"),
    ],
)
def test_files_of_another_shape(text, message):
    assert message in "\n".join(errors(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{on: participant_joined, dispatch: {agent: a}}", "the rule needs 'id'"),
        ("{id: a, dispatch: {agent: a}}", "the rule 'a' needs 'on'"),
        ("{id: a, on: participant_joined}", "the rule 'a' needs 'dispatch'"),
        ("{id: 7, on: participant_joined, dispatch: {agent: a}}", "such as es-1: quote it"),
        ("{id: 1.5, on: participant_joined, dispatch: {agent: a}}", "such as es-1: quote it"),
        ("{id: true, on: participant_joined, dispatch: {agent: a}}", "an id has lowercase"),
        ("{id: null, on: participant_joined, dispatch: {agent: a}}", "an id has lowercase"),
        ("{id: '', on: participant_joined, dispatch: {agent: a}}", "an id has lowercase"),
        ("{id: -a, on: participant_joined, dispatch: {agent: a}}", "an id has lowercase"),
        ("{id: ñ, on: participant_joined, dispatch: {agent: a}}", "an id has lowercase"),
        ('{id: "a\\n", on: participant_joined, dispatch: {agent: a}}', "an id has lowercase"),
        ("{id: a, on: yes, dispatch: {agent: a}}", "unknown event 'yes'"),
        ("{id: a, on: true, dispatch: {agent: a}}", "'on' takes the name of an event"),
        ("{id: a, on: null, dispatch: {agent: a}}", "'on' takes the name of an event"),
        ("{id: a, on: [], dispatch: {agent: a}}", "'on' is an empty list"),
        ("{id: a, on: [[room_started]], dispatch: {agent: a}}", "'on' takes the name of an event"),
        ("{id: a, on: {a: b}, dispatch: {agent: a}}", "'on' takes the name of an event"),
        (
            "{id: a, on: room_start, dispatch: {agent: a}}",
            "unknown event 'room_start', did you mean 'room_started'?",
        ),
        (
            "{id: a, on: participantJoined, dispatch: {agent: a}}",
            "did you mean 'participant_joined'?",
        ),
        (
            "{id: a, enabled: no, on: room_started, dispatch: {agent: a}}",
            "'enabled' is true or false",
        ),
        (
            "{id: a, enabled: 1, on: room_started, dispatch: {agent: a}}",
            "'enabled' is true or false",
        ),
        (
            "{id: a, description: 7, on: room_started, dispatch: {agent: a}}",
            "'description' takes text: quote it",
        ),
        ("{id: a, on: room_started, dispatch: a}", "'dispatch' takes a mapping"),
        ("{id: a, on: room_started, dispatch: [a]}", "'dispatch' takes a mapping"),
        ("{id: a, on: room_started, dispatch: []}", "'dispatch' is an empty list: name an agent"),
        ("{id: a, on: room_started, dispatch: {}}", "'dispatch' needs an 'agent'"),
        (
            "{id: a, on: room_started, dispatch: {agent: 7}}",
            "'dispatch.agent' takes text: quote it",
        ),
        ("{id: a, on: room_started, dispatch: {agent: null}}", "'dispatch.agent' takes text"),
        (
            "{id: a, on: room_started, dispatch: {agent: a, restart_policy: on-failure}}",
            "did you mean 'on_failure'?",
        ),
        (
            "{id: a, on: room_started, dispatch: {agent: a, attributes: [a]}}",
            "takes a mapping of texts",
        ),
        (
            "{id: a, on: room_started, dispatch: {agent: a, rooms: x}}",
            "unknown field 'dispatch.rooms', did you mean 'dispatch.room'?",
        ),
        (
            "{id: a, on: room_started, shedule: {}, dispatch: {agent: a}}",
            "unknown field 'shedule', did you mean 'schedule'?",
        ),
        ("{id: a, id: b, on: room_started, dispatch: {agent: a}}", "'id' twice: first at line 3"),
    ],
)
def test_rules_of_another_shape(text, message):
    (error,) = errors(f"version: 1\nrules:\n  - {text}")
    assert error.startswith("3:")
    assert message in error


def test_an_id_is_taken_once_over_all_files():
    text = f"version: 1\nrules:\n  - {GOOD % 'same'}\n  - {GOOD % 'x'}\n  - {{id: broken}}"
    files = [RuleFile("a.yaml", text), RuleFile("b.yaml", text)]
    with pytest.raises(RuleErrors) as caught:
        load_files(files)
    assert [str(problem) for problem in caught.value.problems if "taken" in problem.message] == [
        "b.yaml:3:10: error: the id 'same' is taken: by the rule at a.yaml:3:10",
        "b.yaml:4:10: error: the id 'x' is taken: by the rule at a.yaml:4:10",
        "b.yaml:5:10: error: the id 'broken' is taken: by the rule at a.yaml:5:10",
    ]


def test_errors_of_all_files_are_told_together():
    files = [RuleFile(name, "version: 1\nrules: [7]") for name in ("b.yaml", "a.yaml")]
    with pytest.raises(RuleErrors) as caught:
        load_files(files)
    assert [problem.path for problem in caught.value.problems] == ["b.yaml", "a.yaml"]


def test_a_file_without_rules_loads_with_a_warning():
    loaded = ruleset("version: 1\nrules: []")
    assert loaded.rules == ()
    assert [warning.message for warning in loaded.warnings] == ["the file has no rules"]


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (
            "{participant: {kind: agent}}",
            "'agent' is no 'participant.kind' known here, did you mean 'AGENT'?",
        ),
        ("{participant: {kind: [SIP, STANDRAD]}}", "did you mean 'STANDARD'?"),
        ("{participant: {kind: {not: AGNET}}}", "did you mean 'AGENT'?"),
        ("{participant: {state: {equals: active}}}", "did you mean 'ACTIVE'?"),
        ("{participant: {kind: HOLOGRAM}}", "'HOLOGRAM' is no 'participant.kind' known here"),
        ("{participant: {disconnect_reason: CLIENT_INITIATE}}", "did you mean 'CLIENT_INITIATED'?"),
        ("{event: participant_join}", "did you mean 'participant_joined'?"),
        ("{track: {exists: true}}", "'track' is never there on participant_joined"),
        ("{all: [{track: {source: CAMERA}}]}", "'track' is never there on participant_joined"),
        ("{any: [{humans: 1}, {all: [{track: {source: CAMERA}}]}]}", "'track' is never there"),
        ("{field: {track: {source: CAMERA}}}", "'track' is never there on participant_joined"),
        ("{source: zoom}", "'zoom' is no 'source' known here"),
        ("{source: VIDEOSDK}", "'VIDEOSDK' is no 'source' known here, did you mean 'videosdk'?"),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(when, message):
    loaded = rule(f"when: {when}")
    (warning,) = loaded.warnings
    assert warning.severity == "warning"
    assert message in warning.message


@pytest.mark.parametrize("kind", ["AGENT", "'S*'", "{prefix: ST}", "[SIP, CONNECTOR, BRIDGE]"])
def test_known_constants_and_patterns_are_not_warned_of(kind):
    assert rule(f"when: {{participant: {{kind: {kind}}}}}").warnings == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "when: {participant: {attributes: {sip.phoneNumber: +34910000001}}}",
            'attributes are strings: quote it: "+34910000001"',
        ),
        ("when: {room: {name: 0034}}", "'room.name' is text: quote it: \"0034\""),
        (
            "when: {room: {max_participants: '20'}}",
            "'room.max_participants' is a number, never '20': write it without quotes",
        ),
        (
            "when: {room: {max_participants: many}}",
            "'room.max_participants' is a number, never 'many'",
        ),
        (
            "when: {participant: {attributes: {sip: {phoneNumber: x}}}}",
            "a key of attributes is whole, write sip.phoneNumber: …",
        ),
        ("when: {room: {foo: x}}", "unknown field 'room.foo'"),
        ("when: {room: {metdata: x}}", "did you mean 'room.metadata'?"),
        ("when: {room: {name: *-support}}", 'quote it if it is text, "*-support"'),
        ("when: {room: {name: *}}", "a value cannot begin with '*': quote it"),
    ],
)
def test_the_advice_is_right(body, told):
    (error,) = errors(rule_file(body))
    assert error.endswith(told)


def test_a_value_that_is_not_there_is_looked_for_at_its_key():
    told = errors(
        "version: 1\nrules:\n  - id: a\n    on: room_started\n    dispatch:\n      agent: a\n"
        "      deployment:\n\n  # another\n  - id: b\n    on: room_started\n    enabled:\n"
        "    dispatch: {agent: a}\n"
    )
    assert [each.split(": ")[0] for each in told] == ["7:7", "12:5"]


def test_a_problem_is_one_line_however_odd_the_name():
    (error,) = errors(rule_file('when: {"a\\nb\\e[31m": 1}'))
    assert error.isprintable()
    (error,) = errors(rule_file(f"on: {'x' * 10_000}"))
    assert len(error) < 200


def test_a_condition_with_a_template_is_warned_of():
    (warning,) = rule('when: {room: {name: "{{ rule }}"}}').warnings
    assert warning.message == "conditions have no templates: this is compared as it is written"


def test_asking_for_what_is_never_there_to_be_absent_is_not_warned_of():
    assert rule("on: room_started\nwhen: {participant: {exists: false}}").warnings == ()


def test_a_file_of_something_else_is_one_error_that_quotes_nothing_of_it():
    (error,) = errors("services: {web: {password: hush}}")
    assert error == "1:1: not a rule file: it has neither 'version: 1' nor 'rules:'"


@pytest.mark.parametrize(
    ("written", "meant"), [("starts_with", "prefix"), ("eq", "equals"), ("'>='", "gte")]
)
def test_operators_of_other_languages_are_translated(written, meant):
    (error,) = errors(rule_file(f"when: {{room: {{name: {{{written}: x}}}}}}"))
    assert error.endswith(f"for 'room.name': here it is '{meant}'")
    (warning,) = rule(f"when: {{room: {{metadata: {{lang: {{{written}: x}}}}}}}}").warnings
    assert f"the operator is '{meant}'" in warning.message


def test_a_tab_is_called_a_tab():
    (error,) = errors("version: 1\nrules:\n\t- id: a\n")
    assert error.endswith("not valid YAML: a tab: YAML is indented with spaces")


@pytest.mark.parametrize("key", ["\\e[2J", "\\n::error::x", "\\u202e", "\\L"])
def test_what_a_terminal_would_obey_is_told_as_its_escape(key):
    """What is told is printed, and read line by line by editors and CI systems."""
    attributes = f'{{participant: {{attributes: {{"{key}": {{lang: es}}}}}}}}'
    (error,) = errors(rule_file(f"when: {attributes}"))
    assert error.isprintable()
