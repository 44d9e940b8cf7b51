"""Who may call, and how a refusal looks."""

from __future__ import annotations

import time

import jwt
import pytest
from livekit import api

LIST = "RoomService/ListRooms"


def test_without_a_token_nothing_is_permitted(livekit):
    answer = livekit.call(LIST, {}, None)
    assert answer.status == 401
    assert answer.json == {"code": "unauthenticated", "msg": "permissions denied"}


def test_a_token_for_something_else_is_not_enough(livekit, room):
    answer = livekit.call(LIST, {}, livekit.token(room_admin=True, room=room))
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")


def test_a_token_for_another_room_is_not_enough(livekit, room):
    token = livekit.token(room_admin=True, room="another")
    answer = livekit.call("AgentDispatchService/CreateDispatch", {"room": room}, token)
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert livekit.rooms(room) == {}


@pytest.mark.parametrize(
    ("claims", "secret"),
    [
        ({"iss": "another-key"}, None),
        ({}, "another-secret-another-secret-another"),
        ({"exp": -100}, None),
    ],
    ids=["unknown key", "wrong secret", "expired"],
)
def test_a_token_that_does_not_verify_is_answered_in_plain_text(livekit, claims, secret):
    expiry = int(time.time()) + claims.get("exp", 300)
    whole = {"iss": livekit.key, "video": {"roomList": True}, **claims, "exp": expiry}
    answer = livekit.call(LIST, {}, jwt.encode(whole, secret or livekit.secret))
    assert answer.status == 401
    assert answer.content_type.startswith("text/plain")


def test_the_refusal_of_a_token_repeats_the_token(livekit):
    """Whoever logs what LiveKit answers logs credentials."""
    token = jwt.encode({"iss": livekit.key, "exp": 1}, livekit.secret)
    assert token in livekit.call(LIST, {}, token).text


def test_the_sdk_sees_an_empty_message_and_no_code(livekit, room):
    async def ask() -> None:
        async with api.LiveKitAPI(livekit.url, livekit.key, "x" * 32) as client:
            await client.room.list_rooms(api.ListRoomsRequest())

    with pytest.raises(api.TwirpError) as refused:
        livekit.ask(lambda _client: ask())
    assert (refused.value.status, refused.value.code, refused.value.message) == (401, "unknown", "")


@pytest.mark.parametrize("early", [-50, 50])
def test_a_minute_of_leeway_is_given(livekit, early):
    at = int(time.time())
    claims = {"iss": livekit.key, "video": {"roomList": True}, "nbf": at + early, "exp": at + early}
    if early > 0:
        claims["exp"] += 60
    assert livekit.call(LIST, {"names": ["none"]}, jwt.encode(claims, livekit.secret)).status == 200


def test_a_header_without_bearer_is_refused(livekit):
    answer = livekit.call(LIST, {}, f"Token {livekit.token(room_list=True)}")
    assert (answer.status, answer.content_type[:10]) == (401, "text/plain")


@pytest.mark.parametrize(
    ("method", "kwargs", "status", "code"),
    [
        ("RoomService/NoSuchMethod", {}, 404, "bad_route"),
        (LIST, {"content_type": "text/plain"}, 404, "bad_route"),
        (LIST, {"verb": "GET"}, 404, "bad_route"),
        (LIST, {"body": b"{"}, 400, "malformed"),
        (LIST, {"body": b"[]"}, 400, "malformed"),
        (LIST, {"body": b""}, 400, "malformed"),
        (LIST, {"body": b"\xff\xfe"}, 400, "malformed"),
        (LIST, {"body": b"\xff", "content_type": "application/protobuf"}, 400, "malformed"),
    ],
)
def test_what_is_no_call_gets_a_twirp_error(livekit, method, kwargs, status, code):
    asked = {"body": {}, **kwargs}
    answer = livekit.call(method, token=livekit.token(room_list=True), **asked)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/json"


def test_an_unknown_service_is_a_plain_404(livekit):
    answer = livekit.call("NoSuchService/Do", {}, livekit.token(room_list=True))
    assert (answer.status, answer.text) == (404, "404 page not found\n")
