"""Tokens that somebody might try on the route of LiveKit's webhooks: each is refused with 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta

import jwt
import pytest
from livekit.api import AccessToken, VideoGrants

from service.web import create_app
from tests.service import videosdk
from tests.service.signed import KEY, SECRET, URL, headers, joined, token, written
from workers.settings import load_settings

RAW = written(joined())
OTHER = "othersecretothersecretothersecretother"


def claims(**more):
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(RAW).digest()).decode()
    return {"iss": KEY, "nbf": now, "exp": now + 300, "sha256": digest, **more}


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def by_hand(header, payload=None, secret=SECRET, digest="sha256"):
    """A token whose header says one thing, and whose signature is HMAC whatever it says."""
    signed = f"{encoded(header)}.{encoded(payload or claims())}"
    return f"{signed}.{encoded(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


def without(name):
    return {key: value for key, value in claims().items() if key != name}


def join_token(**more):
    """What every participant holds: made with the same key, and with whatever its bearer chose."""
    made = AccessToken(KEY, SECRET).with_identity("ana").with_ttl(timedelta(hours=1))
    made = made.with_grants(VideoGrants(room_join=True, room="support-1"))
    made = made.with_metadata(json.dumps({"sha256": claims()["sha256"]}))
    return made.with_attributes({"sha256": claims()["sha256"], **more}).to_jwt()


@pytest.fixture(autouse=True)
def _nothing_is_stored(redis):
    yield
    assert redis.keys() == []


def slug(post, authorization):
    answer = post(RAW, headers(RAW) | {"Authorization": authorization})
    assert answer.status_code == 401
    return answer.json["type"].rpartition(":")[2]


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer "])
def test_the_same_signed_as_livekit_does_is_taken(post, redis, scheme):
    given = headers(RAW) | {"Authorization": scheme + by_hand({"alg": "HS256", "typ": "JWT"})}
    assert post(RAW, given).status_code == 200
    redis.flushall()


@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "nOnE", "", None, "HS384", "HS512", "hs256", "RS256", "RS384", "ES256",
     "PS256", "EdDSA", "HS1", "A256GCM", "HS256 ", ["HS256"], {"alg": "HS256"}, 256],
)  # fmt: skip
@pytest.mark.parametrize("signature", ["none", "hmac"])
def test_another_algorithm_than_hs256(post, algorithm, signature):
    whole = by_hand({"alg": algorithm, "typ": "JWT"})
    unsigned = whole.rpartition(".")[0] + "."
    assert slug(post, unsigned if signature == "none" else whole) == "signature-invalid"


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("HS384", "sha384"), ("HS512", "sha512"), ("HS256", "sha512")]
)
def test_another_hash_with_the_right_secret(post, algorithm, digest):
    assert slug(post, by_hand({"alg": algorithm}, digest=digest)) == "signature-invalid"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_an_rsa_signature_and_its_own_key_in_the_header(post, algorithm):
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(videosdk.KEY.public_key()))
    made = jwt.encode(claims(), videosdk.KEY, algorithm=algorithm, headers={"jwk": public})
    assert slug(post, made) == "signature-invalid"


def test_a_header_without_an_algorithm(post):
    assert slug(post, by_hand({"typ": "JWT"})) == "signature-invalid"


@pytest.mark.parametrize(
    "more",
    [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": False, "crit": ["b64"]}, {"kid": 7}],
)
def test_a_header_that_asks_for_more(post, more):
    assert slug(post, by_hand({"alg": "HS256", **more}, secret=OTHER)) == "signature-invalid"


@pytest.mark.parametrize("kid", ["../../dev/null", "' or 1=1", "\x00", KEY])
@pytest.mark.parametrize("secret", ["", "\x00", OTHER])
def test_a_key_named_in_the_header_is_not_looked_for(post, kid, secret):
    assert slug(post, by_hand({"alg": "HS256", "kid": kid}, secret=secret)) == "signature-invalid"


@pytest.mark.parametrize("secret", ["", KEY, "secret", OTHER, SECRET[:-1], SECRET + "x"])
def test_another_secret(post, secret):
    assert slug(post, by_hand({"alg": "HS256"}, secret=secret)) == "signature-invalid"


@pytest.mark.parametrize(("signer", "other"), [((KEY, OTHER), "second"), (("second", SECRET), KEY)])
def test_one_keys_secret_signs_for_no_other_key(environ, signer, other):
    environ["LIVEKIT_KEYS"] = f"second: {OTHER}"
    client = create_app(load_settings(environ)).test_client()
    key, secret = signer
    answer = client.post(URL, data=RAW, headers=headers(RAW, key=key, secret=secret))
    assert (answer.status_code, other != key) == (401, True)


@pytest.mark.parametrize(
    "wrong",
    [{"exp": -61}, {"exp": -86_400}, {"nbf": 120}, {"nbf": 10**9}, {"iat": 120}],
    ids=str,
)
def test_a_token_of_another_time(post, wrong):
    [(name, seconds)] = wrong.items()
    assert (
        slug(post, by_hand({"alg": "HS256"}, claims(**{name: time.time() + seconds}))) == "expired"
    )


@pytest.mark.parametrize("name", ["iss", "exp", "sha256"])
def test_a_claim_that_is_missing(post, name):
    assert slug(post, by_hand({"alg": "HS256"}, without(name))) == "signature-invalid"


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": "soon"}, {"exp": True}, {"exp": None}, {"exp": []}, {"exp": -(10**400)},
        {"nbf": "x"}, {"iat": "x"}, {"aud": "somebody"}, {"iss": [KEY]}, {"iss": {"a": KEY}},
        {"iss": 1}, {"sha256": "0" * 64}, {"sha256": base64.b64encode(b"x" * 32).decode()},
        {"sha256": [1]},
        {"sha256": hashlib.sha256(RAW).hexdigest()}, {"sha256": base64.b64encode(b"").decode()},
    ],
    ids=range(16),
)  # fmt: skip
def test_a_claim_that_is_another(post, wrong):
    told = slug(post, by_hand({"alg": "HS256"}, claims(**wrong)))
    assert told in ("signature-invalid", "expired")


def test_a_number_that_is_none(post):
    payload = json.dumps(claims()).replace(str(claims()["exp"]), "1e999").encode()
    assert slug(post, by_hand({"alg": "HS256"}, payload)) in ("signature-invalid", "expired")


def test_a_claim_twice_counts_as_json_says_and_is_signed_for(post):
    payload = json.dumps(claims()).encode()[:-1] + b', "iss": "stranger"}'
    assert slug(post, by_hand({"alg": "HS256"}, payload)) == "unknown-key"


def test_a_participants_join_token(post):
    assert slug(post, join_token()) == "signature-invalid"
    assert slug(post, f"Bearer {join_token()}") == "signature-invalid"


def test_a_token_for_livekits_api(post):
    grants = VideoGrants(room_admin=True, room_list=True, room_create=True)
    made = AccessToken(KEY, SECRET).with_grants(grants).to_jwt()
    assert slug(post, made) == "signature-invalid"


@pytest.mark.parametrize("between", [",", ", ", " ", "\t", ".", ";"])
def test_two_tokens_in_one_header(post, between):
    good = token(RAW)
    assert slug(post, good + between + good) == "signature-invalid"


@pytest.mark.parametrize(
    "huge",
    ["a" * 15_000, "." * 15_000, "a." * 5000, "e30." + "a" * 15_000 + ".x",
     by_hand({"alg": "HS256", "x": "y" * 10_000}, secret=OTHER),
     f"e30.{encoded(b'[' * 10_000)}.x", f"e30.{encoded(b'1' * 10_000)}.x"],
    ids=range(7),
)  # fmt: skip
def test_a_huge_token(post, huge):
    began = time.monotonic()
    assert slug(post, huge) == "signature-invalid"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "odd", ["é", "\u00ff", "\u0080", "%", "=", "==", " ", "+", "/", "\x7f", "'"]
)
def test_a_letter_that_is_none_of_a_token(post, place, odd):
    parts = token(RAW).split(".")
    parts[place] = odd + parts[place][1:]
    assert slug(post, ".".join(parts)) in ("signature-invalid", "unknown-key")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
def test_a_token_of_more_or_fewer_parts(post, count):
    parts = [*token(RAW).split("."), "e30", "e30"][:count]
    told = slug(post, ".".join(parts))
    assert told == ("signature-missing" if count == 0 else "signature-invalid")


def test_a_token_in_jsons_clothes(post):
    header, payload, signature = token(RAW).split(".")
    whole = json.dumps({"protected": header, "payload": payload, "signature": signature})
    assert slug(post, whole) == "signature-invalid"


def test_the_token_elsewhere_than_in_the_header_counts_for_nothing(client):
    kind = {"Content-Type": "application/json"}
    for query, more in (
        (f"?access_token={token(RAW)}", {}),
        (f"?token={token(RAW)}", {}),
        ("", {"Cookie": f"Authorization={token(RAW)}"}),
        ("", {"X-Authorization": token(RAW)}),
        ("", {"Proxy-Authorization": token(RAW)}),
    ):
        answer = client.post(URL + query, data=RAW, headers=kind | more)
        assert (answer.status_code, answer.json["type"].rpartition(":")[2]) == (
            401,
            "signature-missing",
        )
