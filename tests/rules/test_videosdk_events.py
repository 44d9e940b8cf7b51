"""VideoSDK's webhooks become events of the one model that rules know."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.videosdk_events import read_videosdk_event

RECEIVED = 1_800_000_000.5
MEETING = {"meetingId": "jvsg-8rjn-j304", "sessionId": "613731342f27f56e4fc4b6d0"}
ANA = {"participantId": "fkd74h", "participantName": "Ana"}


def read(kind, body_hash="h", **data):
    body = {"webhookType": kind, "data": {**MEETING, **data}}
    return read_videosdk_event(body, project="key", body_hash=body_hash, received_at=RECEIVED)


@pytest.mark.parametrize(
    ("kind", "name", "state"),
    [
        ("participant-joined", "participant_joined", "ACTIVE"),
        ("participant-left", "participant_left", "DISCONNECTED"),
    ],
)
def test_people_who_come_and_go(kind, name, state):
    event = read(kind, **ANA)
    assert (event.name, event.source, event.project) == (name, "videosdk", "key")
    assert (event.room_name, event.room_sid) == ("jvsg-8rjn-j304", "613731342f27f56e4fc4b6d0")
    found = {key: event.participant[key] for key in ("sid", "identity", "name", "kind", "state")}
    assert found == {
        "sid": "fkd74h", "identity": "fkd74h", "name": "Ana", "kind": "STANDARD", "state": state
    }  # fmt: skip
    assert event.at == RECEIVED


@pytest.mark.parametrize(
    ("kind", "name", "time"),
    [("session-started", "room_started", "start"), ("session-ended", "room_finished", "end")],
)
def test_sessions_that_start_and_end_carry_their_time(kind, name, time):
    event = read(kind, **{"start": "x", "end": "x", time: "2022-07-05T15:55:35.047+00:00"})
    assert (event.name, event.at) == (name, 1657036535.047)
    assert event.participant is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2022-07-05T15:55:35Z", 1657036535.0),
        ("2022-07-05T17:55:35+02:00", 1657036535.0),
        ("2022-07-05T15:55:35", 1657036535.0),
        ("2022-07-05T15:60:35.047+00:00", RECEIVED),
        ("0001-01-01T00:00:00+23:59", RECEIVED),
        ("9999-12-31T23:59:59-23:59", RECEIVED),
        ("2027-07-05T15:55:35Z", RECEIVED),
        ("yesterday", RECEIVED),
        (1657036535, RECEIVED),
        (None, RECEIVED),
    ],
)
def test_a_time_that_cannot_be_is_that_of_receipt(text, at):
    assert read("session-started", start=text).at == at


@pytest.mark.parametrize("kind", ["recording-started", "hls-stopped", "call-started", "x"])
def test_other_types_are_no_events(kind):
    assert read(kind) is None


def test_what_is_sent_again_has_the_same_id():
    assert read("participant-joined", **ANA).id == read("participant-joined", **ANA).id


def test_what_differs_has_another_id():
    ids = [
        read("participant-joined", **ANA).id,
        read("participant-left", **ANA).id,
        read("participant-joined", **ANA, sessionId="other").id,
        read("participant-joined", **{**ANA, "participantId": "other"}).id,
        read("participant-joined", body_hash="other", **ANA).id,
        read("session-started").id,
    ]
    assert len(set(ids)) == len(ids)


def test_a_name_may_be_missing():
    assert read("participant-joined", participantId="fkd74h").participant["name"] == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "needs a name in 'webhookType'"),
        ({"webhookType": 7}, "needs a name in 'webhookType'"),
        ({"webhookType": ""}, "needs a name in 'webhookType'"),
        ({"webhookType": "session-started"}, "'data' of a VideoSDK webhook must be an object"),
        ({"webhookType": "session-started", "data": []}, "'data' of a VideoSDK webhook"),
        ({"webhookType": "session-started", "data": {"meetingId": "a"}}, "'data.sessionId'"),
        ({"webhookType": "session-started", "data": {**MEETING, "meetingId": 7}}, "meetingId"),
        ({"webhookType": "participant-left", "data": MEETING}, "'data.participantId'"),
        ({"webhookType": "participant-left", "data": {**MEETING, "participantId": ""}},
         "'data.participantId'"),
        ({"webhookType": "participant-left", "data": {**MEETING, **ANA, "participantName": [1]}},
         "'name' of 'participant' must be text"),
    ],
)  # fmt: skip
def test_what_is_no_event_says_why(body, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        read_videosdk_event(body, project="", body_hash="h", received_at=RECEIVED)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["meetingId", "sessionId", "participantId", "participantName", "start"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text(), max_size=2),
    )
)
def test_any_data_is_an_event_that_can_be_stored_or_a_value_error(data):
    for kind in ("session-started", "participant-joined"):
        body = {"webhookType": kind, "data": data}
        try:
            event = read_videosdk_event(body, project="", body_hash="h", received_at=RECEIVED)
        except ValueError:
            continue
        assert event.room_name
        json.dumps(event.to_json(), allow_nan=False).encode()
