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
    from pathlib import Path

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


def given_rules(environ: dict[str, str], rules_file: Path, rules: str, **more: str) -> FlaskClient:
    rules_file.write_text(rules)
    return create_app(load_settings({**environ, **more})).test_client()


SPEAKS = """
version: 1
rules:
  - id: interpreter
    on: participant_joined
    when: {participant: {permission: {can_publish: false}}}
    dispatch: {agent: interpreter}
  - id: scribe
    on: participant_joined
    when: {participant: {permission: {can_publish: true}}}
    dispatch: {agent: scribe}
"""


@pytest.mark.parametrize(
    ("token", "agent"),
    [
        ({}, "scribe"),
        ({"can_publish": None}, "scribe"),
        ({"can_publish": True}, "scribe"),
        ({"can_publish": False}, "interpreter"),
    ],
)
def test_the_rules_are_asked_about_what_the_token_grants(
    ask: Ask, environ: dict[str, str], rules_file: Path, token: dict[str, Any], agent: str
) -> None:
    client = given_rules(environ, rules_file, SPEAKS)
    claims = verified(ask(token, client=client))
    assert [each.agent_name for each in claims.room_config.agents] == [agent]


@pytest.mark.parametrize(
    ("token", "condition"),
    [
        ({}, "{can_subscribe: true, can_publish_data: true}"),
        ({}, "{hidden: false, agent: false, recorder: false, can_manage_agent_session: false}"),
        ({"can_publish_sources": ["camera", "screen_share"]}, "{can_publish_sources: CAMERA}"),
        ({"can_publish_sources": ["camera"]}, "{not: {can_publish_sources: MICROPHONE}}"),
        ({"can_update_own_metadata": True}, "{can_update_metadata: true}"),
        ({"can_subscribe_metrics": True, "hidden": True}, "{can_subscribe_metrics: true}"),
        ({"hidden": True}, "{hidden: true, can_update_metadata: false}"),
        ({"can_publish": False}, "{can_publish: false, can_publish_data: true}"),
    ],
)
def test_each_grant_is_a_permission(
    ask: Ask, environ: dict[str, str], rules_file: Path, token: dict[str, Any], condition: str
) -> None:
    client = given_rules(environ, rules_file, SPEAKS.replace("{can_publish: false}", condition))
    agents = ask(token, client=client).json["agents"]
    assert "interpreter" in [each["agentName"] for each in agents]


def test_a_permission_that_says_the_same_may_be_said(ask: Ask) -> None:
    said = {"canPublish": True, "can_publish_sources": ["MICROPHONE", "CAMERA"], "hidden": None}
    answer = ask(
        {"can_publish_sources": ["camera", "microphone"]}, participant={**ANA, "permission": said}
    )
    assert verified(answer).video.can_publish_sources == ["camera", "microphone"]


KEYED = f"""
version: 1
tables: {{agents: {{{KEY}: greeter, other: helper}}}}
rules:
  - id: keyed
    on: participant_joined
    when: {{project: {{in: {{table: agents}}}}}}
    dispatch: {{agent: "{{{{ tables.agents[project] }}}}"}}
"""


@pytest.mark.parametrize(
    ("more", "project", "agent"),
    [
        ({}, None, "greeter"),
        ({}, KEY, "greeter"),
        ({"LIVEKIT_KEYS": "other:of-the-same-server-and-long-enough"}, None, "greeter"),
        ({"LIVEKIT_KEYS": "other:of-the-same-server-and-long-enough"}, "other", "helper"),
    ],
)
def test_without_a_project_it_is_the_key_that_signs(
    ask: Ask,
    environ: dict[str, str],
    rules_file: Path,
    more: dict[str, str],
    project: str | None,
    agent: str,
) -> None:
    client = given_rules(environ, rules_file, KEYED, **more)
    answer = ask({}, client=client, project=project)
    [carried] = verified(answer).room_config.agents
    assert carried.agent_name == agent
    asked = ask(None, client=client, project=project)
    assert [each["agentName"] for each in asked.json["agents"]] == [agent]


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
        ({}, {"participant": {**ANA, "permission": {"hidden": True}}}, "the token gives false"),
        ({}, {"participant": {**ANA, "permission": {"canPublish": False}}}, "gives true"),
        ({}, {"participant": {**ANA, "permission": {"can_publish": 1}}}, "is 1 and the token"),
        ({}, {"participant": {**ANA, "permission": {"can_publich": True}}}, "'can_publish'?"),
        ({}, {"participant": {**ANA, "permission": True}}, "must be an object"),
        ({}, {"participant": {**ANA, "permission": {"agent": True}}}, "say in 'token'"),
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
