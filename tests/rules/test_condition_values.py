"""What each form of value matches."""

from __future__ import annotations

import pytest

from tests.rules.given import errors, joined, rule_file, when


def room(**fields):
    return joined(room=fields)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("support", "support", True),
        ("support", "Support", False),
        ("support", "support-1", False),
        ('"support-*"', "support-", True),
        ('"support-*"', "support-1", True),
        ('"support-*"', "my-support-1", False),
        ('"*-es"', "support-es", True),
        ('"*"', "", True),
        ('"a*a"', "a", False),
        ('"a*a"', "aa", True),
        ('"a*b*c"', "aXbYc", True),
        ('"a*b*c"', "acb", False),
        ('"*b*b*"', "b", False),
        ('"*b*b*"', "xbxbx", True),
        ('"a**b"', "ab", True),
        ('"a*"', "a\nb", True),
        ('"a?"', "ab", False),
        ('"[ab]"', "a", False),
        ('"ñ*"', "ñandú", True),
    ],
)
def test_a_text_is_exact_but_for_stars(pattern, name, matches):
    event = joined(participant={"name": name})
    assert when(f"{{participant: {{name: {pattern}}}}}", event) is matches


@pytest.mark.parametrize(
    ("operator", "name", "matches"),
    [
        ("equals: a", "a", True),
        ('equals: "a*"', "ab", False),
        ('equals: "a*"', "a*", True),
        ("equals_ignore_case: STRASSE", "straße", True),
        ("equals_ignore_case: b", "a", False),
        ("prefix: ab", "abc", True),
        ("prefix: b", "abc", False),
        ("suffix: bc", "abc", True),
        ("suffix: b", "abc", False),
        ("contains: b", "abc", True),
        ("contains: d", "abc", False),
        ('glob: "a*c"', "abc", True),
        ('glob: "a*d"', "abc", False),
        ('regex: "a.c"', "abc", True),
        ('regex: "b"', "abc", False),
        ('regex: "\\\\p{Greek}+"', "αβγ", True),
        ('regex: "a|ab"', "ab", True),
        ("in: [a, b]", "b", True),
        ('in: ["a*", b]', "ab", False),
        ('in: ["a*", b]', "a*", True),
        ('in: ["a*"]', "ab", False),
        ("not: a", "b", True),
        ("not: a", "a", False),
        ('not: ["a*", b]', "ab", False),
        ("not: {prefix: a}", "b", True),
        ("not: {not: a}", "a", True),
        ("exists: true", "", True),
        ("exists: false", "", False),
        ("prefix: a, suffix: c", "abc", True),
        ("prefix: a, suffix: b", "abc", False),
        ("prefix: a, not: abc", "abc", False),
    ],
)
def test_operators_on_text(operator, name, matches):
    event = joined(participant={"name": name})
    assert when(f"{{participant: {{name: {{{operator}}}}}}}", event) is matches


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ("5", True),
        ("5.0", True),
        ("6", False),
        ("[4, 5]", True),
        ("{in: [4, 6]}", False),
        ("{gt: 4}", True),
        ("{gt: 5}", False),
        ("{gte: 5}", True),
        ("{lt: 5.5}", True),
        ("{lte: 4}", False),
        ("{gt: 1, lt: 9}", True),
        ("{gt: 1, lt: 5}", False),
        ("{not: 5}", False),
        ("[{lt: 2}, {gt: 4}]", True),
    ],
)
def test_values_of_numbers(value, matches):
    assert when(f"{{room: {{max_participants: {value}}}}}", room(maxParticipants=5)) is matches


def test_the_protocols_64_bit_integers_are_numbers_though_they_arrive_as_strings():
    event = room(creationTime="1795321767")
    assert when("{room: {creation_time: {gt: 1795321766, lt: 1795321768}}}", event)


@pytest.mark.parametrize(
    ("value", "matches"),
    [("true", True), ("false", False), ("[true, false]", True), ("{not: true}", False)],
)
def test_values_of_booleans(value, matches):
    event = joined(participant={"permission": {"canPublish": True}})
    condition = f"{{participant: {{permission: {{can_publish: {value}}}}}}}"
    assert when(condition, event) is matches


