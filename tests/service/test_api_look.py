from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from service.api import PREFIX
from service.web import create_app
from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import ADMIN_TOKEN
from workers import keys
from workers.connection import connect
from workers.entries import split_entry
from workers.settings import load_settings

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
SECOND = {
    "LIVEKIT_KEYS": f"rotated: {'r' * 40}\nother: {'o' * 40}",
    "LIVEKIT_URLS": "other: ws://127.0.0.2:7880",
}
NAMES = [
    "support-1", "a/b", "/a", "a/", "a//b", "//", "a/look", "look", "..", "../x", "a%2Fb", "a b+c",
    "é\u2028日本", "?x=1#y", "a;b:c,d", "line\nbreak", "\x00", "*",
]  # fmt: skip


def path(room):
    return f"{PREFIX}/rooms/{quote(room, safe='')}/look"


def entries(redis, server, room):
    """What is in a room's inbox: pairs of an id and what it belongs to."""
    key = keys.room_key(server.id, room)
    found = map(split_entry, redis.lrange(keys.INBOX + key, 0, -1))
    return [(each.id, json.loads(each.body)) for each in found]


@pytest.fixture
def look(client):
    return lambda room, query="": client.post(path(room) + query, headers=BEARER)


@pytest.mark.parametrize("room", NAMES)
def test_it_is_in_the_rooms_inbox_and_the_room_is_due(look, redis, settings, room):
    answer = look(room)
    assert (answer.status_code, answer.json) == (202, {"status": "accepted"})
    [server] = settings.servers
    [(entry_id, body)] = entries(redis, server, room)
    assert re.fullmatch(r"lkd\.look\.[0-9a-f]{32}", entry_id)
    assert body == {"event": "look", "id": entry_id, "room": {"name": room}}
    assert redis.zrange(keys.DUE, 0, -1) == [keys.room_key(server.id, room).encode()]


def test_it_wakes_somebody_as_an_event_does(look, redis):
    look("support-1")
    assert redis.llen(f"rq:queue:{keys.QUEUE}") == 1


def test_each_is_another(look, redis, settings):
    look("support-1")
    look("support-1")
    ids = [entry_id for entry_id, _ in entries(redis, settings.servers[0], "support-1")]
    assert len(set(ids)) == 2


@pytest.fixture
def two(environ):
    return load_settings(environ | SECOND)


@pytest.mark.parametrize(
    ("query", "looked"),
    [
        ("", [1, 1]),
        ("?project=devkey", [1, 0]),
        ("?project=rotated", [1, 0]),
        ("?project=other", [0, 1]),
    ],
)
def test_with_several_servers_it_is_on_all_or_on_that_of_a_key(two, redis, query, looked):
    client = create_app(two).test_client()
    assert client.post(path("a") + query, headers=BEARER).status_code == 202
    assert [len(entries(redis, server, "a")) for server in two.servers] == looked


@pytest.mark.parametrize("project", ["nobody", "", "%0A"])
def test_a_key_that_is_not_configured_is_400(look, redis, project):
    answer = look("a", f"?project={project}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:bad-query"
    assert "is not an API key that is configured here" in answer.json["detail"]
    assert redis.dbsize() == 0


def test_a_room_has_a_name(client, redis):
    for rest in ("rooms//look", "rooms/look"):  # which would be the page of a room `look`
        answer = client.post(f"{PREFIX}/{rest}", headers=BEARER)
        assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)
    assert redis.dbsize() == 0


def test_it_is_ordered_by_post(client, redis):
    answer = client.get(path("a"), headers=BEARER)
    assert answer.status_code == 404
    assert "'a/look'" in answer.json["detail"], "it is the page of a room of that name"
    assert redis.dbsize() == 0


def test_without_redis_it_is_503_and_says_when_to_come_again(environ):
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://:hush@127.0.0.1:1"}))
    answer = app.test_client().post(path("a"), headers=BEARER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:store-unreachable"
    assert "hush" not in answer.text


def test_names_arrive_over_the_wire_as_they_are(tmp_path):
    house = Served(tmp_path, RULES)
    try:
        house.start_valkey()
        house.start()
        for room in NAMES:
            assert house.ask("POST", path(room), b"", BEARER)[::2] == (202, {"status": "accepted"})
        assert house.ask("POST", path("a"))[0] == 401
        settings = load_settings(house.environ)
        with connect(settings) as redis:
            due = {key.decode() for key in redis.zrange(keys.DUE, 0, -1)}
        assert due == {keys.room_key(settings.servers[0].id, room) for room in NAMES}
        assert ADMIN_TOKEN not in house.log
    finally:
        house.stop()
