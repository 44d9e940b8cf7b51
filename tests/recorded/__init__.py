"""Webhooks recorded from a real livekit-server 1.13.5, and the means to sign them again.

`webhooks.jsonl` holds one delivery a line: `at` (Unix seconds), `step` (what was being done),
`headers` and `body`, the exact text. Each room's `turnPassword`, a secret, has been replaced by one
that begins with `TURN_SECRET` and is as long; nothing of this product may ever show it.

    for delivery in recorded("support-1"):
        client.post("/webhooks/livekit", data=delivery.body, headers=delivery.signed(KEY, SECRET))
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

TURN_SECRET = "TURN-SECRET-"
PATH = Path(__file__).with_name("webhooks.jsonl")


@dataclass(frozen=True)
class Recorded:
    """One delivery of the recording."""

    at: float
    step: str
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)

    def signed(self, key: str, secret: str, now: float | None = None) -> dict[str, str]:
        """The headers to send it with."""
        return signed(self.body, key, secret, now)


def recorded(step: str = "") -> list[Recorded]:
    """The deliveries, in order; of the steps beginning with `step`, or all of them."""
    read = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]
    return [
        Recorded(one["at"], one["step"], one["body"].encode())
        for one in read
        if one["step"].startswith(step)
    ]


def signed(body: bytes, key: str, secret: str, now: float | None = None) -> dict[str, str]:
    """The headers with which LiveKit posts these bytes: a raw JWT over them, without `Bearer`.

    `now` is when they are signed, Unix seconds; without it, just now. The token is good for five
    minutes.
    """
    at = int(time.time() if now is None else now)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": key, "exp": at + 300, "nbf": at, "iat": at, "sha256": digest}
    return {
        "Authorization": jwt.encode(claims, secret, algorithm="HS256"),
        "Content-Type": "application/webhook+json",
        "User-Agent": "Go-http-client/1.1",
    }
