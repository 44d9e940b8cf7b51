"""LiveKit throws our answers away and logs no refusal: what is wrong must be seen here."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.service.signed import headers, joined, written

BODY = written(joined())


@pytest.mark.parametrize(
    ("given", "slug", "words"),
    [
        (headers(BODY, key="otherkey"), "unknown-key", "'otherkey' is not configured here"),
        (headers(BODY, secret="x" * 32), "signature-invalid", "of the key 'devkey'; check"),
        (headers(BODY, valid=-120), "expired", "check this machine's clock"),
        ({"Content-Type": "application/json"}, "signature-missing", "Authorization"),
        ({**headers(BODY), "Content-Type": "text/plain"}, "not-json", "application/webhook+json"),
    ],
)
def test_a_refusal_is_logged_as_the_answers_type_and_what_to_do(post, given, slug, words):
    with capture_logs() as logs:
        answer = post(BODY, given)
    assert answer.json["type"].endswith(f":{slug}")
    [line] = [line for line in logs if line["event"] == "webhook_refused"]
    assert line["type"] == slug
    assert words in line["why"]


@pytest.mark.parametrize("path", ["/webhook", "/webhooks/livekit/"])
def test_a_webhook_for_another_path_is_logged_and_told_the_right_one(client, path):
    with capture_logs() as logs:
        answer = client.post(path, data=BODY, headers=headers(BODY))
    assert answer.status_code == 404
    [line] = logs
    assert (line["event"], line["type"]) == ("request_refused", "not-found")
    assert line["why"] == answer.json["detail"]
    assert line["why"] == f"Nothing is at {path}; webhooks are taken at /webhooks/livekit."


def test_ready_warns_while_the_last_webhook_was_refused(client, post):
    def told():
        return client.get("/readyz").json["checks"]["webhooks"]

    assert told() == {
        "status": "ok", "accepted": 0, "refused": 0, "last_accepted_seconds_ago": None
    }  # fmt: skip
    for _ in range(2):
        post(BODY, headers(BODY, key="otherkey"))
    assert told()["status"] == "warning"
    assert told()["detail"] == "the last 2 were refused: unknown-key; see the log"
    post(BODY)
    assert told() == {
        "status": "ok", "accepted": 1, "refused": 2, "last_accepted_seconds_ago": 0
    }  # fmt: skip
