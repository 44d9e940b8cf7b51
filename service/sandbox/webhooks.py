"""Webhooks as livekit-server signs them; how they go out is in `deliveries.py`."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

import jwt

from service.sandbox.deliveries import RETRY_WAITS, Deliveries
from service.sandbox.names import new_id
from service.sandbox.protojson import webhook_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from livekit.protocol.webhook import WebhookEvent

    from service.sandbox.faults import Faults

_TOKEN_SECONDS: Final = 300


class Webhooks(Deliveries):
    """The webhooks of one server."""

    def __init__(
        self,
        urls: tuple[str, ...],
        key: str,
        secret: str,
        faults: Faults,
        clock: Callable[[], float],
        *,
        retry_waits: tuple[float, ...] = RETRY_WAITS,
    ) -> None:
        super().__init__(urls, faults, retry_waits=retry_waits)
        self._key = key
        self._secret = secret
        self._clock = clock

    def notify(self, event: WebhookEvent) -> None:
        """Queue an event for every URL; it gets its id and its time here."""
        event.id = event.id or new_id("EV_")
        event.created_at = event.created_at or int(self._clock())
        body = webhook_json(event) if self.urls else b""
        self.put(event.event, event.id, event.room.name, body, queue=_queue_of(event))

    def headers(self, body: bytes) -> Mapping[str, str]:
        """The token that vouches for a body."""
        token = sign(body, self._key, self._secret, now=self._clock())
        return {"Authorization": token, "Content-Type": "application/webhook+json"}


def sign(body: bytes, key: str, secret: str, *, now: float) -> str:
    """The token of a webhook: the body's SHA-256, valid for five minutes."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    at = int(now)
    claims = {"iss": key, "exp": at + _TOKEN_SECONDS, "nbf": at, "iat": at, "sha256": digest}
    return jwt.encode(claims, secret, algorithm="HS256")


def _queue_of(event: WebhookEvent) -> str:
    if event.HasField("egress_info"):
        return event.egress_info.egress_id
    if event.HasField("ingress_info"):
        return event.ingress_info.ingress_id
    return event.room.name
