"""Whether a webhook comes from VideoSDK, and what it says.

The signature is over the bytes as they came: RSA-SHA256 (PKCS #1 v1.5), base64, in the header
`videosdk-signature`. It carries no time: one that held once holds as long as the key does. See
https://docs.videosdk.live/api-reference/realtime-communication/webhook-verification
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from rules.videosdk_events import read_videosdk_event
from service.verify import Forged, NotAnEvent, Unsigned, signed_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from rules.event import Event

HEADER: Final = "videosdk-signature"


class KeyMissing(Exception):
    """The key to verify it with is not known yet."""


class Misfit(Forged):
    """The signature is of another key than the one at hand, or of another body."""


def verify_videosdk(
    raw: bytes, signature: str | None, key: RSAPublicKey | None, *, project: str, received_at: float
) -> Event | None:
    """Verify a webhook's body and read the event in it; None: of a type that no rule can use.

    Args:
        raw: the body.
        signature: the header's value.
        key: VideoSDK's; None where it is not known yet.
        project: the account's API key.
        received_at: Unix seconds.

    Raises:
        Unsigned, Forged: it is not from VideoSDK, whatever the key.
        KeyMissing, Misfit: another key might tell otherwise.
        NotAnEvent: it is from VideoSDK, and cannot be read.
    """
    signed = _decoded(signature)
    if key is None:
        raise KeyMissing(
            "the key that VideoSDK signs with is not known yet; the log says why. Send it again"
        )
    try:
        key.verify(signed, raw, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Misfit(
            f"{HEADER} was not made with VideoSDK's key, or for another body than this one"
        ) from None
    body = signed_object(raw)
    body_hash = hashlib.sha256(raw).hexdigest()
    try:
        return read_videosdk_event(
            body, project=project, body_hash=body_hash, received_at=received_at
        )
    except ValueError as error:
        raise NotAnEvent(f"the signed body is not a webhook of VideoSDK: {error}") from None


def _decoded(signature: str | None) -> bytes:
    text = (signature or "").strip()
    if not text:
        raise Unsigned(f"the header {HEADER} must carry VideoSDK's signature of the body")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Forged(f"{HEADER} is not base64") from None
