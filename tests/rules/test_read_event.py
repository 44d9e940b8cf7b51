"""Events as LiveKit sends them, and as people write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.event import read_event

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sid", "attributes", "permission", "kind", "metadata", "name"]), inner
        )
    ),
    max_leaves=6,
)


def test_camel_case_and_64_bit_integers_are_read():
    body = {
        "event": "room_started",
        "createdAt": "12",
        "room": {"sid": "R", "creationTime": "7", "emptyTimeout": 3},
    }
    event = read_event(body, project="key")
    assert (event.at, event.room["creation_time"], event.room["empty_timeout"]) == (12.0, 7, 3)


@pytest.mark.parametrize("field", ["name", "sid", "metadata"])
def test_names_of_digits_stay_text(field):
    event = read_event({"event": "room_started", "room": {field: "12345"}}, project="key")
    assert event.room[field] == "12345"


def test_an_egress_of_a_room_named_by_digits():
    body = {"event": "egress_started", "egressInfo": {"roomName": "12345", "startedAt": "99"}}
    event = read_event(body, project="key")
    assert (event.room_name, event.egress_info["started_at"]) == ("12345", 99)


def test_what_protobuf_leaves_out_is_filled_in():
    egress = read_event({"event": "egress_started", "egressInfo": {}}, project="key").egress_info
    assert (egress["status"], egress["ended_at"]) == ("EGRESS_STARTING", 0)


def test_secrets_go_no_further():
    body = {
        "event": "ingress_started",
        "room": {"turnPassword": "s3cret"},
        "ingressInfo": {"streamKey": "s3cret", "name": "cam"},
    }
    assert "s3cret" not in json.dumps(read_event(body, project="key").to_json())


def test_attributes_keep_their_names_and_values():
    attributes = {"sip.callID": "1234", "camelCase": "07"}
    body = {"event": "participant_joined", "participant": {"attributes": attributes}}
    assert read_event(body, project="key").participant["attributes"] == attributes


def test_null_is_as_good_as_left_out():
    body = {"event": "participant_joined", "participant": {"kind": None, "attributes": None}}
    participant = read_event(body, project="key").participant
    assert (participant["kind"], participant["attributes"]) == ("STANDARD", {})


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"attributes": {"vip": True}}, "must be an object of strings"),
        ({"attributes": "x"}, "must be an object of strings"),
        ({"permission": "x"}, "must be an object"),
        ("x", "must be an object"),
        ({"kind": ["AGENT"]}, "'kind' of 'participant' must be text"),
        ({"sid": {}}, "'sid' of 'participant' must be text"),
    ],
)
def test_what_is_no_participant_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        read_event({"event": "participant_joined", "participant": part}, project="key")


def test_a_constant_without_a_name_is_its_number():
    body = {"event": "participant_joined", "participant": {"kind": 9, "identity": 7}}
    participant = read_event(body, project="key").participant
    assert (participant["kind"], participant["identity"]) == ("9", "7")


@given(
    body=st.dictionaries(
        st.sampled_from(["event", "id", "createdAt", "room", "participant", "track"]), trees
    )
)
def test_anything_else_is_an_event_or_a_value_error(body):
    try:
        event = read_event(body, project="key")
    except ValueError:
        return
    assert read_event(event.to_json()) == event


def test_what_no_json_can_say_is_absent():
    body = json.loads(
        '{"event": "participant_joined", "room": {"name": "a", "emptyTimeout": NaN},'
        ' "participant": {"identity": "b", "attributes": {"c": NaN, "d": "e"}}}'
    )
    event = read_event(body)
    assert event.room["empty_timeout"] == 0
    assert event.participant["attributes"] == {"d": "e"}
    json.dumps(event.to_json(), allow_nan=False)
