"""The stand-in VideoSDK takes what is documented, refuses everything else, and remembers it."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import jwt
import pytest

from service.sandbox import running
from service.sandbox.videosdk import Agent, Shape, VideoSdkSandbox

DISPATCH = "/v2/agent/dispatch"
SESSIONS = "/v2/sessions/"
REMOVE = "/v2/sessions/participants/remove"
KEY = "/v2/public/rsa-public-key"
ASKED = {"meetingId": "m", "agentId": "greeter"}


@pytest.fixture(scope="module")
def server():
    with running(VideoSdkSandbox(agents=[Agent("greeter")])) as started:
        yield started


def token(server, *, secret="", algorithm="HS256", without="", **claims):
    whole = {
        "apikey": server.key,
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "exp": int(time.time()) + 60,
        **claims,
    }
    whole.pop(without, None)
    return jwt.encode(whole, secret or server.secret, algorithm=algorithm)


def call(server, method, path, *, auth="", body=None, kind="application/json"):
    """Status and JSON; `auth` of None sends no token."""
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {"Content-Type": kind} if raw is not None else {}
    if auth is not None:
        headers["Authorization"] = auth or token(server)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def noted(server, action):
    """What `action` was answered, and what is remembered of it."""
    before = len(server.violations)
    answer = action()
    return answer, server.violations[before:]


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("POST", DISPATCH, {"body": ASKED}),
        ("POST", DISPATCH, {"body": {**ASKED, "metadata": {"a": [1]}, "versionId": "v"}}),
        ("GET", SESSIONS, {}),
        ("GET", f"{SESSIONS}?roomId=m&status=ongoing&page=1&perPage=20", {}),
        ("GET", KEY, {"auth": None}),
    ],
)
def test_what_is_documented_is_taken(server, method, path, asked):
    (status, _), violations = noted(server, lambda: call(server, method, path, **asked))
    assert (status, violations) == (200, [])


def test_a_token_from_the_dashboard_is_taken(server):
    auth = token(server, without="roles", permissions=["allow_join", "allow_mod"])
    (status, _), violations = noted(server, lambda: call(server, "GET", SESSIONS, auth=auth))
    assert (status, violations) == (200, [])


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"without": "apikey"}, "apikey is missing"),
        ({"without": "exp"}, "exp is missing"),
        ({"without": "permissions"}, "permissions"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["everything"]}, "permissions"),
        ({"permissions": "allow_join"}, "permissions"),
        ({"roles": ["rtc"]}, "roles do not let it call the API"),
        ({"roles": [{}]}, "roles do not let it call the API"),
        ({"version": 1}, "version is not 2"),
        ({"without": "version"}, "version is not 2"),
        ({"algorithm": "HS512", "secret": "s" * 64}, "signed with HS512"),
    ],
)
def test_a_token_with_other_claims_is_refused(server, claims, words):
    auth = token(server, **claims)
    (status, _), violations = noted(server, lambda: call(server, "GET", SESSIONS, auth=auth))
    assert status == 401
    assert len(violations) == 1
    assert words in violations[0]


@pytest.mark.parametrize("auth", [None, "Bearer {}", "Basic {}", "not-a-token"])
def test_anything_but_the_token_alone_is_refused(server, auth):
    given = auth and auth.format(token(server))
    (status, _), violations = noted(server, lambda: call(server, "GET", SESSIONS, auth=given))
    assert status == 401
    assert len(violations) == 1


@pytest.mark.parametrize(
    "claims",
    [{"secret": "x" * 40}, {"exp": 1}, {"apikey": "unknown"}],
    ids=["wrong secret", "over", "unknown key"],
)
def test_a_key_that_is_wrong_is_no_violation(server, claims):
    auth = token(server, **claims)
    (status, answer), violations = noted(server, lambda: call(server, "GET", SESSIONS, auth=auth))
    assert (status, answer) == (401, {"message": "Token is invalid or expired"})
    assert violations == []


@pytest.mark.parametrize(
    ("method", "path", "asked", "status"),
    [
        ("GET", "/v2/rooms", {}, 404),
        ("GET", "/v2/sessions", {}, 404),
        ("GET", DISPATCH, {}, 405),
        ("PUT", DISPATCH, {"body": ASKED}, 405),
        ("GET", f"{SESSIONS}?page=0", {}, 400),
        ("GET", f"{SESSIONS}?perPage=many", {}, 400),
        ("GET", f"{SESSIONS}?roomId=", {}, 400),
        ("GET", f"{SESSIONS}?status=live", {}, 400),
        ("GET", f"{SESSIONS}?room=m", {}, 400),
        ("GET", f"{SESSIONS}x/participants/active?roomId=m", {}, 400),
        ("GET", SESSIONS, {"body": {}}, 400),
        ("POST", DISPATCH, {"body": b""}, 400),
        ("POST", DISPATCH, {"body": b"{"}, 400),
        ("POST", DISPATCH, {"body": []}, 400),
        ("POST", DISPATCH, {"body": {"meetingId": "m"}}, 400),
        ("POST", DISPATCH, {"body": {**ASKED, "agentId": ""}}, 400),
        ("POST", DISPATCH, {"body": {**ASKED, "agentId": 7}}, 400),
        ("POST", DISPATCH, {"body": {**ASKED, "metadata": "{}"}}, 400),
        ("POST", DISPATCH, {"body": {**ASKED, "metadata": None}}, 400),
        ("POST", DISPATCH, {"body": {**ASKED, "attributes": {}}}, 400),
        ("POST", DISPATCH, {"body": b'{"meetingId":"m","agentId":"g","metadata":{"a":NaN}}'}, 400),
        ("POST", DISPATCH, {"body": ASKED, "kind": "text/plain"}, 415),
        ("POST", REMOVE, {"body": {"participantId": "p", "roomId": "m"}}, 400),
    ],
)
def test_what_is_not_documented_is_refused_and_remembered(server, method, path, asked, status):
    (answered, answer), violations = noted(server, lambda: call(server, method, path, **asked))
    assert answered == status
    assert len(violations) == 1
    assert answer["message"] in violations[0]


def test_who_is_there_is_shown_in_either_shape_page_by_page(server):
    for number in range(3):
        server.join("shapes", f"guest-{number}", name=f"Guest {number}")
    session = server.session("shapes").id
    path = f"{SESSIONS}{session}/participants/active?page=2&perPage=2"
    _, first = call(server, "GET", path)
    assert first["pageInfo"] == {"currentPage": 2, "perPage": 2, "lastPage": 2, "total": 3}
    [shown] = first["data"]
    assert (shown["_id"], shown["roomId"], shown["end"]) == (session, "shapes", None)
    assert [p["participantId"] for p in shown["participants"]] == ["guest-2"]
    server.answer_as(shape=Shape.SESSION)
    try:
        _, second = call(server, "GET", path)
    finally:
        server.answer_as(shape=Shape.SESSIONS)
    assert second["data"]["participants"] == shown["participants"]
    assert second.keys() == {"data"}


def test_who_comes_back_has_another_stay(server):
    server.join("stays", "eva")
    server.join("stays", "ana")
    server.leave("stays", "ana")
    server.join("stays", "ana")
    _, listed = call(server, "GET", f"{SESSIONS}?roomId=stays")
    people: dict[str, Any] = {p["participantId"]: p for p in listed["data"][0]["participants"]}
    assert [bool(stay["end"]) for stay in people["ana"]["timelog"]] == [True, False]


def test_sessions_that_are_over_stay_listed_newest_first(server):
    for _ in range(2):
        server.join("past", "ana")
        server.leave("past", "ana")
    server.join("past", "ana")
    _, listed = call(server, "GET", f"{SESSIONS}?roomId=past")
    assert [s["status"] for s in listed["data"]] == ["ongoing", "ended", "ended"]
    _, going_on = call(server, "GET", f"{SESSIONS}?roomId=past&status=ongoing")
    assert going_on["data"] == listed["data"][:1]
