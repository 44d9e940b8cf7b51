from __future__ import annotations

import pytest
from itsdangerous import TimestampSigner

from service.api import PREFIX
from service.attempts import A_MINUTE, A_MINUTE_FROM_ONE_ADDRESS, A_MINUTE_WITHOUT_REDIS
from service.sessions import COOKIE, CSRF_HEADER, LIFE_SECONDS, Role, Sessions
from service.web import create_app
from tests.service.pages import form_text, sign_in
from tests.service.signed import ADMIN_TOKEN
from workers.settings import load_settings

PAGES = ("/", "/calls", "/events", "/rules", "/rooms", "/agents")


def cookie_of(answer):
    [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith(f"{COOKIE}=")]
    return cookie


@pytest.mark.parametrize(
    "path", [*PAGES, "/calls/D1", "/events/EV_1", "/rooms/a%2Fb", "/room/send"]
)
def test_a_page_asks_for_a_sign_in_and_comes_back_to_itself(client, path):
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")
    page = client.get(answer.headers["Location"])
    there = form_text(page.text, "next")
    signed_in = sign_in(client, to=there)
    assert signed_in.headers["Location"] == there
    assert client.get(there).status_code != 303


def test_the_filters_of_a_page_survive_the_sign_in(client):
    location = client.get("/calls?state=failed&since=1h").headers["Location"]
    assert form_text(client.get(location).text, "next") == "/calls?state=failed&since=1h"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil",
     "/\n/evil.example", "http://["],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(client, elsewhere):
    assert sign_in(client, to=elsewhere).headers["Location"] == "/"


def test_the_cookie_is_for_this_site_alone_and_no_script(client):
    cookie = cookie_of(sign_in(client))
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LIFE_SECONDS}"} <= set(
        cookie.split("; ")
    )
    assert "Secure" not in cookie.split("; ")
    assert ADMIN_TOKEN not in cookie


def test_the_cookie_comes_back_over_https_alone_where_it_came_so(client):
    answer = sign_in(client, **{"X-Forwarded-Proto": "https"})
    assert "Secure" in cookie_of(answer).split("; ")


def test_another_token_lets_nobody_in(client):
    answer = sign_in(client, ADMIN_TOKEN + "x")
    assert answer.status_code == 401
    assert "not the admin token" in answer.text
    assert client.get("/").status_code == 303


def test_without_a_token_configured_nobody_gets_in(environ, redis):
    del environ["DISPATCHER_ADMIN_TOKEN"]
    client = create_app(load_settings(environ)).test_client()
    assert sign_in(client, "").status_code == 400
    assert client.get("/").status_code == 303


def test_a_form_of_another_site_signs_nobody_in(client):
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"csrf": "x", "token": ADMIN_TOKEN, "next": "/"})
    assert answer.status_code == 400
    assert client.get("/").status_code == 303


def test_all_web_processes_know_a_session_and_a_new_token_ends_it(client, settings, environ):
    sign_in(client)
    text = client.get_cookie(COOKIE).value
    other = create_app(settings).test_client()
    other.set_cookie(COOKIE, text)
    assert other.get("/").status_code == 200
    changed = load_settings({**environ, "DISPATCHER_ADMIN_TOKEN": "another-token"})
    later = create_app(changed).test_client()
    later.set_cookie(COOKIE, text)
    assert later.get("/").status_code == 303


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "\x00", "é", "W10.aaaaaa.bbbb"])
def test_what_is_no_session_is_none(client, text):
    client.set_cookie(COOKIE, text)
    assert client.get("/").status_code == 303


def test_an_old_session_is_over(redis, monkeypatch):
    sessions = Sessions(ADMIN_TOKEN, redis)
    assert sessions.read(sessions.begin()) is not None
    monkeypatch.setattr("service.sessions.LIFE_SECONDS", -1)
    assert sessions.read(sessions.begin()) is None


@pytest.mark.parametrize(
    ("ahead", "is_good"), [(30, True), (90, False), (-3500, True), (-3700, False)]
)
def test_a_form_of_a_host_whose_clock_is_a_little_ahead_is_good(redis, ahead, is_good):
    class Elsewhere(TimestampSigner):
        def get_timestamp(self):
            return super().get_timestamp() + ahead

    there, here = Sessions(ADMIN_TOKEN, redis), Sessions(ADMIN_TOKEN, redis)
    there._forms.signer = there._sessions[Role.ADMIN].signer = Elsewhere
    form = there.form()
    assert here.is_form(form, form) is is_good
    assert (here.read(there.begin()) is not None) is (ahead < 60)


