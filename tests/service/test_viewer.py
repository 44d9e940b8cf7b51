"""The viewer's token: everything can be seen with it, and nothing changed."""

from __future__ import annotations

import pytest

from rules.event import read_event
from service.api import PREFIX
from service.sessions import COOKIE, CSRF_HEADER, Sessions
from service.web import create_app
from tests.service.cli import keep
from tests.service.pages import form_text, sign_in
from tests.service.rooms import AGENT, HUMAN, dispatch, put_room
from tests.service.served import Served
from tests.service.signed import ADMIN_TOKEN, joined
from tests.waiting import eventually
from workers.history import dispatch_document, event_document
from workers.settings import SettingsError, load_settings

VIEWER_TOKEN = "hush-viewer-hush-viewer"
BEARER = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
READING = {"GET", "HEAD", "OPTIONS"}
HERE = {
    "dispatch_id": "Done", "event_id": "EV_1", "name": "support-1", "identity": "agent-1",
    "word": "pause", "filename": "x",
}  # fmt: skip
FOR_CHANGES = {
    "/calls/Done/delete", "/events/EV_1/again", "/room/remove", "/room/send", "/rules/pause",
}  # fmt: skip
ELSEWHERE = ("/webhooks/", "/sign-in", "/static", "/live")
"""What no token opens; and the stream, which is not served without a server."""


@pytest.fixture
def environ(environ):
    return {**environ, "DISPATCHER_VIEWER_TOKEN": VIEWER_TOKEN}


@pytest.fixture
def app(settings):
    return create_app(settings)


@pytest.fixture
def kept(redis, settings):
    """Something of everything: a room with an agent, its dispatch, the event."""
    server = settings.servers[0].id
    sent = dispatch("support-1")
    put_room(redis, server, "support-1", HUMAN, AGENT, dispatches=(sent,))
    keep(redis, dispatch_document(None, sent))
    keep(
        redis,
        event_document(
            server, "EV_1", read_event(joined()), [], [], rules_hash="h", now=1.0, instant=1.0
        ),
    )


def every_request(app):
    """Each method of each route, about what is there."""
    for rule in app.url_map.iter_rules():
        _, path = rule.build({name: HERE[name] for name in rule.arguments}, append_unknown=False)
        asked = "?name=support-1" if path == "/room" else ""
        if not path.startswith(ELSEWHERE):
            for method in sorted(rule.methods):
                yield method, path + asked


def snapshot(redis):
    """All that Redis holds."""
    return {key: redis.dump(key) for key in redis.scan_iter()}


@pytest.mark.usefixtures("kept")
def test_every_route_of_the_api_answers_only_what_reads(app, redis):
    before = snapshot(redis)
    requests = [(m, p) for m, p in every_request(app) if p.startswith("/api")]
    assert {("POST", f"{PREFIX}/decide"), ("DELETE", f"{PREFIX}/dispatches/Done")} <= set(requests)
    for method, path in requests:
        answer = app.test_client().open(path, method=method, headers=BEARER, json={})
        if method in READING:
            assert answer.status_code == 200, (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path)
            assert answer.json["type"].endswith(":read-only"), (method, path)
    assert snapshot(redis) == before


@pytest.mark.usefixtures("kept")
def test_every_page_and_route_in_a_viewers_session_is_only_to_look_at(app, redis):
    client = app.test_client()
    sign_in(client, VIEWER_TOKEN)
    csrf = form_text(client.get("/").text)
    before = snapshot(redis)
    for method, path in every_request(app):
        if path == "/sign-out":
            continue
        answer = client.open(
            path, method=method, headers={CSRF_HEADER: csrf},
            **({} if path.startswith("/api") else {"data": {"csrf": csrf, "name": "support-1"}}),
        )  # fmt: skip
        if method == "OPTIONS":  # it asks which methods there are
            assert answer.status_code in (200, 403), path
        elif method in READING and path not in FOR_CHANGES:
            assert answer.status_code == 200, (method, path)
        else:
            assert answer.status_code == 403, (method, path)
    assert snapshot(redis) == before


def test_decide_gives_a_viewer_no_token(client, redis):
    body = {"room": {"name": "support-1"}, "participant": {"identity": "ana"}, "token": {}}
    answer = client.post(f"{PREFIX}/decide", json=body, headers=BEARER)
    assert (answer.status_code, "token" in answer.json) == (403, False)
    assert not redis.keys("lkd:tokens:*")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    "path", ["/", "/rules", "/rooms/support-1", "/calls/Done", "/events/EV_1", "/calls", "/rooms"]
)
def test_a_page_offers_a_viewer_no_change(client, environ, path):
    sign_in(client, VIEWER_TOKEN)
    page = client.get(path).text
    assert "viewer</span>" in page
    assert page.count('method="post"') == 1, "to sign out"
    offered = ("/delete", "/again", "/room/send", "/room/remove", "/rules/pause", "/try")
    assert [each for each in offered if each in page] == []
    admin = create_app(load_settings(environ)).test_client()
    sign_in(admin)
    if path not in ("/", "/calls", "/rooms"):
        assert any(each in admin.get(path).text for each in offered), "an admin is offered it"


