"""What VideoSDK has not signed, and what it has signed that is no event."""

from __future__ import annotations

import base64

import pytest
from structlog.testing import capture_logs

from service.bodies import MOST_BYTES
from service.web import create_app
from tests.service import signed
from tests.service.videosdk import OTHER_KEY, PINNED, URL, came, headers, signature
from workers.settings import load_settings

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(environ):
    return create_app(load_settings({**environ, **PINNED})).test_client()


@pytest.fixture(autouse=True)
def _nothing_is_stored(redis):
    yield
    assert redis.keys() == []


def refused(client, body, given):
    with capture_logs() as logs:
        answer = client.post(URL, data=body, headers=given)
    assert answer.content_type == "application/problem+json"
    slug = answer.json["type"].rpartition(":")[2]
    [line] = [line for line in logs if line["event"] == "webhook_refused"]
    assert (line["type"], line["why"]) == (slug, answer.json["detail"])
    return answer.status_code, slug


@pytest.mark.parametrize("given", [{}, {"videosdk-signature": ""}, {"videosdk-signature": "  "}])
def test_no_signature(client, given):
    assert refused(client, came(), JSON | given) == (401, "signature-missing")


def test_a_livekit_token_is_no_signature(client):
    body = signed.written(signed.joined())
    assert refused(client, body, signed.headers(body)) == (401, "signature-missing")


@pytest.mark.parametrize(
    "wrong",
    [
        "%%%", "é", signature(came())[:-1], signature(came()) + "=",
        f"{signature(came())},{signature(came())}",
    ],
)  # fmt: skip
def test_what_is_not_base64(client, wrong):
    given = JSON | {"videosdk-signature": wrong}
    assert refused(client, came(), given) == (401, "signature-invalid")


@pytest.mark.parametrize("cut", [0, 1, 128, 255])
def test_a_truncated_signature(client, cut):
    short = base64.b64encode(base64.b64decode(signature(came()))[:cut] or b"\0").decode()
    given = JSON | {"videosdk-signature": short}
    assert refused(client, came(), given) == (401, "signature-invalid")


def test_another_key(client):
    assert refused(client, came(), headers(came(), OTHER_KEY)) == (401, "signature-invalid")


@pytest.mark.parametrize(
    "body", [came("p-ben"), came()[:-1], came() + b" ", came().replace(b" ,", b","), b""]
)
def test_another_body(client, body):
    assert refused(client, body, headers(came())) == (401, "signature-invalid")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the signed body is not JSON"),
        (b"null", "the signed body is not a JSON object"),
        (b"[]", "the signed body is not a JSON object"),
        (b"{}", "'webhookType'"),
        (came()[:-1], "the signed body is not JSON"),
        (came().replace(b'"Ana"', b"NaN"), "NaN is not JSON"),
        (came().replace(b'"Ana"', b"[" * 100_000), "the signed body is not JSON"),
        (came().replace(b'"Ana"', b"9" * 5000), "the signed body is not JSON"),
        (came().replace(b"Ana", b"\xff\xfe"), "the signed body is not JSON"),
        (came().replace(b'"Ana"', b"[1]"), "'name' of 'participant' must be text"),
        (came(meetingId=None), "'data.meetingId' of a VideoSDK webhook must be text"),
        (came(sessionId=""), "'data.sessionId' of a VideoSDK webhook must be text"),
        (came(participantId=7), "'data.participantId' of a VideoSDK webhook must be text"),
        (signed.written(signed.joined()), "'webhookType'"),
    ],
    ids=range(14),
)
def test_a_signed_body_that_is_no_event(client, body, words):
    assert refused(client, body, headers(body)) == (400, "not-an-event")
    assert words in client.post(URL, data=body, headers=headers(body)).json["detail"]


def test_a_body_that_is_too_long_whatever_else_is_wrong(client):
    body = b"x" * (MOST_BYTES + 1)
    assert refused(client, body, {"Content-Type": "text/plain"}) == (413, "too-large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "json", ""])
def test_other_content_types(client, content_type):
    given = headers(came()) | {"Content-Type": content_type}
    assert refused(client, came(), given) == (415, "not-json")


def test_without_an_account_it_is_404_and_says_what_to_set(environ):
    client = create_app(load_settings(environ)).test_client()
    assert refused(client, came(), headers(came())) == (404, "not-configured")
    detail = client.post(URL, data=came(), headers=headers(came())).json["detail"]
    assert "set VIDEOSDK_API_KEY and VIDEOSDK_SECRET" in detail


def test_the_right_path_is_told(client):
    answer = client.post(f"{URL}/", data=came(), headers=headers(came()))
    assert answer.status_code == 404
    assert answer.json["detail"].endswith("webhooks are taken at /webhooks/videosdk.")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(client, method):
    answer = client.open(URL, method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_ready_warns_while_the_last_webhook_was_refused(client):
    client.post(URL, data=came(), headers=headers(came(), OTHER_KEY))
    told = client.get("/readyz").json["checks"]["webhooks"]
    assert told["detail"] == "the last 1 were refused: signature-invalid; see the log"
