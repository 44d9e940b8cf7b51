"""Webhooks as VideoSDK signs them: base64 of the RSA-SHA256 of the body in `videosdk-signature`.

https://docs.videosdk.live/api-reference/realtime-communication/webhook-verification says so. That
those of a meeting go out one after another, and when they are sent again, is not documented: here
it is as with LiveKit (`deliveries.py`).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.sandbox.deliveries import RETRY_WAITS, Deliveries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.sandbox.faults import Faults
    from service.sandbox.videosdk.sessions import Session


class Webhooks(Deliveries):
    """The webhooks of one account, and the key that signs them."""

    def __init__(
        self,
        urls: tuple[str, ...],
        faults: Faults,
        *,
        retry_waits: tuple[float, ...] = RETRY_WAITS,
    ) -> None:
        super().__init__(urls, faults, retry_waits=retry_waits)
        self._key = rsa.generate_private_key(65537, 2048)

    @property
    def public_key(self) -> str:
        """In PEM."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def notify(self, kind: str, session: Session, fields: Mapping[str, Any]) -> None:
        """Queue a webhook for every URL. It has no id of its own."""
        data = {"meetingId": session.meeting, "sessionId": session.id, **fields}
        body = json.dumps({"webhookType": kind, "data": data}).encode()
        self.put(kind, "", session.meeting, body, queue=session.meeting)

    def headers(self, body: bytes) -> Mapping[str, str]:
        """The signature of a body."""
        signature = self._key.sign(body, padding.PKCS1v15(), SHA256())
        return {
            "Content-Type": "application/json",
            "videosdk-signature": base64.b64encode(signature).decode(),
        }
