"""What paths of `DISPATCHER_REDACT` mean, and that nothing of what they name is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decide import decide
from rules.event import read_event
from rules.session import Session, observe
from tests.rules.given import ruleset
from workers.redacting import Redaction
from workers.redaction import REDACTED, parse_redactions, touches
from workers.settings import SettingsError, load_settings

EVENT = {
    "event": "participant_joined",
    "id": "EV_1",
    "room": {
        "sid": "RM_1",
        "name": "support-1",
        "metadata": '{"customer":{"name":"Ana López","age":41},"lang":"es"}',
    },
    "participant": {
        "sid": "PA_1",
        "identity": "ana",
        "name": "Ana López",
        "metadata": "vip",
        "attributes": {"sip.phoneNumber": "+34600111222", "sip.callID": "c1", "lang": "es"},
    },
}


def redaction(*paths: str) -> Redaction:
    return Redaction(parse_redactions(",".join(paths)))  # type: ignore[arg-type]


def left(*paths: str, body: dict[str, Any] = EVENT) -> dict[str, Any]:
    return dict(redaction(*paths).event(read_event(body).to_json()).body)


def test_without_paths_everything_stays() -> None:
    body = read_event(EVENT).to_json()
    assert redaction().event(body).body is body
    assert not redaction()


def test_attributes_go_by_whole_keys_and_by_their_beginning() -> None:
    assert left("participant.attributes.sip.*")["participant"]["attributes"] == {
        "sip.phoneNumber": "[redacted]", "sip.callID": "[redacted]", "lang": "es",
    }  # fmt: skip
    assert left("participant.attributes.sip.callID")["participant"]["attributes"] == {
        "sip.phoneNumber": "+34600111222", "sip.callID": "[redacted]", "lang": "es",
    }  # fmt: skip
    everything = left("participant.attributes")["participant"]["attributes"]
    assert set(everything.values()) == {"[redacted]"}
    assert left("participant.attributes.*") == left("participant.attributes")


def test_metadata_goes_whole_or_field_by_field_and_keeps_its_shape() -> None:
    room = left("room.metadata.customer")["room"]
    assert json.loads(room["metadata"]) == {
        "customer": {"name": "[redacted]", "age": "[redacted]"}, "lang": "es",
    }  # fmt: skip
    room = left("room.metadata.customer.name")["room"]
    assert json.loads(room["metadata"])["customer"] == {"name": "[redacted]", "age": 41}
    assert left("room.metadata")["room"]["metadata"] == "[redacted]"


@pytest.mark.parametrize("text", ["vip", '{"customer": "ana",}', '["ana"]', '"ana"'])
def test_of_metadata_that_is_no_json_object_nobody_knows_what_was_meant(text: str) -> None:
    body = {**EVENT, "room": {"sid": "RM_1", "name": "x", "metadata": text}}
    assert left("room.metadata.customer", body=body)["room"]["metadata"] == "[redacted]"


@pytest.mark.parametrize("text", ["", "{}", '{"lang":"es"}', ' {"lang" : "es"} '])
def test_metadata_without_the_field_stays_as_it_is(text: str) -> None:
    body = {**EVENT, "room": {"sid": "RM_1", "name": "x", "metadata": text}}
    assert left("room.metadata.customer", body=body)["room"]["metadata"] == text


def test_a_field_is_found_in_lists_and_where_its_name_holds_dots() -> None:
    for text in ('{"people":[{"name":"Ana"},{"name":"Ben"}]}', '{"people.name":"Ana"}'):
        body = {**EVENT, "room": {"sid": "RM_1", "name": "x", "metadata": text}}
        kept = left("room.metadata.people.name", body=body)["room"]["metadata"]
        assert "Ana" not in kept
        assert "Ben" not in kept


def test_of_two_fields_of_one_name_neither_is_left() -> None:
    body = {**EVENT, "room": {"sid": "1", "name": "x", "metadata": '{"c":"Ana","c":"Ben"}'}}
    assert left("room.metadata.c", body=body)["room"]["metadata"] == '{"c":"[redacted]"}'


@pytest.mark.parametrize("text", ['{"c":"Ana"}', '{"c":["Ana"]}', '{"c":{"d":"Ana"}}'])
def test_all_below_a_field_goes_whatever_it_is(text: str) -> None:
    body = {**EVENT, "room": {"sid": "RM_1", "name": "x", "metadata": text}}
    assert "Ana" not in left("room.metadata.c.*", body=body)["room"]["metadata"]
    assert "Ana" not in left("room.metadata.*", body=body)["room"]["metadata"]


@pytest.mark.parametrize("depth", [100, 300, 500, 900])
def test_metadata_that_is_nested_very_deeply_spoils_nothing(depth: int) -> None:
    for text in ('{"c":' + "[" * depth + '"Ana"' + "]" * depth + "}",
                 '{"c":' * depth + '"Ana"' + "}" * depth):  # fmt: skip
        body = {**EVENT, "room": {"sid": "RM_1", "name": "x", "metadata": text}}
        assert "Ana" not in left("room.metadata.c", body=body)["room"]["metadata"]


def test_what_an_egress_writes_goes_by_its_field() -> None:
    info = {"egress_id": "EG_1", "room_name": "x", "file": {"filename": "ana.mp4", "size": "7"},
            "room_composite": {"layout": "grid"}}  # fmt: skip
    body = {"event": "egress_ended", "id": "EV_1", "egress_info": info}
    kept = left("egress_info.file", body=body)
    assert kept["egress_info"]["file"] == {"filename": "[redacted]", "size": "[redacted]"}
    assert kept["egress_info"]["room_composite"] == {"layout": "grid"}
    assert read_event(kept).room_name == "x"


def test_what_was_taken_is_told() -> None:
    seen = redaction("participant.name", "track.name", "room.metadata.none").event(
        read_event(EVENT).to_json()
    )
    assert seen.paths == ("participant.name",)
    assert seen.taken == ("Ana López",)


def test_an_event_can_be_read_again() -> None:
    body = left("participant.attributes", "participant.metadata", "participant.name",
                "room.metadata", "participant.attributes.sip.*")  # fmt: skip
    assert read_event(body).to_json() == body


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("participants.name", "did you mean 'participant'"),
        ("participant", "no field of 'participant'"),
        ("participant.*", "no field of 'participant'"),
        ("participant.nme", "did you mean 'participant.name'"),
        ("participant.identity", "told apart by it"),
        ("room.name", "told apart by it"),
        ("egress_info.room_name", "told apart by it"),
        ("participant.kind", "no text of anybody's own"),
        ("participant.joined_at", "no text of anybody's own"),
        ("participant.name.first", "has no fields"),
        ("participant.attributes.s*p", "at the end of a name"),
        ("room.metadata..x", "between dots"),
        ("dispatch.agent", "no field of 'dispatch'"),
        ("x" * 200, "begins with one of room, participant"),
    ],
)
def test_a_bad_path_is_one_line_that_names_the_variable(path: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DISPATCHER_REDACT": f"participant.metadata, {path}"})
    assert str(caught.value).startswith("DISPATCHER_REDACT=")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_stand_on_lines_or_between_commas() -> None:
    text = " participant.name,\n\nroom.metadata.customer \n participant.name"
    found = load_settings({"DISPATCHER_REDACT": text}).redaction
    assert [path.text for path in found.paths] == ["participant.name", "room.metadata.customer"]


@pytest.mark.parametrize(
    ("path", "at", "is_read"),
    [
        ("participant.attributes.sip.*", "when.participant.attributes.sip.phoneNumber", True),
        ("participant.attributes.sip.*", "when.participant.attributes", True),
        ("participant.attributes.sip.*", "when.participant.attributes.lang", False),
        ("participant.attributes.sip.*", "when.participants", True),
        ("participant.name", "when.any[0].not.participants.name", True),
        ("participant.name", "unless.participant.metadata", False),
        ("room.metadata.customer", "when.room.metadata.customer.name", True),
        ("room.metadata.customer", "when.room.metadata.lang", False),
        ("room.metadata", "when.room.metadata.lang", True),
        ("room.metadata.any.x", "when.room.metadata.any.x", True),
        ("room.metadata", "schedule", False),
    ],
)
def test_a_condition_that_reads_it_is_known_by_its_place(path: str, at: str, is_read: bool) -> None:
    [parsed] = redaction(path).paths
    assert touches(parsed, at) is is_read


words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**6) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(words, words), values, st.booleans())
def test_no_value_that_is_named_is_left_whatever_stands_around_it(
    attributes: dict[str, str], around: object, ascii_only: bool
) -> None:
    secret = "s3cr3t-é-value"
    metadata = json.dumps({"a": around, "c": {"x": [secret], "y": around}}, ensure_ascii=ascii_only)
    body = {
        "event": "participant_joined",
        "room": {"sid": "RM_1", "name": "r", "metadata": metadata},
        "participant": {
            "sid": "P", "identity": "i", "name": secret, "metadata": secret,
            "attributes": {**attributes, "sip.x": secret},
        },
    }  # fmt: skip
    kept = left("participant.name", "participant.metadata", "participant.attributes.sip.*",
                "room.metadata.c.*", body=body)  # fmt: skip
    assert secret not in json.dumps(kept, ensure_ascii=False)
    assert "s3cr3t" not in json.dumps(kept)
    assert json.loads(kept["room"]["metadata"])["a"] == around


@pytest.mark.parametrize("value", ["Ana O'Hara,\nMadrid", 'A\\n "a"', "ana"])
@pytest.mark.parametrize(
    "dispatch",
    [
        {"agent": "{{ participant.attributes['sip.h'] }}\t"},
        {"agent": "a", "deployment": "{{ participant.attributes['sip.h'] }}\t"},
        {"agent": "a", "metadata": "{{ tables.t[participant.attributes['sip.h'] | upper] }}"},
    ],
)
def test_what_a_template_made_of_it_is_in_no_words(value: str, dispatch: dict[str, str]) -> None:
    rule = {"id": "r", "on": "participant_joined", "dispatch": dispatch}
    rules = ruleset(json.dumps({"version": 1, "tables": {"t": {"x": "y"}}, "rules": [rule]}))
    event = read_event(
        {
            "event": "participant_joined", "id": "E", "createdAt": "1770000001",
            "room": {"sid": "RM_1", "name": "r"},
            "participant": {"sid": "PA_1", "identity": "x", "attributes": {"sip.h": value}},
        }
    )  # fmt: skip
    session, event = observe(Session("RM_1"), event)
    decisions = decide(rules, event, session)
    assert [d.outcome for d in decisions] == ["error"]
    [seen] = redaction("participant.attributes.sip.*").decisions(event.to_json(), decisions)
    assert seen.detail == REDACTED
