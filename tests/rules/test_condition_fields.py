"""Mappings of fields, combinators, metadata and attributes."""

from __future__ import annotations

import pytest

from tests.rules.given import errors, joined, rule, rule_file, started, when

ES_GOLD = joined(room={"metadata": {"lang": "es", "tier": "gold"}})


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("{any: [{room: {name: x}}, {room: {metadata: {lang: es}}}]}", True),
        ("{any: [{room: {name: x}}, {room: {name: y}}]}", False),
        ("{all: [{room: {name: 'support-*'}}, {room: {metadata: {lang: es}}}]}", True),
        ("{all: [{room: {name: 'support-*'}}, {room: {metadata: {lang: fr}}}]}", False),
        ("{not: {room: {name: x}}}", True),
        ("{not: {room: {name: 'support-*'}}}", False),
        ("{not: {not: {room: {name: 'support-*'}}}}", True),
        ("{not: {room: {name: 'support-*'}, event: room_started}}", True),
        ("{room: {any: [{name: x}, {metadata: {lang: es}}]}}", True),
        ("{room: {metadata: {any: [{lang: fr}, {tier: gold}]}}}", True),
        ("{room: {metadata: {any: [{lang: fr}, {tier: free}]}}}", False),
        ("{room: {metadata: {lang: es, any: [{tier: gold}]}}}", True),
        ("{room: {metadata: {not: {lang: es}}}}", False),
        ("{room: {metadata: {lang: es, not: {tier: free}}}}", True),
        ("{room: [{name: x}, {metadata: {lang: es}}]}", True),
        ("{event: participant_joined, source: livekit, project: devkey}", True),
        ("{event: 'participant_*'}", True),
        ("{participant: {exists: true}, track: {exists: false}}", True),
    ],
)
def test_combinators(condition, matches):
    assert when(condition, ES_GOLD) is matches


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ('"hello *"', True),
        ("{contains: wor}", True),
        ("{not: bye}", True),
        ("[bye, 'hello world']", True),
        ("{lang: es}", False),
        ("{lang: {exists: false}}", True),
        ("{not: {lang: es}}", True),
    ],
)
def test_metadata_that_is_not_json_is_text_without_fields(value, matches):
    event = joined(room={"metadata": "hello world"})
    assert when(f"{{room: {{metadata: {value}}}}}", event) is matches


@pytest.mark.parametrize(
    "text", ["[1]", '"es"', "7", "null", "", "{", '{"lang": NaN}', "{" * 100_000, '{"a":' * 50_000]
)
def test_only_a_json_object_has_fields(text):
    event = joined(room={"metadata": text})
    assert when("{room: {metadata: {lang: {exists: false}}}}", event)
    assert not when("{room: {metadata: {lang: '*'}}}", event)


def test_fields_go_as_deep_as_the_json():
    event = joined(participant={"metadata": {"a": {"b": [{"c": 1, "d": 2}, {"c": 3}]}}})
    assert when("{participant: {metadata: {a: {b: {c: 3}}}}}", event)
    assert when("{participant: {metadata: {a: {b: {c: 1, d: 2}}}}}", event)
    assert not when("{participant: {metadata: {a: {b: {c: 3, d: 2}}}}}", event)
    assert not when("{participant: {metadata: {a: {b: {not: {c: 3}}}}}}", event)


def test_an_attributes_key_is_one_key_with_its_dots():
    event = joined(participant={"attributes": {"sip.trunkPhoneNumber": "+1"}})
    assert when('{participant: {attributes: {sip.trunkPhoneNumber: "+1"}}}', event)
    assert not when("{participant: {attributes: {trunkPhoneNumber: '*'}}}", event)


def test_fields_named_like_operators_stand_under_field():
    event = joined(room={"metadata": {"any": "x", "prefix": "y", "field": "z"}})
    assert when("{room: {metadata: {field: {any: x, prefix: y, field: z}}}}", event)
    assert not when("{room: {metadata: {field: {any: x, prefix: z}}}}", event)
    assert when("{room: {field: {metadata: {field: {any: x}}}}}", event)


def test_anchors_are_shared_conditions():
    rules = rule(
        """
        when:
          any:
            - &es {room: {metadata: {lang: es}}}
            - <<: *es
              participant: {identity: bob}
        """
    )
    assert rules.rules


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("{room: {metdata: x}}", "unknown field 'room.metdata', did you mean 'room.metadata'?"),
        ("{rooom: {name: x}}", "unknown field 'rooom', did you mean 'room'?"),
        ("{room: {emptyTimeout: 3}}", "did you mean 'room.empty_timeout'?"),
        ("{identity: x}", "unknown field 'identity': it belongs under 'participant'"),
        (
            "{participant: {permission: {publish: true}}}",
            "unknown field 'participant.permission.publish'",
        ),
        ("{people: 1}", "unknown field 'people'"),
        ("{room: {metadata: {prefix: a, lang: es}}}", "if 'prefix' is a field too, write field:"),
        ("{room: {metadata: {any: [a]}}}", "for one of several values write the list itself"),
        ("{any: {room: {name: x}}}", "'any' takes a list of mappings of fields"),
        ("{any: []}", "'any' takes a list of mappings of fields"),
        ("{room: {field: [name]}}", "'field' takes a mapping of fields"),
        ("{room: {field: {}}}", "'field' takes a mapping of fields"),
        ("{room: {}}", "'when.room' is empty"),
        ("{}", "'when' is empty"),
        ("", "'when' takes a mapping of fields"),
        ("[{room: {name: x}}]", "'when' takes a mapping of fields"),
        ("{not: {}}", "'when.not' is empty"),
        ("{prefix: x}", "'prefix' cannot hold"),
        ("{participant: {prefix: x}}", "'prefix' cannot hold: 'participant' is a mapping"),
    ],
)
def test_conditions_that_mean_nothing_are_errors(condition, message):
    (error,) = errors(rule_file(f"when: {condition}"))
    assert message in error


def test_track_events_know_who_published():
    published = joined(
        name="track_published",
        participant={"sid": "PA_9", "identity": "ana", "kind": "STANDARD"},
        track={"sid": "TR_1", "source": "MICROPHONE"},
    )
    assert when("{track: {source: MICROPHONE, type: AUDIO, width: 0}}", published)
    assert when("{participant: {kind: STANDARD}}", published)


def test_what_the_event_carries_whole_has_the_protocols_defaults():
    assert when(
        "{room: {metadata: '', max_participants: 0}, participant: {kind: STANDARD, name: '', "
        "is_publisher: false, permission: {hidden: false}}}",
        joined(),
    )


def test_a_room_event_has_no_participant():
    assert when("{participant: {exists: false}}", started())
    assert not when("{participant: {identity: '*'}}", started())
