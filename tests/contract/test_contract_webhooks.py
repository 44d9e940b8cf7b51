"""Webhooks: what they say, how they are signed, and what becomes of one that fails."""

from __future__ import annotations

import base64
import hashlib
import time

import jwt
import pytest
from livekit import api

from rules.event import whole_participant
from tests.recorded import recorded
from tests.waiting import eventually
from workers.join_token import permission_of

COUNTS = {"numParticipants", "numPublishers"}
"""Absent or wrong in most events, and of no worth in any."""


def shape(value):
    """What a JSON value is made of: its keys, and the kinds of its values."""
    match value:
        case dict():
            kinds = {key: shape(value[key]) for key in value if key not in COUNTS}
            return {**kinds, "attributes": "any"} if "attributes" in kinds else kinds
        case list():
            return [shape(item) for item in value[:1]]
        case str() if value.isdigit():
            return "int64"
        case _:
            return type(value).__name__


def recorded_shape(step, name, identity=""):
    for one in recorded(step):
        event = one.event
        if event["event"] == name and identity in event.get("participant", {}).get("identity", ""):
            return shape(event)
    raise AssertionError(f"nothing recorded of {name} in {step}")


def create(livekit, room, **fields):
    asked = api.CreateRoomRequest(name=room, **fields)
    return livekit.ask(lambda client: client.room.create_room(asked))


def test_events_have_the_recorded_shapes(livekit, room):
    create(livekit, room, metadata="m", departure_timeout=3, empty_timeout=20)
    livekit.join(room, "cust-1", name="cust-1", metadata="m", attributes={"sip.x": "y"})
    livekit.dispatch(room)
    eventually(lambda: len(livekit.webhooks.of(room, "participant_joined")) == 2)
    track = livekit.publish(room, "cust-1")
    eventually(lambda: livekit.webhooks.of(room, "track_published"))
    livekit.unpublish(room, "cust-1", track)
    eventually(lambda: livekit.webhooks.of(room, "track_unpublished"))
    livekit.leave(room, "cust-1")
    eventually(lambda: livekit.webhooks.of(room, "room_finished"))
    seen = [(one.name, one.identity[:5], shape(one.event)) for one in livekit.webhooks.of(room)]
    for name, identity in (
        ("room_started", ""),
        ("participant_joined", "cust-"),
        ("participant_joined", "agent"),
        ("track_published", "cust-"),
        ("track_unpublished", "cust-"),
        ("participant_left", "cust-"),
        ("participant_left", "agent"),
        ("room_finished", ""),
    ):
        of = next(shown for event, who, shown in seen if (event, who) == (name, identity))
        assert of == recorded_shape("support-1", name, identity), (name, identity)
    assert len(seen) == 8


def test_the_body_is_written_in_the_order_and_with_the_spaces_of_go(livekit, room):
    made = create(livekit, room)
    (started,) = eventually(lambda: livekit.webhooks.of(room, "room_started"))
    codecs = ", ".join(f'{{"mime":"{codec.mime}"}}' for codec in made.enabled_codecs)
    assert started.body.decode() == (
        f'{{"event":"room_started", "room":{{"sid":"{made.sid}", "name":"{room}", '
        f'"emptyTimeout":300, "departureTimeout":20, "creationTime":"{made.creation_time}", '
        f'"creationTimeMs":"{made.creation_time_ms}", "turnPassword":"{made.turn_password}", '
        f'"enabledCodecs":[{codecs}]}}, "id":"{started.event["id"]}", '
        f'"createdAt":"{started.event["createdAt"]}"}}'
    )


def test_whoever_leaves_takes_the_tracks_along_first(livekit, room):
    livekit.join(room, "ana")
    livekit.publish(room, "ana")
    eventually(lambda: livekit.webhooks.of(room, "track_published"))
    livekit.leave(room, "ana")
    (left,) = eventually(lambda: livekit.webhooks.of(room, "participant_left"))
    assert livekit.webhooks.told(room)[-2:] == ["track_unpublished ana", "participant_left ana"]
    assert left.event["participant"]["isPublisher"] is True
    assert "tracks" not in left.event["participant"]


def test_odd_names_come_as_they_are(livekit, room):
    name, identity, metadata = f"{room}/with slash & émoji 🦜", "ñ 🦜", '{{7*7}} <b> "q" \\ \n'
    livekit.join(name, identity, metadata=metadata, name='"quoted" <b>')
    (joined,) = eventually(lambda: livekit.webhooks.of(name, "participant_joined"))
    assert joined.event["participant"]["identity"] == identity
    assert joined.event["participant"]["metadata"] == metadata
    assert identity.encode() in joined.body
    assert b"<b>" in joined.body


def test_kind_and_attributes_of_a_caller_come_along(livekit, room):
    attributes = {"sip.phoneNumber": "+15105550123", "sip.callID": "SCL_x"}
    livekit.join(room, "sip_+15105550123", kind="sip", attributes=attributes)
    (joined,) = eventually(lambda: livekit.webhooks.of(room, "participant_joined"))
    assert joined.event["participant"]["kind"] == "SIP"
    assert joined.event["participant"]["attributes"] == attributes


