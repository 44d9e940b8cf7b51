"""What is read over the API: dispatches, events, rooms, rules; and what would be decided."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from rules.decision import Decision, Outcome, Reason
from rules.event import read_event
from service.api import PREFIX
from service.web import create_app
from tests.service.cli import keep
from tests.service.rooms import AGENT, HUMAN, OTHER_AGENT, RECORDER, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN
from tests.service.test_api_look import SECOND, entries
from workers import keys
from workers.dispatch import State
from workers.drift import is_told, with_told
from workers.history import dispatch_document, event_document
from workers.pauses import Pauses
from workers.record import Record
from workers.settings import load_settings

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
PROBLEM = "urn:livekit-dispatcher:problem:"
JOINED = {
    "event": "participant_joined", "id": "EV_1", "createdAt": "1770000001",
    "room": {"sid": "RM_support-1", "name": "support-1", "creationTime": "1770000000"},
    "participant": HUMAN,
}  # fmt: skip


@pytest.fixture
def get(client):
    return lambda path, client=client: client.get(PREFIX + path, headers=BEARER)


@pytest.fixture
def decide(client):
    def decide(body, client=client):
        return client.post(f"{PREFIX}/decide", json=body, headers=BEARER)

    return decide


def ids(answer):
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return [each["id"] for each in answer.json["dispatches"]]


def refused(answer, status, slug):
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["type"] == PROBLEM + slug
    return answer.json["detail"]


class TestDispatches:
    @pytest.fixture(autouse=True)
    def kept(self, redis):
        now = datetime.now(UTC)
        for number, more in enumerate(
            [
                {"room": "a", "agent": "other", "deployment": ""},
                {"room": "b&c=d", "state": State.FAILED},
                {"room": "a", "rule": ""},
            ]
        ):
            at = (now - timedelta(hours=2 - number)).timestamp()
            made = dispatch(id=f"D{number}", created_at=at, wanted_at=at, **more)
            keep(redis, dispatch_document(None, made))

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", ["D2", "D1", "D0"]),
            ("?room=a", ["D2", "D0"]),
            ("?room=b%26c%3Dd", ["D1"]),
            ("?agent=other", ["D0"]),
            ("?deployment=", ["D0"]),
            ("?deployment=beta&room=a", ["D2"]),
            ("?rule=", ["D2"]),
            ("?state=failed", ["D1"]),
            ("?since=90m", ["D2", "D1"]),
            ("?since=2020-01-01T00:00:00Z", ["D2", "D1", "D0"]),
            ("?since=2099-01-01T00:00:00%2B01:00", []),
        ],
    )
    def test_what_is_asked_for(self, get, query, found):
        assert ids(get(f"/dispatches{query}")) == found

    def test_page_after_page(self, get):
        first = get("/dispatches?limit=2")
        assert ids(first) == ["D2", "D1"]
        last = get(f"/dispatches?limit=2&cursor={first.json['next']}")
        assert (ids(last), last.json["next"]) == (["D0"], None)

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("limit=0", "limit='0'"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=x", "limit='x'"),
            ("state=lost", "active"),
            ("since=soon", "such as 1h"),
            ("cursor=x", "cursor='x'"),
            ("room=a&room=b", "room is given 2 times"),
            ("roon=a", "did you mean 'room'"),
        ],
    )
    def test_what_is_wrong_is_told(self, get, query, told):
        assert told in refused(get(f"/dispatches?{query}"), 400, "bad-query")

    def test_one_with_its_timeline(self, get):
        answer = get("/dispatches/D1")
        assert (answer.status_code, answer.json["state"]) == (200, "failed")
        assert {"timeline", "latency", "rung", "follows", "followed_by"} <= set(answer.json)
        assert answer.json["untold"] == []

    def test_what_others_were_not_told_of_it_yet(self, get, redis):
        redis.hset(f"{keys.NOTICE}D1_failed", "body", "{}")
        assert get("/dispatches/D1").json["untold"] == ["dispatch.failed"]

    def test_one_that_is_not_there(self, get):
        assert "'Dnone'" in refused(get("/dispatches/Dnone"), 404, "not-found")


class TestEvents:
    @pytest.fixture(autouse=True)
    def kept(self, redis, settings):
        decision = Decision("support", Outcome.SKIP, Reason.CONDITION, "when.room", "no")
        document = event_document(
            settings.servers[0].id, "EV_1", read_event(JOINED), [decision], [], rules_hash="h",
            now=1_770_000_001.5, instant=1_770_000_001.5,
        )  # fmt: skip
        keep(redis, document)

    def test_with_what_each_rule_said(self, get):
        [event] = get("/events").json["events"]
        assert (event["id"], event["room"]) == ("EV_1", "support-1")
        assert [(d["rule"], d["at"]) for d in event["decisions"]] == [("support", "when.room")]
        assert get("/events/EV_1").json == event
        assert get("/events?room=other").json["events"] == []

    def test_one_that_is_not_there(self, get):
        refused(get("/events/EV_2"), 404, "not-found")

    def test_run_again_it_is_a_new_event_of_its_room(self, client, redis, settings):
        answer = client.post(f"{PREFIX}/events/EV_1/replay", headers=BEARER)
        assert answer.status_code == 202
        [(entry_id, body)] = entries(redis, settings.servers[0], "support-1")
        assert answer.json["id"] == entry_id == body["id"]
        assert entry_id.startswith("EV_1.replay.")
        assert (body["created_at"], body["participant"]["identity"]) == (1_770_000_001, "ana")

    def test_one_that_is_not_there_is_not_run(self, client, redis):
        refused(client.post(f"{PREFIX}/events/EV_2/replay", headers=BEARER), 404, "not-found")
        assert redis.zcard(keys.DUE) == 0


def test_what_a_listing_has_told_is_decided_when_it_is_run_again():
    told = with_told(Record(), read_event({**JOINED, "id": "lkd.joined"}))
    assert is_told(told, read_event(JOINED))
    assert not is_told(told, read_event({**JOINED, "id": "EV_1.replay.0a"}))


class TestRooms:
    @pytest.fixture(autouse=True)
    def live(self, redis, settings):
        server = settings.servers[0].id
        people = (HUMAN, AGENT, OTHER_AGENT, RECORDER)
        put_room(redis, server, "a/look", *people, dispatches=(dispatch("a/look"),), at=3.0)
        put_room(redis, server, "<script>", at=2.0)
        put_room(redis, server, "over", HUMAN, at=1.0, ended=True)

    def test_who_is_there(self, get):
        first, second = get("/rooms").json["rooms"]
        assert (first["name"], second["name"]) == ("a/look", "<script>")
        assert [human["identity"] for human in first["humans"]] == ["ana"]
        assert [(a["identity"], a["agent"], a["ours"]) for a in first["agents"]] == [
            ("agent-1", "greeter", True), ("agent-x", "greeter", False)
        ]  # fmt: skip
        assert (first["agents"][0]["deployment"], first["agents"][0]["dispatch"]) == (
            "beta", "Done"
        )  # fmt: skip
        assert second["humans"] == second["agents"] == second["dispatches"] == []

    def test_pages_and_parts_of_names(self, get):
        assert [r["name"] for r in get("/rooms?name=crip").json["rooms"]] == ["<script>"]
        first = get("/rooms?limit=1").json
        assert [room["name"] for room in first["rooms"]] == ["a/look"]
        last = get(f"/rooms?limit=1&cursor={first['next']}").json
        assert [room["name"] for room in last["rooms"]] == ["<script>"]
        refused(get("/rooms?cursor=x"), 400, "bad-query")

    def test_one(self, get):
        [room] = get("/rooms/a%2Flook").json["rooms"]
        assert room["sid"] == "RM_a/look"

    def test_one_that_is_over(self, get):
        refused(get("/rooms/over"), 404, "not-found")


class TestRules:
    def test_as_written_with_what_they_have_matched(self, get, redis):
        redis.hset(keys.HITS, "support", 3)
        redis.hset(keys.LAST_HITS, "support", 1_770_000_000_000)
        Pauses(redis).pause("support")
        told = get("/rules").json
        [rule] = told["rules"]
        assert (rule["id"], rule["on"], rule["line"]) == ("support", ["participant_joined"], 4)
        assert (rule["hits"], rule["paused"]) == (3, True)
        assert rule["last_match"] == "2026-02-02T02:40:00.000Z"
        assert rule["source"].splitlines()[0] == "- id: support"
        assert rule["source"].splitlines()[-1] == "  dispatch: {agent: greeter}"
        assert (len(told["hash"]) > 5, told["errors"]) == (True, [])

    def test_a_file_that_does_not_load(self, environ, rules_file, get):
        rules_file.write_text("rules: [")
        client = create_app(load_settings(environ)).test_client()
        told = get("/rules", client).json
        assert (told["rules"], told["hash"], len(told["errors"])) == ([], None, 1)


QUESTION = {"room": {"name": "support-1"}, "participant": {"identity": "ana"}}


class TestDecide:
    def test_what_would_be_dispatched(self, decide, redis):
        told = decide(QUESTION).json
        assert told == {
            "agents": [
                {
                    "agentName": "greeter", "metadata": "", "deployment": "", "attributes": {},
                    "restartPolicy": "JRP_ON_FAILURE",
                }
            ],
            "decisions": [
                {
                    "rule": "support", "outcome": "dispatch", "reason": "matched", "at": None,
                    "dispatches": [
                        {
                            "provider": "livekit", "agent": "greeter", "deployment": "",
                            "metadata": "", "attributes": {}, "restart_policy": "on_failure",
                        }
                    ],
                }
            ],
            "token": None,
        }  # fmt: skip
        assert redis.dbsize() == 0

    def test_an_agent_that_is_not_to_be_sent_again_says_so(self, environ, rules_file, decide):
        text = rules_file.read_text()
        rules_file.write_text(text.replace("greeter}", "greeter, restart_policy: never}"))
        client = create_app(load_settings(environ)).test_client()
        [agent] = decide(QUESTION, client).json["agents"]
        assert agent["restartPolicy"] == "JRP_NEVER"

    def test_what_is_live_in_the_room_counts(self, decide, redis, settings):
        server = settings.servers[0].id
        put_room(redis, server, "support-1", HUMAN, dispatches=(dispatch("support-1"),))
        [decision] = decide(QUESTION).json["decisions"]
        assert decision["reason"] == "already_dispatched"

    def test_a_room_that_is_over_would_be_another(self, decide, redis, settings):
        put_room(redis, settings.servers[0].id, "support-1", HUMAN, ended=True)
        [decision] = decide(QUESTION).json["decisions"]
        assert decision["reason"] == "matched"

    def test_a_record_that_cannot_be_read_is_as_none(self, decide, redis, settings):
        key = keys.room_key(settings.servers[0].id, "support-1")
        redis.hset(keys.ROOM + key, "record", "[")
        assert decide(QUESTION).json["decisions"][0]["reason"] == "matched"

    def test_of_several_servers_one_must_be_meant(self, environ, decide, redis):
        two = load_settings(environ | SECOND)
        client = create_app(two).test_client()
        assert "several" in refused(decide(QUESTION, client), 400, "bad-body")
        assert decide({**QUESTION, "project": "other"}, client).status_code == 200
        put_room(redis, two.servers[1].id, "support-1", dispatches=(dispatch("support-1"),))
        [decision] = decide(QUESTION, client).json["decisions"]
        assert decision["reason"] == "already_dispatched"

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({}, "room"),
            ({"room": {}}, "name"),
            ({**QUESTION, "event": "participant_join"}, "did you mean 'participant_joined'"),
            ({**QUESTION, "project": "nobody"}, "is not an API key"),
            ({**QUESTION, "more": 1}, "more"),
        ],
    )
    def test_what_is_wrong_is_told(self, decide, body, told):
        assert told in refused(decide(body), 400, "bad-body")


@pytest.mark.parametrize(
    "path", ["/dispatches", "/dispatches/D", "/events", "/events/E", "/rooms", "/rooms/a", "/rules"]
)
def test_without_redis_it_is_503_and_says_when_to_come_again(environ, get, path):
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://:hush@127.0.0.1:1"}))
    answer = get(path, app.test_client())
    refused(answer, 503, "store-unreachable")
    assert answer.headers["Retry-After"] == "1"
    assert "hush" not in json.dumps(answer.json)
