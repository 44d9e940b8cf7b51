from __future__ import annotations

import base64
import json

import jwt
import pytest

from tests.service.signed import KEY, SECRET, headers, joined, token, written

RAW = written(joined())


def unsigned_claims(claims: object) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{encoded}.c2ln"


def refused(post, authorization, raw=RAW):
    given = headers(RAW) | {"Authorization": authorization}
    answer = post(raw, given)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.json["type"].rpartition(":")[2]


@pytest.fixture(autouse=True)
def _nothing_is_stored(redis):
    yield
    assert redis.keys() == []


def test_no_token(post):
    given = {"Content-Type": "application/json"}
    answer = post(RAW, given)
    assert answer.json == {
        "type": "urn:livekit-dispatcher:problem:signature-missing",
        "title": "The request is not signed",
        "status": 401,
        "detail": "the Authorization header must carry the JWT LiveKit signs webhooks with.",
    }
    assert refused(post, "Bearer ") == "signature-missing"


def test_an_unknown_key(post):
    assert refused(post, token(RAW, key="stranger")) == "unknown-key"


def test_another_secret(post):
    assert refused(post, token(RAW, secret="x" * 40)) == "signature-invalid"


def test_a_token_of_another_body(post):
    assert refused(post, token(written(joined("EV_2")))) == "signature-invalid"


def test_a_changed_body(post):
    assert refused(post, token(RAW), RAW.replace(b"ana", b"eva")) == "signature-invalid"


def test_a_truncated_body(post):
    assert refused(post, token(RAW), RAW[:-9]) == "signature-invalid"


def test_an_expired_token(post):
    assert refused(post, token(RAW, valid=-61)) == "expired"


def test_a_token_of_the_future(post):
    assert refused(post, token(RAW, nbf=4_000_000_000)) == "expired"


def test_a_token_without_expiry(post):
    assert refused(post, token(RAW, exp=None)) == "signature-invalid"


@pytest.mark.parametrize("digest", [None, "", 7, "%%%", ["x"]])
def test_a_token_without_a_good_hash(post, digest):
    assert refused(post, token(RAW, sha256=digest)) == "signature-invalid"


def test_an_unsigned_token(post):
    unsigned = jwt.encode({"iss": KEY, "exp": 4_000_000_000}, None, algorithm="none")
    assert refused(post, unsigned) == "signature-invalid"


def test_another_algorithm(post):
    other = jwt.encode({"iss": KEY, "exp": 4_000_000_000}, SECRET * 2, algorithm="HS512")
    assert refused(post, other) == "signature-invalid"


@pytest.mark.parametrize(
    "wrong",
    [
        "x", "x.y", "a.b.c", "....", "Basic eDp5", "é.é.é", "Bearer Bearer x",
        unsigned_claims({}), unsigned_claims([]), unsigned_claims(7),
        unsigned_claims({"iss": None}), unsigned_claims({"iss": ["devkey"]}),
        unsigned_claims({"iss": {"a": 1}}), "a." + "W1tb" * 2000 + ".c",
    ],
)  # fmt: skip
def test_what_is_no_token(post, wrong):
    assert refused(post, wrong) == "signature-invalid"


def test_grants_that_are_no_grants(post):
    assert refused(post, token(RAW, video=7)) == "signature-invalid"
    assert refused(post, token(RAW, roomConfig={"agents": 7})) == "signature-invalid"
