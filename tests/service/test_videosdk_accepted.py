"""What VideoSDK has signed is stored once, as the event that workers read back."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rules.event import read_event
from service.web import create_app
from tests.service import signed
from tests.service.videosdk import PINNED, URL, came, headers
from workers import keys
from workers.entries import split_entry
from workers.settings import load_settings


@pytest.fixture
def settings(environ):
    return load_settings({**environ, **PINNED})


@pytest.fixture
def post(settings):
    client = create_app(settings).test_client()
    return lambda body, given=None: client.post(URL, data=body, headers=given or headers(body))


def stored(redis, settings, room="support-1"):
    inbox = keys.INBOX + keys.room_key(settings.videosdk.id, room)
    return [split_entry(entry) for entry in redis.lrange(inbox, 0, -1)]


def test_an_accepted_event_is_in_redis_when_the_answer_comes(post, redis, settings):
    answer = post(came())
    assert (answer.status_code, answer.json) == (200, {"status": "accepted"})
    [entry] = stored(redis, settings)
    event = read_event(json.loads(entry.body))
    assert (event.id, event.name, event.source) == (entry.id, "participant_joined", "videosdk")
    assert (event.room_name, event.room_sid, event.project) == ("support-1", "s-1", "vkey")
    assert (event.participant["identity"], event.participant["name"]) == ("p-ana", "Ana")
    assert event.at == pytest.approx(time.time(), abs=30)


def test_a_session_that_ends_is_stored_with_its_time(post, redis, settings):
    times = {"start": "2022-07-05T15:55:35Z", "end": "2022-07-05T16:55:35.5Z"}
    assert post(came(kind="session-ended", **times)).json == {"status": "accepted"}
    [entry] = stored(redis, settings)
    event = read_event(json.loads(entry.body))
    assert (event.name, event.at, event.participant) == ("room_finished", 1657040135.5, None)


def test_with_a_token_of_ones_own_the_project_is_not_known(environ, redis):
    given = {"VIDEOSDK_TOKEN": "a.b.c", "VIDEOSDK_WEBHOOK_PUBLIC_KEY": PINNED[
        "VIDEOSDK_WEBHOOK_PUBLIC_KEY"
    ]}  # fmt: skip
    settings = load_settings({**environ, **given})
    create_app(settings).test_client().post(URL, data=came(), headers=headers(came()))
    [entry] = stored(redis, settings)
    assert read_event(json.loads(entry.body)).project == ""


def test_what_is_sent_again_is_a_duplicate(post, redis, settings):
    assert post(came()).json == {"status": "accepted"}
    assert post(came()).json == {"status": "duplicate"}
    assert post(came("p-ben")).json == {"status": "accepted"}
    assert post(came(kind="participant-left")).json == {"status": "accepted"}
    assert post(came(participantName="Anna")).json == {"status": "accepted"}
    assert len(stored(redis, settings)) == 4


def test_of_deliveries_at_once_one_is_accepted(post):
    with ThreadPoolExecutor(8) as pool:
        said = [a.json["status"] for a in pool.map(lambda _: post(came()), range(8))]
    assert sorted(said) == ["accepted"] + ["duplicate"] * 7


@pytest.mark.parametrize("kind", ["recording-started", "hls-stopped", "something-new"])
def test_a_type_no_rule_can_use_is_ignored_and_not_stored(post, redis, kind):
    assert post(came(kind=kind)).json == {"status": "ignored"}
    assert redis.keys() == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"]
)
def test_json_content_types_are_taken(post, content_type):
    given = headers(came()) | {"Content-Type": content_type}
    assert post(came(), given).json == {"status": "accepted"}


def test_livekits_webhooks_are_taken_beside_it(settings, redis):
    client = create_app(settings).test_client()
    raw = signed.written(signed.joined())
    assert client.post(signed.URL, data=raw, headers=signed.headers(raw)).json == {
        "status": "accepted"
    }
    assert client.post(URL, data=came(), headers=headers(came())).json == {"status": "accepted"}
    assert len(redis.keys(keys.INBOX + "*")) == 2
