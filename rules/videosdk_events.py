"""VideoSDK's webhooks as events: its meetings, sessions and people under the protocol's names.

VideoSDK lists its webhooks, each with an example, at
https://docs.videosdk.live/api-reference/realtime-communication/user-webhooks: an object with
`webhookType` and `data`. Four types tell of sessions and people; the rest (`recording-…`, `hls-…`,
`livestream-…`, `transcription-…` and more) are nothing that a rule can use. There is no event's id,
and a time only where a session starts (`start`) and ends (`end`), as ISO 8601.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rules.event import LEAVING, Event, EventName, read_event

_NAMES: Final = {
    "session-started": EventName.ROOM_STARTED,
    "session-ended": EventName.ROOM_FINISHED,
    "participant-joined": EventName.PARTICIPANT_JOINED,
    "participant-left": EventName.PARTICIPANT_LEFT,
}
_TIMES: Final = {EventName.ROOM_STARTED: "start", EventName.ROOM_FINISHED: "end"}
"""Where `data` tells when it happened."""


def read_videosdk_event(
    body: Mapping[str, Any], *, project: str, body_hash: str, received_at: float
) -> Event | None:
    """Read a webhook of VideoSDK; None: of a type that no rule can use.

    A room is a meeting (`name`) in one session (`sid`). A participant has one id, which is both
    `sid` and `identity`: whoever comes back under the same id cannot be told from a webhook that
    was sent twice. Whether it is an agent is not told either: `kind` is STANDARD.

    Args:
        body: the JSON.
        project: the account's API key; `""` where it is not known.
        body_hash: of the bytes it came in. With type, session and participant it makes the id, so
            that what is sent again has the id it had.
        received_at: Unix seconds; the event's time where VideoSDK does not tell an earlier one.

    Raises:
        ValueError: it is not such a webhook: no type, or a part that is missing or no text.
    """
    kind = body.get("webhookType")
    if not isinstance(kind, str) or not kind:
        raise ValueError("a webhook of VideoSDK needs a name in 'webhookType'")
    name = _NAMES.get(kind)
    if name is None:
        return None
    told = body.get("data")
    if not isinstance(told, Mapping):
        raise ValueError("'data' of a VideoSDK webhook must be an object")  # noqa: TRY004 - bad input
    session = _text(told, "sessionId")
    participant = _text(told, "participantId") if name not in _TIMES else ""
    at = _seconds(told.get(_TIMES.get(name, "")))
    if at is None or not 0 <= at < received_at:
        at = received_at
    parts: dict[str, Any] = {"room": {"sid": session, "name": _text(told, "meetingId")}}
    if name is EventName.ROOM_STARTED:  # by which it is told from an earlier session of the meeting
        parts["room"]["creation_time"] = int(at)
    if participant:
        parts["participant"] = {
            "sid": participant,
            "identity": participant,
            "name": told.get("participantName"),
            "state": "DISCONNECTED" if name in LEAVING else "ACTIVE",
        }
    return read_event(
        {
            "event": name.value,
            "id": _id(kind, session, participant, body_hash),
            "created_at": at,
            **parts,
        },
        project=project,
        source="videosdk",
    )


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"'data.{key}' of a VideoSDK webhook must be text")
    return value


def _id(*parts: str) -> str:
    return "VS_" + hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _seconds(text: object) -> float | None:
    """A time as VideoSDK writes it, in Unix seconds; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None  # VideoSDK's own example has a minute 60
