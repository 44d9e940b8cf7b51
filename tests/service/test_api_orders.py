from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from service.api import PREFIX
from service.web import create_app
from tests.service.cli import keep
from tests.service.signed import ADMIN_TOKEN
from tests.service.test_api_look import SECOND, entries
from tests.service.videosdk import ACCOUNT
from workers import keys
from workers.dispatch import State
from workers.history import dispatch_document
from workers.planned import ordered
from workers.settings import load_settings

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
PROBLEM = "urn:livekit-dispatcher:problem:"
ORDER = {"room": "support-1", "agent": "greeter"}
FIELDS = {
    "id", "provider", "room", "room_sid", "rule", "subject", "agent", "deployment", "metadata",
    "attributes", "restart_policy", "state", "reason", "dispatch_id", "agent_identity", "attempt",
    "event_id", "rules_hash", "created_at", "accepted_at", "joined_at", "ended_at",
}  # fmt: skip


@pytest.fixture
def order(client):
    def order(body, key=None, client=client):
        more = {} if key is None else {"Idempotency-Key": key}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(
            f"{PREFIX}/dispatches",
            data=raw,
            headers={**BEARER, "Content-Type": "application/json", **more},
        )

    return order


@pytest.fixture
def delete(client):
    return lambda path: client.delete(PREFIX + path, headers=BEARER)


@pytest.fixture
def kept(redis):
    """A dispatch in history, in a state."""

    def kept(state):
        asked = {
            "id": "Dkept", "agent": "greeter", "deployment": "", "metadata": "", "attributes": {},
            "restart_policy": "never",
        }  # fmt: skip
        made = ordered(
            asked, "lkd.order.Dkept", room="a", room_sid="RM_1", event_at=0.0, now=9.0,
            received_at=9.0,
        )  # fmt: skip
        if state is State.FAILED:
            made = made.ended(state, "no_room", 9.0)
        keep(redis, dispatch_document(None, made))

    return kept


def refused(answer, status, slug):
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["type"] == PROBLEM + slug
    return answer.json["detail"]


def test_it_is_in_the_rooms_inbox_and_told_as_it_is_known(order, redis, settings):
    answer = order(
        {
            **ORDER,
            "deployment": "staging",
            "metadata": {"customer": "añá", "n": [1, 2.5, None]},
            "attributes": {"source": "hand"},
            "restart_policy": "never",
        }
    )
    assert answer.status_code == 202
    told = answer.json
    assert set(told) == FIELDS
    assert answer.headers["Location"] == f"{PREFIX}/dispatches/{told['id']}"
    assert (told["state"], told["rule"], told["room_sid"]) == ("requested", None, None)
    [(order_id, body)] = entries(redis, settings.servers[0], "support-1")
    assert order_id == body["id"] == told["event_id"]
    assert body["event"] == "order"
    assert body["dispatch"] == {
        "id": told["id"],
        "agent": "greeter",
        "deployment": "staging",
        "metadata": '{"customer":"añá","n":[1,2.5,null]}',
        "attributes": {"source": "hand"},
        "restart_policy": "never",
    }
    assert redis.llen(f"rq:queue:{keys.QUEUE}") == 1


def test_text_is_sent_as_it_is(order):
    assert order({**ORDER, "metadata": " {} "}).json["metadata"] == " {} "


def test_without_a_key_each_is_another(order, redis, settings):
    assert order(ORDER).json["id"] != order(ORDER).json["id"]
    assert len(entries(redis, settings.servers[0], "support-1")) == 2


def test_with_the_same_key_it_is_one_dispatch_and_one_answer(order, redis, settings):
    first, again = order(ORDER, "k"), order({**ORDER, "metadata": ""}, "k")
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Location"] == first.headers["Location"]
    assert len(entries(redis, settings.servers[0], "support-1")) == 1
    assert 86_000 < redis.ttl(keys.ORDER + first.json["id"]) <= 86_400