def test_a_refused_change_says_why(client, redis):
    sign_in(client, VIEWER_TOKEN)
    csrf = form_text(client.get("/").text)
    answer = client.post("/rules/pause", data={"csrf": csrf})
    assert (answer.status_code, "signed in to look" in answer.text) == (403, True)
    assert not redis.exists("lkd:paused")


def test_a_viewer_signs_out(client):
    sign_in(client, VIEWER_TOKEN)
    copied = client.get_cookie(COOKIE).value
    csrf = form_text(client.get("/").text)
    assert client.post("/sign-out", data={"csrf": csrf}).status_code == 303
    client.set_cookie(COOKIE, copied)
    assert client.get("/").status_code == 303


def test_the_form_says_that_there_are_two_tokens(client, environ):
    assert "viewer’s token" in client.get("/sign-in").text
    answer = sign_in(client, "neither-of-the-two")
    assert (answer.status_code, "nor the viewer’s" in answer.text) == (401, True)
    without = create_app(load_settings({**environ, "DISPATCHER_VIEWER_TOKEN": ""})).test_client()
    assert "viewer" not in without.get("/sign-in").text


def test_without_the_variable_there_is_no_viewer(environ):
    app = create_app(load_settings({**environ, "DISPATCHER_VIEWER_TOKEN": ""}))
    assert app.test_client().get(f"{PREFIX}/rules", headers=BEARER).status_code == 401
    assert sign_in(app.test_client(), VIEWER_TOKEN).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"DISPATCHER_VIEWER_TOKEN": "another-viewer"},
        {"DISPATCHER_ADMIN_TOKEN": "another-admin"},
        {"DISPATCHER_VIEWER_TOKEN": ""},
    ],
)
def test_another_token_of_either_ends_a_viewers_session(client, environ, changed):
    sign_in(client, VIEWER_TOKEN)
    later = create_app(load_settings({**environ, **changed})).test_client()
    later.set_cookie(COOKIE, client.get_cookie(COOKIE).value)
    assert later.get("/").status_code == 303


def test_another_viewers_token_ends_no_admins_session(client, environ):
    sign_in(client)
    changed = load_settings({**environ, "DISPATCHER_VIEWER_TOKEN": "another-viewer"})
    later = create_app(changed).test_client()
    later.set_cookie(COOKIE, client.get_cookie(COOKIE).value)
    assert later.get("/").status_code == 200
    assert "Pause all" in later.get("/rules").text


def test_who_knows_the_viewers_token_cannot_make_a_session_of_an_admin(client, redis):
    for forger in (Sessions(VIEWER_TOKEN, redis), Sessions(None, redis, VIEWER_TOKEN),
                   Sessions("", redis, VIEWER_TOKEN)):  # fmt: skip
        for role in forger._tokens:
            client.set_cookie(COOKIE, forger.begin(role))
            assert client.get("/").status_code == 303


def test_a_viewers_session_sends_no_change_with_another_sessions_token(app):
    admin, viewer = app.test_client(), app.test_client()
    sign_in(admin)
    sign_in(viewer, VIEWER_TOKEN)
    csrf = form_text(admin.get("/").text)
    assert viewer.post("/rules/pause", data={"csrf": csrf}).status_code == 403
    given = {CSRF_HEADER: csrf}
    assert viewer.post(f"{PREFIX}/rooms/x/look", headers=given).status_code == 403


def test_two_tokens_that_are_one_are_refused(environ):
    with pytest.raises(SettingsError, match="DISPATCHER_VIEWER_TOKEN is that of") as caught:
        load_settings({**environ, "DISPATCHER_VIEWER_TOKEN": ADMIN_TOKEN})
    assert ADMIN_TOKEN not in str(caught.value)


def test_a_short_one_is_refused_and_not_shown(environ):
    with pytest.raises(SettingsError, match="8 or more") as caught:
        load_settings({**environ, "DISPATCHER_VIEWER_TOKEN": "psst"})
    assert "psst" not in str(caught.value)


def test_it_may_come_from_a_file_and_is_no_setting_to_be_shown(environ, tmp_path):
    file = tmp_path / "viewer"
    file.write_text(f"{VIEWER_TOKEN}\n")
    del environ["DISPATCHER_VIEWER_TOKEN"]
    found = load_settings({**environ, "DISPATCHER_VIEWER_TOKEN_FILE": str(file)})
    assert found.viewer_token == VIEWER_TOKEN
    assert VIEWER_TOKEN not in repr(found)
    assert VIEWER_TOKEN in found.secrets


def test_it_is_in_no_log(tmp_path):
    house = Served(tmp_path, "version: 1\nrules: []")
    house.environ["DISPATCHER_VIEWER_TOKEN"] = VIEWER_TOKEN
    try:
        house.start()
        assert house.ask("POST", f"{PREFIX}/rooms/x/look", b"", BEARER)[0] == 403
        assert house.ask("GET", f"/{VIEWER_TOKEN}")[0] in (303, 404)
        assert house.ask("POST", f"/{VIEWER_TOKEN}")[0] == 404
        eventually(lambda: '"type": "read-only"' in house.log)
        eventually(lambda: '"event": "request_refused"' in house.log)
        assert VIEWER_TOKEN not in house.log
    finally:
        house.stop()
