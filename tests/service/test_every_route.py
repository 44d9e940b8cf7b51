"""All routes there are, with every method: who may come, what a browser is told, what may change.

A new route is in these tests as soon as it is in the URL map.
"""

from __future__ import annotations

import itertools
import re
from hashlib import sha256

import pytest
from itsdangerous import URLSafeTimedSerializer

from service.api import PREFIX
from service.attempts import A_MINUTE_FROM_ONE_ADDRESS
from service.dashboard.headers import HEADERS
from service.sessions import COOKIE, CSRF_HEADER
from service.web import create_app
from tests.service.pages import form_text, sign_in
from tests.service.signed import ADMIN_TOKEN
from tests.service.videosdk import PINNED
from workers.settings import load_settings

OPEN = {
    "/webhooks/livekit": "LiveKit and VideoSDK sign what they post",
    "/webhooks/videosdk": "the same",
    "/healthz": "a load balancer asks",
    "/readyz": "the same",
    "/metrics": "Prometheus asks",
    "/sign-in": "who is not signed in",
    "/static/<path:filename>": "the style and the script of the sign-in",
}
"""Routes that anybody may use, and why."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "FOO")
READING = ("GET", "HEAD", "OPTIONS", "TRACE")
_INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE
)


@pytest.fixture
def app(environ):
    return create_app(load_settings({**environ, **PINNED}))


def every_path(app):
    """Each route, with something in the place of every variable."""
    for rule in app.url_map.iter_rules():
        _, path = rule.build(dict.fromkeys(rule.arguments, "x"), append_unknown=False)
        yield rule, path


def walk(app, client, *, is_open=False, **given):
    """Every method of every route, each from an address of its own, with those of its path."""
    methods: dict[str, set[str]] = {}
    for rule, path in every_path(app):
        methods.setdefault(path, set()).update(rule.methods)
    requests = itertools.product(every_path(app), METHODS)
    for number, ((rule, path), method) in enumerate(requests):
        if (rule.rule in OPEN) == is_open:
            address = {"REMOTE_ADDR": f"192.0.{number // 250}.{number % 250}"}
            answer = client.open(path, method=method, environ_overrides=address, **given)
            yield methods[path], method, path, answer


def signed_by(token, text="x"):
    key = sha256(b"livekit-dispatcher sessions\0" + token.encode()).digest()
    return URLSafeTimedSerializer(key, salt="session").dumps(text)


def signed_out(app):
    client = app.test_client()
    sign_in(client)
    text = client.get_cookie(COOKIE).value
    client.post("/sign-out", data={"csrf": form_text(client.get("/").text)})
    return text


def no_cookie(_app):
    return ""


def a_wrong_one(_app):
    return "W10.aaaaaa.bbbb"


def one_signed_with_another_token(_app):
    return signed_by("another-token")


def one_signed_with_no_token(_app):
    return signed_by("")


def a_form_text(app):
    client = app.test_client()
    client.get("/sign-in")
    return client.get_cookie("lkd_form").value


COOKIES = (no_cookie, a_wrong_one, one_signed_with_another_token, one_signed_with_no_token,
           a_form_text, signed_out)  # fmt: skip
TOKENS = ("", "Bearer", ADMIN_TOKEN, f"Basic {ADMIN_TOKEN}", f"Bearer {ADMIN_TOKEN}x", "Bearer é",
          f"Bearer {ADMIN_TOKEN},Bearer {ADMIN_TOKEN}", "Bearer " + "x" * 10_000)  # fmt: skip


def test_what_is_open_is_a_short_list_and_all_of_it_is_there(app):
    assert OPEN.keys() <= {rule.rule for rule in app.url_map.iter_rules()}
    assert len(OPEN) == 7


@pytest.mark.parametrize("cookie", COOKIES, ids=lambda each: each.__name__)
def test_nothing_else_is_done_for_somebody_who_has_not_signed_in(app, redis, cookie):
    text = cookie(app)
    before = sorted(redis.keys("*"))
    client = app.test_client()
    if text:
        client.set_cookie(COOKIE, text)
    seen = 0
    for methods, method, path, answer in walk(app, client):
        seen += 1
        told = (method, path, answer.status_code)
        if path.startswith("/api"):
            assert answer.status_code == 401, told
            assert answer.headers["WWW-Authenticate"].startswith("Bearer"), told
            assert answer.content_type == "application/problem+json", told
        elif method not in methods and answer.status_code == 405:
            pass
        elif path == "/live":
            # That a session was signed out of is known within a second of a stream, which tells
            # nothing but that something has changed (service/dashboard/live.py).
            refusal = (200, 401, 503) if cookie is signed_out else (401,)
            assert (answer.status_code in refusal, answer.data) == (True, b""), told
        else:
            assert answer.status_code == 303, told
            assert answer.headers["Location"].startswith("/sign-in"), told
    assert seen > 200
    assert sorted(redis.keys("*")) == before


@pytest.mark.parametrize("given", TOKENS)
def test_no_token_but_the_right_one_opens_the_api(app, redis, given):
    for _, method, path, answer in walk(app, app.test_client(), headers={"Authorization": given}):
        if path.startswith("/api"):
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert ADMIN_TOKEN not in answer.text
    assert {key.partition(b":")[2].partition(b":")[0] for key in redis.keys("*")} <= {b"guesses"}


def test_the_admin_token_in_the_header_opens_no_page(app):
    given = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    for methods, method, path, answer in walk(app, app.test_client(), headers=given):
        if not path.startswith("/api") and method in methods:
            assert answer.status_code in (303, 401), (method, path)


@pytest.mark.parametrize("csrf", [None, "", "x", "é", "another session's"])
def test_a_session_changes_nothing_without_its_forms_text(app, redis, csrf):
    client = app.test_client()
    sign_in(client)
    if csrf == "another session's":
        other = app.test_client()
        sign_in(other)
        csrf = form_text(other.get("/").text)
    before = {key: redis.dump(key) for key in redis.keys("*")}
    given = {} if csrf is None else {"data": {"csrf": csrf}, "headers": {CSRF_HEADER: csrf}}
    changing = 0
    for methods, method, path, answer in walk(app, client, **given):
        if method in methods and method not in READING:
            changing += 1
            assert answer.status_code == 403, (method, path, answer.status_code)
    assert changing >= 14
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


def test_reading_changes_nothing(app, redis):
    client = app.test_client()
    sign_in(client)
    before = {key: redis.dump(key) for key in redis.keys("*")}
    for _, method, path, answer in walk(app, client):
        if method in READING:
            assert answer.status_code < 500 or path == "/live", (method, path, answer.status_code)
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


def test_a_browser_is_told_to_guess_frame_and_load_nothing(app):
    signed_in, stranger = app.test_client(), app.test_client()
    sign_in(signed_in)
    walks = [
        walk(app, client, is_open=is_open)
        for client in (stranger, signed_in)
        for is_open in (False, True)
    ]
    pages = 0
    for _, method, path, answer in itertools.chain(*walks):
        told = (method, path)
        if path.startswith("/webhooks/"):
            continue
        for name, value in HEADERS.items():
            if name != "Cache-Control" or not path.startswith("/static"):
                assert answer.headers[name] == value, (told, name)
        if answer.mimetype == "text/html" and "Redirecting" not in answer.text:
            pages += bool(answer.text)
            assert not _INLINE.search(answer.text), (told, _INLINE.search(answer.text))
    assert pages > 20


def test_the_policy_allows_nothing_inline_and_nobody_to_frame():
    parts = HEADERS["Content-Security-Policy"].split(";")
    policy = dict(part.strip().partition(" ")[::2] for part in parts)
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert "*" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_cookie_is_for_this_site_alone_and_no_script(app, scheme):
    given = {"headers": {"X-Forwarded-Proto": scheme}}
    client = app.test_client()
    answers = [answer for *_, answer in walk(app, client, is_open=True, **given)]
    answers.append(sign_in(client, **given["headers"]))
    answers += [answer for *_, answer in walk(app, client, **given)]
    csrf = {"csrf": form_text(client.get("/").text)}
    answers.append(client.post("/sign-out", data=csrf, **given))
    cookies = [text for answer in answers for text in answer.headers.getlist("Set-Cookie")]
    assert len({text.partition("=")[0] for text in cookies}) == 2
    for text in cookies:
        flags = set(text.split("; ")[1:])
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= flags, text
        assert ("Secure" in flags) == (scheme == "https"), text
        assert not any(flag.startswith("Domain") for flag in flags), text
    assert any(text.startswith(f"{COOKIE}=;") for text in cookies)


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/API/v1/rooms", "//api/v1/rooms", "/api/../x", "/x/../api/v1/rooms",
     "/api/v1/rooms/", "/api//v1/rooms", "/%61pi/v1/rooms", "/api/v1;x/rooms", "/./api/v1/rooms"],
)  # fmt: skip
def test_no_other_way_of_writing_a_path_leads_to_the_api(app, path):
    answer = app.test_client().get(path)
    assert answer.status_code in (303, 308, 401, 404), answer.status_code
    assert 'rooms":' not in answer.text


def test_a_path_with_a_wrong_method_tells_the_allowed_ones_alone(app):
    answer = app.test_client().open("/calls", method="POST")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_the_walk_is_not_stopped_by_the_limit_of_guesses(app):
    answers = [answer for *_, answer in walk(app, app.test_client())]
    assert len(answers) > A_MINUTE_FROM_ONE_ADDRESS
    assert 429 not in {answer.status_code for answer in answers}
    assert f"{PREFIX}/rooms" in {rule.rule for rule in app.url_map.iter_rules()}
