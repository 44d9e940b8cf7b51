"""Signatures that somebody might try on the route of VideoSDK's webhooks: each is 401."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512

from service.web import create_app
from tests.service import signed
from tests.service.videosdk import KEY, OTHER_KEY, PINNED, URL, came, pem, signature
from workers.settings import load_settings

RAW = came()
PSS = padding.PSS(padding.MGF1(SHA256()), padding.PSS.MAX_LENGTH)
V15 = padding.PKCS1v15()


@pytest.fixture
def client(environ):
    return create_app(load_settings({**environ, **PINNED})).test_client()


@pytest.fixture(autouse=True)
def _nothing_is_stored(redis):
    yield
    assert redis.keys() == []


def slug(client, given: str | bytes, **more: str) -> str:
    text = given if isinstance(given, str) else base64.b64encode(given).decode()
    told = {"videosdk-signature": text, "Content-Type": "application/json", **more}
    answer = client.post(URL, data=RAW, headers=told)
    assert answer.status_code == 401
    return answer.json["type"].rpartition(":")[2]


def padded_by_hand(prefix: bytes) -> bytes:
    """A signature whose padding is looser than PKCS #1 has it, by the right key."""
    numbers = KEY.private_numbers()
    modulus = numbers.public_numbers.n
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(RAW).digest()
    block = prefix + info
    block += b"\0" * (256 - len(block))
    return pow(int.from_bytes(block), numbers.d, modulus).to_bytes(256)


MADE = {
    "PSS": KEY.sign(RAW, PSS, SHA256()),
    "SHA-1": KEY.sign(RAW, V15, SHA1()),  # noqa: S303 - to be refused
    "SHA-384": KEY.sign(RAW, V15, SHA384()),
    "SHA-512": KEY.sign(RAW, V15, SHA512()),
    "of the hash": KEY.sign(hashlib.sha256(RAW).digest(), V15, SHA256()),
    "of the hash in hex": KEY.sign(hashlib.sha256(RAW).hexdigest().encode(), V15, SHA256()),
    "of nothing": KEY.sign(b"", V15, SHA256()),
    "of another body's hash": KEY.sign(hashlib.sha256(b"x").digest(), V15, Prehashed(SHA256())),
    "another key": OTHER_KEY.sign(RAW, V15, SHA256()),
    "a smaller key": rsa.generate_private_key(65537, 1024).sign(RAW, V15, SHA256()),  # noqa: S505 - to be refused
    "a larger key": rsa.generate_private_key(65537, 3072).sign(RAW, V15, SHA256()),
    "an elliptic curve": ec.generate_private_key(ec.SECP256R1()).sign(RAW, ec.ECDSA(SHA256())),
    "Ed25519": ed25519.Ed25519PrivateKey.generate().sign(RAW),
    "HMAC by the public key": hmac.new(pem(KEY).encode(), RAW, "sha256").digest(),
    "the hash itself": hashlib.sha256(RAW).digest(),
    "short padding, then rubbish": padded_by_hand(b"\0\1" + b"\xff" * 8 + b"\0"),
    "no padding": padded_by_hand(b"\0\1\0"),
    "zero": b"\0" * 256,
    "one": b"\0" * 255 + b"\1",
    "the modulus": KEY.public_key().public_numbers().n.to_bytes(256),
    "more than the modulus": b"\xff" * 256,
    "a zero before": b"\0" + base64.b64decode(signature(RAW)),
    "a zero behind": base64.b64decode(signature(RAW)) + b"\0",
    "huge": b"\1" * 10_000,
}


@pytest.mark.parametrize("how", MADE)
def test_a_signature_made_otherwise(client, how):
    assert slug(client, MADE[how]) == "signature-invalid"


def test_a_changed_letter_anywhere(client):
    good = signature(RAW)
    for at in range(0, len(good), 7):
        other = "A" if good[at] != "A" else "B"
        assert slug(client, good[:at] + other + good[at + 1 :]) == "signature-invalid"


@pytest.mark.parametrize(
    "odd", ["é", "\u0080", "%00", "-", "_", " x", "\x7f", ",", ";", "sha256=", "{}", "'"]
)
def test_a_letter_that_is_none_of_base64(client, odd):
    good = signature(RAW)
    assert slug(client, odd + good) == "signature-invalid"
    assert slug(client, good + odd) == "signature-invalid"
    assert slug(client, good[:9] + odd + good[9:]) == "signature-invalid"


@pytest.mark.parametrize("between", [",", ", ", " "])
def test_two_signatures(client, between):
    assert slug(client, signature(RAW) + between + signature(RAW)) == "signature-invalid"


def test_a_token_of_livekit_beside_it_counts_for_nothing(client):
    token = {"Authorization": signed.token(RAW)}
    assert slug(client, signature(RAW, OTHER_KEY), **token) == "signature-invalid"
    assert slug(client, "", **token) == "signature-missing"


def test_the_api_secret_and_the_admin_token_sign_nothing(client):
    for secret in ("hush-videosdk", signed.ADMIN_TOKEN, signed.SECRET):
        digest = hmac.new(secret.encode(), RAW, "sha256").digest()
        assert slug(client, digest) == "signature-invalid"
