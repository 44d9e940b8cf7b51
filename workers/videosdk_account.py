"""The VideoSDK account that agents are sent with, where one is configured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from workers.servers import ServerError


@dataclass(frozen=True, slots=True)
class VideoSdkAccount:
    """What VideoSDK is called with, and how its webhooks are verified."""

    url: str
    """Of its API, without a slash at its end."""
    api_key: str
    """`""` where a token is given alone."""
    secret: str = field(repr=False)
    """Signs tokens; `""` where one is given."""
    token: str = field(repr=False)
    """`""`: tokens are signed here."""
    webhook_key: str = ""
    """PEM of the RSA key that signs webhooks; `""`: VideoSDK is asked for it."""

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that stand for the URL in Redis, as those of a LiveKit server."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:10]


def read_rsa_key(pem: str) -> RSAPublicKey:
    """The key that is written there.

    Raises:
        ValueError: it is not an RSA public key in PEM.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it must be a public key in PEM, -----BEGIN PUBLIC KEY-----") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it must be an RSA key")  # noqa: TRY004 - bad input
    return key


def check_rsa_key(pem: str) -> str:
    """The PEM of an RSA public key; the two characters backslash and n may end its lines.

    Raises:
        ValueError: it is not that.
    """
    pem = pem.replace("\\n", "\n")
    read_rsa_key(pem)
    return pem


def find_account(
    *, url: str, key: str | None, secret: str | None, token: str | None, webhook_key: str | None
) -> VideoSdkAccount | None:
    """Bring the VIDEOSDK_ variables together; None: it is not configured.

    Raises:
        ServerError: a key without secret, a secret without key, or nothing to call it with.
    """
    if token and secret:
        raise ServerError("VIDEOSDK_TOKEN and VIDEOSDK_SECRET are both set: keep one of them")
    if secret and not key:
        raise ServerError("VIDEOSDK_SECRET is set without its key: set VIDEOSDK_API_KEY")
    if key and not (secret or token):
        raise ServerError(
            f"VIDEOSDK_API_KEY={key!r} has no secret: set VIDEOSDK_SECRET or VIDEOSDK_TOKEN"
        )
    if not (secret or token):
        if webhook_key:
            raise ServerError(
                "VIDEOSDK_WEBHOOK_PUBLIC_KEY is set without an account: set VIDEOSDK_API_KEY and"
                " VIDEOSDK_SECRET, or VIDEOSDK_TOKEN"
            )
        return None
    return VideoSdkAccount(url, key or "", secret or "", token or "", webhook_key or "")