@pytest.mark.parametrize(
    ("value", "found", "matches"),
    [
        ("1", 1, True),
        ("1", 1.0, True),
        ("1", True, False),
        ("true", True, True),
        ("true", 1, False),
        ("1", "1", False),
        ('"1"', 1, False),
        ('"true"', True, False),
        ("{gt: 0}", True, False),
        ("{gt: 0}", "1", False),
        ("{prefix: a}", 1, False),
        ("{not: 1}", "1", True),
        ("{in: [1, x]}", "x", True),
        ("9007199254740993", 9007199254740993, True),
        ("9007199254740993", 9007199254740992, False),
        ("x", {"x": 1}, False),
        ("x", ["y", "x"], True),
        ("{not: x}", ["y", "x"], False),
        ("{gt: 5}", [1, 9], True),
        ('"*"', 1, False),
    ],
)
def test_a_field_of_metadata_keeps_the_type_json_gives_it(value, found, matches):
    event = room(metadata={"x": found})
    assert when(f"{{room: {{metadata: {{x: {value}}}}}}}", event) is matches


def test_any_of_a_participants_publish_sources_may_match():
    sources = {"permission": {"canPublishSources": ["CAMERA", "MICROPHONE"]}}
    condition = "{participant: {permission: {can_publish_sources: %s}}}"
    assert when(condition % "MICROPHONE", joined(participant=sources))
    assert not when(condition % "SCREEN_SHARE", joined(participant=sources))
    assert not when(condition % "{not: CAMERA}", joined(participant=sources))


def test_a_kind_nobody_knows_yet_can_be_matched():
    assert when("{participant: {kind: HOLOGRAM}}", joined(participant={"kind": "HOLOGRAM"}))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("{room: {name: 7}}", "'room.name' is text: quote it: \"7\""),
        ("{room: {name: [a, true]}}", "'room.name' is text: quote it: \"true\""),
        ("{room: {metadata: 7}}", "'room.metadata' is text: quote it: \"7\""),
        ("{room: {name: null}}", "for something absent write exists: false"),
        ("{room: {name: []}}", "'room.name' is an empty list: nothing can match it"),
        ("{room: {name: {}}}", "'room.name' is empty: say what it must be"),
        ("{room: {name: {in: []}}}", "'in' takes a list of constants"),
        ("{room: {name: {in: a}}}", "'in' takes a list of constants"),
        ("{room: {name: {in: [[a]]}}}", "'in' takes a list of constants"),
        ("{room: {name: {equals: [a]}}}", "'equals' takes one constant; 'in' takes a list"),
        ("{room: {name: {gt: 3}}}", "'gt' cannot hold: 'room.name' is text"),
        ("{room: {name: {prefix: 3}}}", "'prefix' takes text: quote it"),
        ("{room: {name: {exists: 1}}}", "'exists' takes true or false"),
        (
            "{room: {name: {prefx: a}}}",
            "unknown operator 'prefx' for 'room.name', did you mean 'prefix'?",
        ),
        ("{room: {name: {any: [a]}}}", "a list of values means any of them"),
        ('{room: {name: {regex: "("}}}', "'room.name': not an RE2 expression: missing ): ("),
        ('{room: {name: {regex: "(?=a)"}}}', "not an RE2 expression"),
        ("{room: {max_participants: a}}", "'room.max_participants' is a number"),
        ("{room: {max_participants: true}}", "'room.max_participants' is a number"),
        ("{room: {max_participants: {gt: x}}}", "'gt' compares numbers"),
        ("{room: {max_participants: {prefix: a}}}", "'prefix' cannot hold"),
        ("{participant: {is_publisher: yes}}", "'participant.is_publisher' is true or false"),
        ("{participant: {attributes: {vip: true}}}", 'attributes are strings: quote it: "true"'),
        ("{participant: {attributes: {vip: [a, 7]}}}", 'attributes are strings: quote it: "7"'),
        ("{participant: {attributes: {vip: {equals: 7}}}}", "attributes are strings: quote it"),
        ("{participant: {attributes: vip}}", "'participant.attributes' is a mapping"),
        ("{participant: SIP}", "'participant' is a mapping: name the field you mean"),
        ("{room: {name: .nan}}", "not a number a rule can use"),
    ],
)
def test_a_value_that_cannot_match_is_an_error(condition, message):
    (error,) = errors(rule_file(f"when: {condition}"))
    assert error.startswith("3:")
    assert message in error
