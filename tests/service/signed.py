"""Webhooks as LiveKit signs them, and as somebody else might."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import jwt

KEY = "devkey"
SECRET = "secretsecretsecretsecretsecretsecret"
ADMIN_TOKEN = "hush-admin-hush-admin"
URL = "/webhooks/livekit"


def joined(event_id: str = "EV_1", *, room: str = "support-1") -> dict[str, Any]:
    """A participant's joining, as livekit-server writes it."""
    return {
        "event": "participant_joined",
        "room": {"sid": "RM_1", "name": room, "turnPassword": "hush-hush-hush"},
        "participant": {"sid": "PA_1", "identity": "ana"},
        "id": event_id,
        "createdAt": str(int(time.time())),
    }


def token(
    body: bytes, *, key: str = KEY, secret: str = SECRET, valid: float = 300, **claims: Any
) -> str:
    """The JWT LiveKit puts into `Authorization`; `claims` replace its own."""
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    own = {"iss": key, "nbf": now - 600, "exp": int(now + valid), "sha256": digest}
    return jwt.encode({**own, **claims}, secret, algorithm="HS256")


def headers(body: bytes, **more: Any) -> dict[str, str]:
    """The headers of a delivery; `more` goes to `token`."""
    return {"Authorization": token(body, **more), "Content-Type": "application/webhook+json"}


def written(event: dict[str, Any]) -> bytes:
    """An event's bytes, with spaces another writer would not make."""
    return json.dumps(event, separators=(",", " :")).encode()
