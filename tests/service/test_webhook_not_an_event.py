from __future__ import annotations

import json

import pytest

from tests.service.signed import joined, written

GOOD = written(joined())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"event": null}',
        b'{"event": 7}',
        b'{"event": ""}',
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b"ana", b"\xff\xfe"),
        GOOD.replace(b'"ana"', b'"\\ud800"'),
        GOOD.replace(b'"ana"', b"NaN"),
        GOOD.replace(b'"ana"', b"[" * 100_000),
        GOOD.replace(b'"ana"', b'"ana", "unknown": NaN'),
        GOOD.replace(b'"ana"', b'"ana", "unknown": ' + b"9" * 5000),
        json.dumps(joined() | {"room": "support-1"}).encode(),
        json.dumps(joined() | {"participant": []}).encode(),
        json.dumps(joined() | {"createdAt": "yesterday"}).encode(),
        json.dumps(joined() | {"createdAt": 1e400}).encode(),
    ],
    ids=range(20),
)
def test_a_signed_body_that_is_no_event_is_400_and_not_stored(post, redis, raw):
    answer = post(raw)
    assert answer.status_code == 400
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:not-an-event"
    assert redis.keys() == []


@pytest.mark.parametrize("part", ["room", "participant"])
def test_nulls_are_read_as_absent(post, part):
    body = joined()
    body[part] |= {"metadata": None, "attributes": None, "permission": None}
    if part == "room":
        del body[part]["attributes"], body[part]["permission"]
    assert post(body).json == {"status": "accepted"}


def test_a_room_name_of_any_text_is_accepted(post):
    for number, name in enumerate(
        ["a/b c", "\x00", "émoji 🦜", "x" * 10_000, "'; --", "{{ 7*7 }}"]
    ):
        assert post(joined(f"EV_{number}", room=name)).json == {"status": "accepted"}


def test_unknown_fields_nested_deeply_do_not_break_the_service(post):
    deep: object = 1
    for _ in range(300):
        deep = {"a": [deep]}
    body = joined()
    body["room"]["unknown"] = deep
    assert post(body).status_code in (200, 400)
