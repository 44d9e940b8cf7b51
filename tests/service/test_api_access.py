from __future__ import annotations

import pytest

from service.api import PREFIX
from service.web import create_app
from tests.service.conftest import RULES
from tests.service.served import Served
from tests.service.signed import ADMIN_TOKEN
from tests.waiting import eventually
from workers.settings import load_settings

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
PROBLEM = "urn:livekit-dispatcher:problem:"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/rooms"])
def test_without_the_token_nobody_learns_what_there_is(client, path):
    assert client.get(path).status_code == 401
    assert client.get(path, headers=BEARER).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/apis", "/readyz"])
def test_what_is_not_the_api_needs_no_token(client, path):
    assert client.get(path).status_code != 401


@pytest.mark.parametrize(
    ("authorization", "slug", "told"),
    [
        (None, "token-missing", "Bearer"),
        ("", "token-missing", "Bearer"),
        ("Bearer", "token-missing", "Bearer"),
        ("Bearer ", "token-missing", "Bearer"),
        (ADMIN_TOKEN, "token-missing", "Bearer"),
        (f"Basic {ADMIN_TOKEN}", "token-missing", "Bearer"),
        ("Bearer x", "token-invalid", 'Bearer error="invalid_token"'),
        (f"Bearer {ADMIN_TOKEN} {ADMIN_TOKEN}", "token-invalid", 'Bearer error="invalid_token"'),
        (f"Bearer {ADMIN_TOKEN[:-1]}é", "token-invalid", 'Bearer error="invalid_token"'),
        (f"Bearer {ADMIN_TOKEN.upper()}", "token-invalid", 'Bearer error="invalid_token"'),
    ],
)
def test_what_is_refused_says_why(client, authorization, slug, told):
    given = {} if authorization is None else {"Authorization": authorization}
    answer = client.post(f"{PREFIX}/rooms/x/look", headers=given)
    assert (answer.status_code, answer.json["type"]) == (401, PROBLEM + slug)
    assert answer.headers["WWW-Authenticate"] == told
    assert ADMIN_TOKEN not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_scheme_is_read_as_http_says(client, scheme):
    given = {"Authorization": scheme + ADMIN_TOKEN}
    assert client.post(f"{PREFIX}/rooms/x/look", headers=given).status_code == 202


@pytest.mark.parametrize("token", ["", "None", "x"])
def test_where_no_token_is_configured_nobody_is_let_in(environ, token):
    app = create_app(load_settings({**environ, "DISPATCHER_ADMIN_TOKEN": ""}))
    given = {"Authorization": f"Bearer {token}"}
    answer = app.test_client().post(f"{PREFIX}/rooms/x/look", headers=given)
    assert answer.status_code == 401


def test_the_token_is_in_no_log(tmp_path):
    house = Served(tmp_path, RULES)
    try:
        house.start()
        for authorization in (ADMIN_TOKEN, f"Bearer {ADMIN_TOKEN}x"):
            given = {"Authorization": authorization}
            assert house.ask("POST", f"{PREFIX}/rooms/x/look", b"", given)[0] == 401
        assert house.ask("POST", f"/{ADMIN_TOKEN}")[0] == 404
        eventually(lambda: '"event": "request_refused"' in house.log)
        assert house.log.count('"event": "api_refused"') == 2
        assert ADMIN_TOKEN not in house.log
    finally:
        house.stop()