def test_who_has_signed_out_is_out_with_every_copy_of_the_cookie(client, settings):
    sign_in(client)
    copied = client.get_cookie(COOKIE).value
    page = client.get("/").text
    assert client.post("/sign-out", data={"csrf": form_text(page)}).status_code == 303
    assert client.get_cookie(COOKIE) is None
    thief = create_app(settings).test_client()
    thief.set_cookie(COOKIE, copied)
    assert thief.get("/").status_code == 303
    assert thief.get(f"{PREFIX}/dispatches/D1").status_code == 401


@pytest.mark.parametrize("given", ["", "x", "é"])
def test_a_change_without_the_forms_token_is_refused(client, redis, given):
    sign_in(client)
    for path in ("/rules/pause", "/sign-out", "/room/look", "/room/send", "/calls/D1/delete"):
        answer = client.post(path, data={"csrf": given})
        assert (answer.status_code, "Nothing was changed" in answer.text) == (403, True), path
    assert not redis.exists("lkd:paused")
    assert client.get("/").status_code == 200


def test_another_sessions_form_changes_nothing(client, settings, redis):
    sign_in(client)
    other = create_app(settings).test_client()
    sign_in(other)
    theirs = form_text(other.get("/").text)
    assert client.post("/rules/pause", data={"csrf": theirs}).status_code == 403
    assert not redis.exists("lkd:paused")


def test_the_api_takes_the_session_and_for_changes_its_token(client):
    path = f"{PREFIX}/rooms/support-1/look"
    sign_in(client)
    csrf = form_text(client.get("/").text)
    assert client.get(f"{PREFIX}/nothing").status_code == 404
    refused = client.post(path)
    assert (refused.status_code, refused.json["type"].rpartition(":")[2]) == (403, "csrf")
    assert client.post(path, headers={CSRF_HEADER: csrf}).status_code == 202


def test_a_bearer_token_counts_more_than_a_session(client):
    sign_in(client)
    answer = client.get(f"{PREFIX}/nothing", headers={"Authorization": "Bearer wrong-token"})
    assert answer.status_code == 401


def test_guessing_is_slow_and_then_refuses_the_right_token_too(client):
    for _ in range(A_MINUTE):
        assert sign_in(client, "guess-guess").status_code == 401
    answer = sign_in(client)
    assert answer.status_code == 429
    assert "Wait a minute" in answer.text


def test_signing_in_is_no_guess(client, redis):
    for _ in range(2 * A_MINUTE):
        assert sign_in(client).status_code == 303
        client.delete_cookie(COOKIE)
    assert {int(redis.get(key)) for key in redis.keys("lkd:sign-in:*")} <= {0}


def test_one_sender_behind_a_proxy_keeps_no_other_out(client):
    for _ in range(A_MINUTE + 1):
        sign_in(client, "guess-guess", **{"X-Forwarded-For": "198.51.100.7"})
    assert sign_in(client, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 303


def test_making_up_addresses_does_not_help_for_long(client):
    statuses = {
        sign_in(client, "guess-guess", **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(A_MINUTE_FROM_ONE_ADDRESS + 1)
    }
    assert statuses == {401, 429}


def test_attempts_are_counted_for_all_web_processes_together(client, settings):
    for _ in range(A_MINUTE):
        sign_in(client, "guess-guess")
    assert sign_in(create_app(settings).test_client()).status_code == 429


def test_without_redis_few_attempts_are_left_and_pages_say_what_is_wrong(environ, tmp_path):
    environ["REDIS_URL"] = f"unix://{tmp_path}/nobody.sock"
    client = create_app(load_settings(environ)).test_client()
    for _ in range(A_MINUTE_WITHOUT_REDIS - 1):
        assert sign_in(client, "guess-guess").status_code == 401
    assert sign_in(client).status_code == 303
    page = client.get("/")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "2")
    assert "cannot use the Redis" in page.text
    fresh = create_app(load_settings(environ)).test_client()
    for _ in range(A_MINUTE_WITHOUT_REDIS):
        sign_in(fresh, "guess-guess")
    assert sign_in(fresh).status_code == 429


def test_a_link_from_a_chat_finds_the_session_that_is_there(client):
    cross = {"Sec-Fetch-Site": "cross-site"}
    answer = client.get("/calls", headers=cross)
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert client.get("/calls", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
