"""The VIDEOSDK_ variables: an account, or words about what is missing."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from workers.settings import SettingsError, load_settings


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_without_them_there_is_no_account() -> None:
    assert load_settings({}).videosdk is None
    assert load_settings({"VIDEOSDK_URL": "http://127.0.0.1:1"}).videosdk is None


def test_a_key_and_its_secret_are_one() -> None:
    settings = load_settings({"VIDEOSDK_API_KEY": "k", "VIDEOSDK_SECRET": "s3cret"})
    account = settings.videosdk
    assert account is not None
    assert (account.api_key, account.secret, account.url) == (
        "k", "s3cret", "https://api.videosdk.live"
    )  # fmt: skip
    assert "s3cret" in settings.secrets
    assert "s3cret" not in repr(settings)


def test_a_token_is_one_by_itself() -> None:
    settings = load_settings({"VIDEOSDK_TOKEN": "a.b.c", "VIDEOSDK_URL": "http://127.0.0.1:9/"})
    assert settings.videosdk is not None
    assert (settings.videosdk.token, settings.videosdk.url) == ("a.b.c", "http://127.0.0.1:9")
    assert "a.b.c" in settings.secrets
    assert "a.b.c" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"VIDEOSDK_API_KEY": "k"}, "VIDEOSDK_API_KEY='k' has no secret: set VIDEOSDK_SECRET"),
        ({"VIDEOSDK_SECRET": "s3cret"}, "VIDEOSDK_SECRET is set without its key"),
        ({"VIDEOSDK_API_KEY": "k", "VIDEOSDK_SECRET": "s3cret", "VIDEOSDK_TOKEN": "t"},
         "VIDEOSDK_TOKEN and VIDEOSDK_SECRET are both set"),
        ({"VIDEOSDK_TOKEN": "s3cret token"}, "VIDEOSDK_TOKEN is not allowed: it must be ASCII"),
        ({"VIDEOSDK_URL": "wss://x"}, "VIDEOSDK_URL='wss://x' is not allowed: it must begin with"),
        ({"VIDEOSDK_WEBHOOK_PUBLIC_KEY": "s3cret"}, "it must be a public key in PEM"),
        ({"VIDEOSDK_WEBHOOK_PUBLIC_KEY": pem(ec.generate_private_key(ec.SECP256R1()))},
         "VIDEOSDK_WEBHOOK_PUBLIC_KEY is not allowed: it must be an RSA key"),
        ({"VIDEOSDK_WEBHOOK_PUBLIC_KEY": pem(rsa.generate_private_key(65537, 2048))},
         "VIDEOSDK_WEBHOOK_PUBLIC_KEY is set without an account"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_told(given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(given)
    assert words in str(told.value)
    assert "s3cret" not in str(told.value)


def test_a_public_key_may_be_written_on_one_line() -> None:
    key = pem(rsa.generate_private_key(65537, 2048))
    given = {"VIDEOSDK_TOKEN": "t", "VIDEOSDK_WEBHOOK_PUBLIC_KEY": key.replace("\n", "\\n")}
    account = load_settings(given).videosdk
    assert account is not None
    assert account.webhook_key.strip() == key.strip()