@pytest.mark.parametrize(
    "grants",
    [
        {},
        {"can_publish": False},
        {"can_publish_sources": []},
        {"can_publish_sources": ["microphone", "screen_share_audio"], "can_publish_data": False},
        {"can_subscribe": False, "can_subscribe_metrics": True},
        {"can_update_own_metadata": True, "hidden": True},
    ],
)
def test_what_a_token_grants_comes_along_as_permission(livekit, room, grants):
    livekit.join(room, "cust-1", grants=grants)
    told = eventually(lambda: livekit.webhooks.of(room, "participant_joined"))[0].event
    assert whole_participant(told["participant"])["permission"] == permission_of(grants)


def test_a_second_connection_of_an_identity_throws_the_first_out(livekit, room):
    first = livekit.join(room, "ana")
    eventually(lambda: livekit.webhooks.of(room, "participant_joined"))
    second = livekit.join(room, "ana")
    eventually(lambda: len(livekit.webhooks.of(room, "participant_joined")) == 2)
    assert livekit.webhooks.told(room)[1:] == [
        "participant_joined ana",
        "participant_left ana",
        "participant_joined ana",
    ]
    left = livekit.webhooks.of(room, "participant_left")[0].event["participant"]
    assert (left["sid"], left["disconnectReason"]) == (first, "DUPLICATE_IDENTITY")
    assert livekit.participants(room)["ana"].sid == second


def test_the_token_signs_the_bytes_for_five_minutes(livekit, room):
    create(livekit, room)
    (started,) = eventually(lambda: livekit.webhooks.of(room, "room_started"))
    assert started.headers["content-type"] == "application/webhook+json"
    token = started.headers["authorization"]
    claims = jwt.decode(token, livekit.secret, algorithms=["HS256"])
    digest = base64.b64encode(hashlib.sha256(started.body).digest()).decode()
    assert claims["sha256"] == digest
    assert claims["iss"] == livekit.key
    assert claims["exp"] - claims["nbf"] == 300
    assert set(claims) == {"iss", "exp", "nbf", "iat", "sha256"}
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_the_sdk_accepts_it(livekit, room):
    create(livekit, room)
    (started,) = eventually(lambda: livekit.webhooks.of(room, "room_started"))
    receiver = api.WebhookReceiver(api.TokenVerifier(livekit.key, livekit.secret))
    event = receiver.receive(started.body.decode(), started.headers["authorization"])
    assert event.room.name == room


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_is_retried_with_the_same_token_after_1_and_3_seconds(livekit, room, status):
    with livekit.webhooks.failing(room, status, status) as attempts:
        create(livekit, room)
        first, second, third = eventually(lambda: len(attempts) == 3 and attempts)
    assert 0.9 < second.at - first.at < 1.5
    assert 1.9 < third.at - second.at < 2.5
    assert len({one.headers["authorization"] for one in attempts}) == 1
    assert len({one.body for one in attempts}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 501])
def test_a_final_answer_loses_the_event_and_not_the_next(livekit, room, status):
    with livekit.webhooks.failing(room, status) as attempts:
        create(livekit, room)
        livekit.join(room, "ana")
        eventually(lambda: len(attempts) == 2)
    assert [one.name for one in attempts] == ["room_started", "participant_joined"]


def test_the_events_of_a_room_wait_for_one_that_fails(livekit, room):
    with livekit.webhooks.failing(room, 503) as attempts:
        create(livekit, room)
        livekit.join(room, "ana")
        eventually(lambda: len(attempts) == 3)
    assert [one.name for one in attempts] == ["room_started", "room_started", "participant_joined"]


def test_another_room_does_not_wait(livekit, room):
    with livekit.webhooks.failing(room, 503, 503):
        create(livekit, room)
        began = time.monotonic()
        create(livekit, f"{room}-2")
        eventually(lambda: livekit.webhooks.of(f"{room}-2", "room_started"))
        assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(("status", "wait"), [(503, 2), (429, 2), (500, 1)])
def test_retry_after_is_obeyed_on_429_and_503_alone(livekit, room, status, wait):
    """Whoever answers `Retry-After: 1` gets five attempts within four seconds and no more."""
    with livekit.webhooks.failing(room, status, Retry_After="2") as attempts:
        create(livekit, room)
        first, second = eventually(lambda: len(attempts) == 2 and attempts)
    assert wait - 0.1 < second.at - first.at < wait + 0.5


def test_five_attempts_are_all_there_are(livekit, room):
    with livekit.webhooks.failing(room, *[503] * 9, Retry_After="0") as attempts:
        create(livekit, room)
        livekit.join(room, "ana")
        eventually(lambda: any(one.name == "participant_joined" for one in attempts))
    assert [one.name for one in attempts[:6]] == ["room_started"] * 5 + ["participant_joined"]
