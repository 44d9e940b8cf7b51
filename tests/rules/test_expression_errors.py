"""What is wrong with expressions is told when the file is loaded."""

from __future__ import annotations

import json

import pytest

from tests.rules.given import decided, errors, joined, rule, rule_file, ruleset

AGNT = "participant.permission.agnt"


def told(expression):
    return errors(rule_file(f"if: {json.dumps(expression)}"))


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("room.metdata == 'x'", "unknown field 'room.metdata', did you mean 'room.metadata'?"),
        ("rom.name == 'x'", "unknown name 'rom', did you mean 'room'?"),
        ("now > 1", "unknown name 'now'"),
        ("tables.x == 1", "unknown name 'tables'"),
        ("zzz(room.name)", "unknown name 'zzz'"),
        ("room.name.startswith('x')", "unknown name 'startswith', did you mean 'startsWith'?"),
        (
            "participants.exists(p, p.identty == 'x')",
            "unknown field 'participant.identty', did you mean 'participant.identity'?",
        ),
        ("track.sourc == 'X'", "unknown field 'track.sourc', did you mean 'track.source'?"),
        (
            AGNT,
            f"unknown field '{AGNT}', did you mean 'participant.permission.agent'?",
        ),
        ("room.name == 1", "'==' does not go with (text, a whole number)"),
        ("room.creation_time > 1.5", "'>' does not go with (a whole number, a fraction)"),
        ("participant.attributes.vip == true", "'==' does not go with (text, true or false)"),
        ("room.name && true", "'&&' does not go with (text, true or false)"),
        ("", "not an expression: it ends too early"),
        ("room.name ==", "not an expression: it ends too early"),
        ("[1, 2", "not an expression: it ends too early"),
        ("1", "it must be true or false, and this is a whole number"),
        ("room.name", "it must be true or false, and this is text"),
        ("room.name.matches('a.*(')", "invalid regular expression: missing ): a.*("),
        ("x" * 16_385, "an expression of 16,385 characters: 16,384 are allowed"),
    ],
)
def test_names_and_types_are_checked_when_the_file_is_loaded(expression, error):
    assert told(expression) == [f"3:9: 'if': {error}"]


def test_an_error_is_told_where_it_stands_on_a_plain_line():
    assert errors(rule_file("if: room.name == 'x' && room.nam == 'y'")) == [
        "3:33: 'if': unknown field 'room.nam', did you mean 'room.name'?"
    ]


def test_an_error_on_a_later_line_is_told_where_the_expression_begins():
    assert errors(rule_file("if: |\n  room.name == 'x'\n  && room.nam == 'y'")) == [
        "3:9: 'if': unknown field 'room.nam', did you mean 'room.name'?"
    ]


def test_all_that_is_wrong_is_told():
    assert errors(rule_file("if: room.nam == rom.name")) == [
        "3:13: 'if': unknown field 'room.nam', did you mean 'room.name'?",
        "3:24: 'if': unknown name 'rom', did you mean 'room'?",
    ]


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("7", "3:9: 'if' takes text: quote it"),
        ("true", "3:9: 'if' takes text: quote it"),
        ("[a]", "3:9: 'if' takes text"),
        ("{a: b}", "3:9: 'if' takes text"),
        ("null", "3:9: 'if' takes text"),
    ],
)
def test_it_is_text(written, error):
    assert errors(rule_file(f"if: {written}")) == [error]


def test_what_none_of_the_events_carries_is_warned_of():
    (warning,) = rule("if: has(track.sid)").warnings
    assert (warning.line, warning.column) == (3, 9)
    assert warning.message == "'track' is never there on participant_joined"
    assert rule("on: [participant_joined, track_published]\nif: has(track.sid)").warnings == ()


def test_a_name_in_a_text_is_not_read():
    assert rule("if: room.name != 'track.sid'").warnings == ()


def test_an_expression_that_fails_fails_alone():
    rules = ruleset(
        "version: 1\nrules:\n"
        "  - {id: a, on: participant_joined, if: room.metadata.x > 1, dispatch: {agent: a}}\n"
        "  - {id: b, on: participant_joined, dispatch: {agent: b}}\n"
    )
    assert [each.reason for each in decided(rules, joined())] == ["expression", "matched"]


def test_a_default_cannot_stand_for_each_rule():
    text = 'version: 1\ndefaults: {if: "true"}\nrules: []'
    assert errors(text) == ["2:12: 'defaults.if': each rule has its own 'if'"]
