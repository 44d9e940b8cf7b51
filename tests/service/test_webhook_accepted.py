from __future__ import annotations

import json
import time

import pytest

from service.web import create_app
from tests.service.signed import headers, joined, token, written
from workers import keys
from workers.entries import split_entry
from workers.settings import load_settings


def test_an_accepted_event_is_in_redis_when_the_answer_comes(post, redis, settings):
    answer = post(joined())
    assert (answer.status_code, answer.json) == (200, {"status": "accepted"})
    room = keys.room_key(settings.servers[0].id, "support-1")
    [entry] = redis.lrange(keys.INBOX + room, 0, -1)
    stored = split_entry(entry)
    assert stored.id == "EV_1"
    assert json.loads(stored.body)["participant"]["identity"] == "ana"
    assert stored.received_at == pytest.approx(time.time(), abs=30)


def test_the_signature_holds_for_bytes_no_serialiser_would_write_again(post):
    assert post(written(joined())).json == {"status": "accepted"}


def test_the_turn_password_of_a_room_is_not_stored(post, redis):
    post(joined())
    inboxes = redis.keys(keys.INBOX + "*")
    jobs = redis.keys("rq:job:*")
    stored = b"".join(e for key in inboxes for e in redis.lrange(key, 0, -1))
    stored += b"".join(v for key in jobs for v in redis.hvals(key))
    assert b"RM_1" in stored
    assert b"hush-hush-hush" not in stored


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER  "])
def test_the_token_may_come_raw_or_after_bearer(post, scheme):
    raw = written(joined())
    given = headers(raw) | {"Authorization": scheme + token(raw)}
    assert post(raw, given).json == {"status": "accepted"}


@pytest.mark.parametrize(
    "content_type",
    ["application/webhook+json", "application/json", "application/json; charset=utf-8"],
)
def test_json_content_types_are_taken(post, content_type):
    raw = written(joined())
    assert post(raw, headers(raw) | {"Content-Type": content_type}).status_code == 200


def test_a_token_a_minute_old_by_our_clock_is_taken(post):
    raw = written(joined())
    assert post(raw, headers(raw, valid=-30)).status_code == 200


def test_a_second_key_of_the_server_is_accepted_for_the_same_room(environ, redis):
    settings = load_settings({**environ, "LIVEKIT_KEYS": f"newkey: {'n' * 40}"})
    client = create_app(settings).test_client()
    for event_id, signed in (("EV_1", {}), ("EV_2", {"key": "newkey", "secret": "n" * 40})):
        raw = written(joined(event_id))
        assert client.post("/webhooks/livekit", data=raw, headers=headers(raw, **signed)).json == {
            "status": "accepted"
        }
    [server] = settings.servers
    assert redis.llen(keys.INBOX + keys.room_key(server.id, "support-1")) == 2