def test_with_the_same_key_another_order_is_a_conflict(order, redis, settings):
    first = order(ORDER, "k")
    detail = refused(order({**ORDER, "agent": "other"}, "k"), 409, "key-used")
    assert first.json["id"] in detail
    assert len(entries(redis, settings.servers[0], "support-1")) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_a_key_is_plain_and_short(order, redis, key):
    refused(order(ORDER, key), 400, "bad-header")
    assert redis.dbsize() == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The body cannot be read: Expecting value"),
        (b"[]", "should be an object"),
        (b'{"room": "\\ud800", "agent": "a"}', "Invalid JSON"),
        (b'{"room": "a", "agent": "a", "metadata": {"n": NaN}}', "NaN is not JSON"),
        (
            b'{"room": "a", "agent": "a", "metadata": {"n": [{"m": 1e999}]}}',
            "the number 1e999 is too large",
        ),
        (b'{"room": "a", "agent": "a", "metadata": ' + 9000 * b"[" + b"}", "nested deeper than 64"),
        (
            b'{"room": "a", "agent": "a", "metadata": ' + 64 * b"[" + 64 * b"]" + b"}",
            "deeper than 64",
        ),
        (b'{"room": "a", "agent": "a", "metadata": ' + 21 * b"9" + b"}", "a number of 21 digits"),
        ({"room": "a"}, "'agent': Field required"),
        ({**ORDER, "agnet": "a"}, "'agnet': Extra inputs"),
        ({**ORDER, "room": ""}, "'room'"),
        ({**ORDER, "agent": " "}, "'agent': the agent's name is empty"),
        ({**ORDER, "agent": "a\n"}, "'agent'"),
        ({**ORDER, "deployment": "a_b"}, "which LiveKit refuses"),
        ({**ORDER, "metadata": "x" * 524_289}, "'metadata': the metadata has"),
        ({**ORDER, "metadata": None}, "'metadata'"),
        ({**ORDER, "attributes": {"a": 1}}, "'attributes'"),
        ({**ORDER, "attributes": {"a": "x" * 65_536}}, "'attributes'"),
        ({**ORDER, "restart_policy": "sometimes"}, "'restart_policy'"),
        ({**ORDER, "project": "nobody"}, "is not an API key"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_stored(order, redis, body, told):
    detail = refused(order(body), 400, "bad-body")
    assert told in detail
    assert len(detail) < 300
    assert redis.dbsize() == 0


def test_other_bodies(client, redis):
    path = f"{PREFIX}/dispatches"
    refused(client.post(path, data=b"room=a", headers=BEARER), 415, "not-json")
    raw = b" " * (1024 * 1024 + 1)
    refused(client.post(path, data=raw, headers=BEARER), 413, "too-large")
    assert redis.dbsize() == 0


def test_a_name_that_wants_to_be_code_stays_a_name(order, redis, settings):
    room = "<script>alert(1)</script>\x00\u2028{{ 7*7 }}"
    assert order({**ORDER, "room": room}).json["room"] == room
    assert len(entries(redis, settings.servers[0], room)) == 1


class TestDelete:
    def test_the_order_is_in_the_inbox_of_its_room(self, delete, kept, redis, settings):
        kept(State.REQUESTED)
        answer = delete("/dispatches/Dkept")
        assert (answer.status_code, answer.json["id"]) == (202, "Dkept")
        [(order_id, body)] = entries(redis, settings.servers[0], "a")
        assert body == {
            "event": "order", "id": order_id, "room": {"name": "a"}, "order": "remove",
            "dispatch": "Dkept",
        }  # fmt: skip

    def test_one_that_no_worker_has_taken_up_yet(self, order, delete, redis, settings):
        ours = order(ORDER).json["id"]
        assert delete(f"/dispatches/{ours}").status_code == 202
        asked = [body["order"] for _, body in entries(redis, settings.servers[0], "support-1")]
        assert asked == ["dispatch", "remove"]

    def test_one_that_is_over_is_a_conflict(self, delete, kept, redis, settings):
        kept(State.FAILED)
        assert "failed" in refused(delete("/dispatches/Dkept"), 409, "already-over")
        assert entries(redis, settings.servers[0], "a") == []

    def test_one_that_is_not_there(self, delete, redis):
        refused(delete("/dispatches/Dnone"), 404, "not-found")
        assert redis.dbsize() == 0

    @pytest.mark.parametrize("identity", ["agent-AJ_1", "a%2Fb", "a%20b", "%C3%A9"])
    def test_an_agent_in_a_room(self, delete, redis, settings, identity):
        answer = delete(f"/rooms/a%2Fb/agents/{identity}")
        assert (answer.status_code, answer.json) == (202, {"status": "accepted"})
        [(_, body)] = entries(redis, settings.servers[0], "a/b")
        names = {"agent-AJ_1": "agent-AJ_1", "a%2Fb": "a/b", "a%20b": "a b", "%C3%A9": "é"}
        assert (body["order"], body["identity"]) == ("remove_agent", names[identity])

    @pytest.mark.parametrize(
        "room", ["a/agents/b", "a/agents/agents/", "/agents/", "a//b", "..", "a\nb"]
    )
    def test_an_agent_in_a_room_of_any_name(self, delete, redis, settings, room):
        assert delete(f"/rooms/{quote(room, safe='')}/agents/ag%2F1").status_code == 202
        [(_, body)] = entries(redis, settings.servers[0], room)
        assert (body["order"], body["identity"]) == ("remove_agent", "ag/1")


class TestSeveralServers:
    @pytest.fixture
    def two(self, environ):
        return load_settings(environ | SECOND)

    @pytest.fixture
    def other(self, two):
        return create_app(two).test_client()

    def test_it_must_be_told_which_is_meant(self, order, other, redis):
        assert "several" in refused(order(ORDER, client=other), 400, "bad-body")
        path = f"{PREFIX}/rooms/a/agents/b"
        refused(other.delete(path, headers=BEARER), 400, "bad-query")
        assert redis.dbsize() == 0

    def test_that_of_a_key(self, order, other, two, redis):
        assert order({**ORDER, "project": "other"}, client=other).status_code == 202
        assert len(entries(redis, two.servers[1], "support-1")) == 1
        path = f"{PREFIX}/rooms/a/agents/b?project=other"
        assert other.delete(path, headers=BEARER).status_code == 202
        assert len(entries(redis, two.servers[1], "a")) == 1

    def test_that_on_which_the_room_is_live(self, order, other, two, redis):
        redis.zadd(keys.ROOMS, {keys.room_key(two.servers[1].id, "support-1"): 1})
        assert order(ORDER, client=other).status_code == 202
        assert len(entries(redis, two.servers[1], "support-1")) == 1
        assert entries(redis, two.servers[0], "support-1") == []

    def test_a_dispatch_is_to_go_wherever_it_is(self, order, other, two, redis):
        ours = order({**ORDER, "project": "other"}, client=other).json["id"]
        redis.zadd(keys.ROOMS, {keys.room_key(two.servers[0].id, "support-1"): 1})
        assert other.delete(f"{PREFIX}/dispatches/{ours}", headers=BEARER).status_code == 202
        asked = [entries(redis, server, "support-1")[-1][1]["order"] for server in two.servers]
        assert asked == ["remove", "remove"]


class TestBesideVideoSdk:
    @pytest.fixture
    def both(self, environ):
        return load_settings(environ | ACCOUNT)

    @pytest.fixture
    def remove(self, both):
        client = create_app(both).test_client()
        return lambda query="": client.delete(f"{PREFIX}/rooms/a/agents/b{query}", headers=BEARER)

    def test_an_agent_is_removed_from_a_meeting_that_is_known(self, remove, both, redis):
        redis.zadd(keys.ROOMS, {keys.room_key(both.videosdk.id, "a"): 1})
        assert remove().status_code == 202
        [(_, body)] = entries(redis, both.videosdk, "a")
        assert (body["order"], body["identity"]) == ("remove_agent", "b")

    @pytest.mark.parametrize("project", ["vkey", "devkey"])
    def test_where_the_key_belongs(self, remove, both, redis, project):
        place, other = both.videosdk, both.servers[0]
        if project == "devkey":
            place, other = other, place
        assert remove(f"?project={project}").status_code == 202
        assert (len(entries(redis, place, "a")), entries(redis, other, "a")) == (1, [])

    def test_it_must_be_told_which_is_meant(self, remove, redis):
        assert "LiveKit's or VideoSDK's" in refused(remove(), 400, "bad-query")
        assert "not an API key" in refused(remove("?project=no"), 400, "bad-query")
        assert redis.dbsize() == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/dispatches"), ("DELETE", "/dispatches/D1"), ("DELETE", "/rooms/a/agents/b")],
)
def test_without_redis_it_is_503_and_says_when_to_come_again(environ, method, path):
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://:hush@127.0.0.1:1"}))
    given = {"json": ORDER} if method == "POST" else {}
    answer = app.test_client().open(PREFIX + path, method=method, headers=BEARER, **given)
    refused(answer, 503, "store-unreachable")
    assert answer.headers["Retry-After"] == "1"
    assert "hush" not in answer.text


def test_it_is_at_its_location_before_a_worker_has_taken_it_up(order, client, redis):
    ordered_now = order(ORDER)
    shown = client.get(ordered_now.headers["Location"], headers=BEARER)
    assert shown.status_code == 200
    assert {name: shown.json[name] for name in FIELDS} == ordered_now.json
    assert [move["state"] for move in shown.json["timeline"]] == ["requested"]
