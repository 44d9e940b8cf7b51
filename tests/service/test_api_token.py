"""`POST /api/v1/decide` with `token`: a join token that carries what the rules decide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from livekit.api import TokenVerifier

from service.api import PREFIX
from service.web import create_app
from tests.service.rooms import HUMAN, dispatch, put_room
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET
from tests.service.test_api_look import SECOND
from tests.service.test_api_reading import refused
from workers import keys
from workers.dispatch import ID_ATTRIBUTE
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from redis import Redis
    from werkzeug.test import TestResponse

    from workers.settings import Settings

    Ask = Callable[..., TestResponse]

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
ANA = {"identity": "ana"}


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    def ask(token: Any, *, client: FlaskClient = client, **question: Any) -> TestResponse:
        body = {"room": {"name": "support-1"}, "participant": ANA, "token": token, **question}
        return client.post(f"{PREFIX}/decide", json=body, headers=BEARER)

    return ask


def verified(answer: TestResponse) -> Any:
    assert answer.status_code == 200, answer.json
    return TokenVerifier(KEY, SECRET).verify(answer.json["token"])


def test_in_a_dry_run_it_carries_none(ask: Ask, environ: dict[str, str], redis: Redis) -> None:
    app = create_app(load_settings({**environ, "DISPATCHER_DRY_RUN": "true"}))
    answer = ask({}, client=app.test_client())
    assert not verified(answer).room_config
    assert [each["agentName"] for each in answer.json["agents"]] == ["greeter"]
    assert redis.keys(f"{keys.TOKENS}*") == []


def test_it_carries_the_agents_of_the_answer(ask: Ask) -> None:
    answer = ask({})
    claims = verified(answer)
    [carried] = claims.room_config.agents
    [told] = answer.json["agents"]
    assert (carried.agent_name, dict(carried.attributes)) == ("greeter", told["attributes"])
    assert set(told["attributes"]) == {ID_ATTRIBUTE}
    assert answer.json["decisions"][0]["reason"] == "matched"
    assert (claims.identity, claims.video.room, claims.video.room_join) == (
        "ana", "support-1", True
    )  # fmt: skip


def test_it_lets_its_bearer_join_and_speak_and_nothing_else(ask: Ask) -> None:
    video = jwt.decode(ask({}).json["token"], SECRET, algorithms=["HS256"])["video"]
    assert video == {
        "roomJoin": True, "room": "support-1",
        "canPublish": True, "canSubscribe": True, "canPublishData": True,
    }  # fmt: skip


def test_grants_are_taken_as_they_are_given(ask: Ask) -> None:
    given = {"can_publish": False, "can_publish_sources": ["camera"], "hidden": True}
    video = verified(ask({"room_join": True, **given})).video
    assert {name: getattr(video, name) for name in given} == given


def test_who_joins_is_said_once_here_or_there(ask: Ask) -> None:
    more = {"name": "Ana", "metadata": "m", "attributes": {"lang": "es"}}
    of_participant = verified(ask({}, participant={**ANA, **more, "kind": "SIP"}))
    of_token = verified(ask({**ANA, **more}, participant=None))
    for claims in (of_participant, of_token):
        assert (claims.identity, claims.name, claims.metadata) == ("ana", "Ana", "m")
        assert claims.attributes == {"lang": "es"}
    assert (of_participant.kind, of_token.kind) == ("sip", "")


def test_the_room_is_opened_as_it_was_asked_about(ask: Ask) -> None:
    room = {"name": "support-1", "metadata": '{"lang":"es"}', "empty_timeout": 60}
    config = verified(ask({}, room=room)).room_config
    assert (config.metadata, config.empty_timeout) == ('{"lang":"es"}', 60)


@pytest.mark.parametrize(("ttl", "seconds"), [(None, 600), ("1s", 1), ("2h", 7200)])
def test_it_lasts_as_long_as_it_is_asked_to(ask: Ask, ttl: str | None, seconds: int) -> None:
    given = ask({} if ttl is None else {"ttl": ttl}).json["token"]
    claims = jwt.decode(given, options={"verify_signature": False})
    assert claims["exp"] - claims["nbf"] == pytest.approx(seconds, abs=1)
    left = datetime.fromtimestamp(claims["exp"], UTC) - datetime.now(UTC)
    assert timedelta(seconds=seconds - 20) < left <= timedelta(seconds=seconds + 1)


def test_a_token_with_agents_is_noted_and_one_without_is_not(
    ask: Ask, redis: Redis, settings: Settings
) -> None:
    assert verified(ask({}, room={"name": "other"})).room_config is None
    assert redis.dbsize() == 0
    ask({"ttl": "1h"})
    key = keys.TOKENS + keys.room_key(settings.servers[0].id, "support-1")
    assert 3600 <= redis.ttl(key) <= 3900


def test_an_agent_that_is_live_does_not_come_again(
    ask: Ask, redis: Redis, settings: Settings
) -> None:
    server = settings.servers[0].id
    put_room(redis, server, "support-1", HUMAN, dispatches=(dispatch("support-1"),))
    answer = ask({})
    assert answer.json["agents"] == []
    assert verified(answer).room_config is None


def test_it_is_signed_with_the_key_of_the_rooms_server(ask: Ask, environ: dict[str, str]) -> None:
    two = load_settings(environ | SECOND)
    client = create_app(two).test_client()
    assert "several" in refused(ask({}, client=client), 400, "bad-body")
    answer = ask({}, client=client, project="other")
    server = two.servers[1]
    claims = TokenVerifier(server.api_key, server.api_secret).verify(answer.json["token"])
    assert claims.identity == "ana"


@pytest.mark.parametrize(
    ("token", "question", "told"),
    [
        ({"can_publich": True}, {}, "did you mean 'can_publish'?"),
        ({"canPublish": True}, {}, "did you mean 'can_publish'?"),
        ({"room_admin": True}, {}, "does not grant 'room_admin'"),
        ({"room_create": False}, {}, "does not grant 'room_create'"),
        ({"agent": True}, {}, "does not grant 'agent'"),
        ({"room": "other"}, {}, "leave 'room' out"),
        ({"room_join": False}, {}, "room_join"),
        ({"can_publish": "yes"}, {}, "can_publish"),
        ({"can_publish_sources": ["webcam"]}, {}, "screen_share"),
        ({"identity": "ben"}, {}, "'participant.identity' is 'ana'"),
        ({"attributes": {"a": "b"}}, {"participant": {**ANA, "attributes": {}}}, "say it once"),
        ({}, {"participant": None}, "a token is for somebody"),
        ({"identity": ""}, {"participant": None}, "identity"),
        ({}, {"participant": {"identity": 7}}, "must be a string"),
        ({}, {"participant": {**ANA, "attributes": {"a": 1}}}, "object of strings"),
        ({}, {"participant": {**ANA, "kind": "AGENT"}}, "STANDARD and SIP"),
        ({}, {"participant": {**ANA, "kind": ["SIP"]}}, "STANDARD and SIP"),
        ({}, {"room": {"name": "support-1", "metadata": {"a": 1}}}, "metadata"),
        ({"ttl": "soon"}, {}, "such as 250ms"),
        ({"ttl": "0"}, {}, "from 1s to 7d"),
        ({"ttl": "8d"}, {}, "from 1s to 7d"),
        ({}, {"event": "room_started"}, "leave 'event' out"),
        (True, {}, "token"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(
    ask: Ask, redis: Redis, token: Any, question: dict[str, Any], told: str
) -> None:
    assert told in refused(ask(token, **question), 400, "bad-body")
    assert redis.dbsize() == 0, "and nothing is noted"


def test_without_a_server_there_is_no_token(ask: Ask, environ: dict[str, str]) -> None:
    without = {name: value for name, value in environ.items() if not name.startswith("LIVEKIT")}
    client = create_app(load_settings(without)).test_client()
    assert "no LiveKit server" in refused(ask({}, client=client), 400, "bad-body")


def test_without_redis_there_is_no_token(ask: Ask, environ: dict[str, str]) -> None:
    app = create_app(load_settings({**environ, "REDIS_URL": "redis://127.0.0.1:1"}))
    refused(ask({}, client=app.test_client()), 503, "store-unreachable")
