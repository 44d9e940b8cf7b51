"""A Redis that has no memory left: nothing is stored, and whoever sent it is told why."""

from __future__ import annotations

from service.web import create_app
from tests.service.signed import URL, headers, joined, written


def test_a_webhook_is_to_be_sent_again(settings, redis):
    client = create_app(settings).test_client()
    body = written(joined())
    redis.config_set("maxmemory", 1)
    answer = client.post(URL, data=body, headers=headers(body))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["detail"] == "Redis has no memory left. It is not stored: send it again."
    redis.config_set("maxmemory", 0)
    assert client.post(URL, data=body, headers=headers(body)).json == {"status": "accepted"}
