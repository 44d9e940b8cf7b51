"""Webhooks as LiveKit sends them, signed before anything is measured."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from livekit.api import AccessToken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY: Final = "APIbenchmark"
SECRET: Final = "a-secret-for-measuring-that-is-long-enough"
ENABLED_CODECS: Final = [
    {"mime": mime}
    for mime in (
        *("audio/PCMU", "audio/PCMA", "audio/opus", "audio/red", "video/VP8", "video/H264"),
        *("video/VP9", "video/AV1", "video/H265", "video/rtx"),
    )
]


class Webhook(NamedTuple):
    """A request, whole, and the room it is about."""

    room: str
    request: bytes


SIGNED_EACH_SECOND: Final = 4000
"""Webhooks that this process signs in a second, at least: none is sent before all are ready."""
SENT_EACH_SECOND: Final = 2000
"""How fast they are taken to be sent where they are sent as fast as it goes."""


def started(names: Sequence[str], per_second: float = SENT_EACH_SECOND) -> list[Webhook]:
    """One `room_started` for each room, created when it will be sent, as near as can be known."""
    began = time.time() + len(names) / SIGNED_EACH_SECOND
    return [_signed(name, "room_started", began + n / per_second) for n, name in enumerate(names)]


def joined(name: str, people: int, per_second: float) -> list[Webhook]:
    """One `participant_joined` for each of many people in one room."""
    began = time.time() + people / SIGNED_EACH_SECOND
    return [
        _signed(
            name,
            "participant_joined",
            began + n / per_second,
            {
                "participant": {
                    "sid": f"PA_{name}-{n}",
                    "identity": f"caller-{n}",
                    "state": "ACTIVE",
                    "joinedAt": str(int(time.time())),
                    "permission": {"canSubscribe": True, "canPublish": True},
                }
            },
        )
        for n in range(people)
    ]


def _signed(
    name: str, event: str, at: float, more: Mapping[str, Any] = MappingProxyType({})
) -> Webhook:
    body = json.dumps(
        {
            "event": event,
            "room": {
                "sid": f"RM_{name}",
                "name": name,
                "emptyTimeout": 300,
                "departureTimeout": 20,
                "creationTime": str(int(at)),
                "creationTimeMs": str(int(at * 1000)),
                "turnPassword": "a-password-that-nobody-must-see-anywhere",
                "enabledCodecs": ENABLED_CODECS,
            },
            **more,
            "id": f"EV_{more.get('participant', {}).get('sid', name)}",
            "createdAt": str(int(at)),
        }
    ).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(KEY, SECRET).with_ttl(timedelta(hours=1)).with_sha256(digest).to_jwt()
    head = (
        "POST /webhooks/livekit HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\n"
        f"Content-Length: {len(body)}\r\nAuthorization: {token}\r\n"
        "Content-Type: application/webhook+json\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    return Webhook(name, head.encode() + body)
