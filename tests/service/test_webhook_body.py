from __future__ import annotations

import pytest

from service.bodies import MOST_BYTES
from tests.service.signed import URL, headers, joined, written


def sized(size: int) -> bytes:
    raw = written(joined() | {"job": ""})
    return raw.replace(b'"job" :""', b'"job" :"' + b"x" * (size - len(raw)) + b'"')


def test_a_mebibyte_is_taken(post):
    raw = sized(MOST_BYTES)
    assert len(raw) == MOST_BYTES
    assert post(raw).json == {"status": "accepted"}


def test_a_byte_more_is_413_whatever_else_is_wrong(post):
    answer = post(sized(MOST_BYTES + 1), {"Content-Type": "text/plain"})
    assert answer.status_code == 413
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:too-large"


def test_a_stream_without_a_length_is_read_no_further(client):
    class Endless:
        def __init__(self):
            self.given = 0

        def read(self, size=-1):
            assert size > 0
            self.given += size
            return b"x" * size

    endless = Endless()
    answer = client.post(
        URL,
        environ_overrides={"wsgi.input": endless, "wsgi.input_terminated": True},
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert endless.given <= MOST_BYTES + 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
def test_other_content_types_are_415(post, content_type):
    raw = written(joined())
    answer = post(raw, headers(raw) | {"Content-Type": content_type})
    assert answer.status_code == 415
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:not-json"


def test_no_content_type_is_415(post):
    raw = written(joined())
    assert post(raw, {"Authorization": headers(raw)["Authorization"]}).status_code == 415
