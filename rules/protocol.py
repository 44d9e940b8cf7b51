"""LiveKit's protobuf JSON to the fields rules read: snake_case, numbers as numbers, defaults filled
in, secrets left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rules.metadata import well_formed

Fields = Mapping[str, Any]


_ROOM_DEFAULTS: Final[Fields] = {
    "sid": "",
    "name": "",
    "metadata": "",
    "creation_time": 0,
    "empty_timeout": 0,
    "departure_timeout": 0,
    "max_participants": 0,
}

_PARTICIPANT_DEFAULTS: Final[Fields] = {
    "sid": "",
    "identity": "",
    "name": "",
    "kind": "STANDARD",
    "state": "JOINING",
    "metadata": "",
    "attributes": {},
    "joined_at": 0,
    "permission": {},
    "disconnect_reason": "UNKNOWN_REASON",
    "is_publisher": False,
}

PERMISSION_DEFAULTS: Final[Fields] = {
    "can_subscribe": False,
    "can_publish": False,
    "can_publish_data": False,
    "can_publish_sources": [],
    "can_update_metadata": False,
    "can_subscribe_metrics": False,
    "can_manage_agent_session": False,
    "hidden": False,
    "recorder": False,
    "agent": False,
}

_TRACK_DEFAULTS: Final[Fields] = {
    "sid": "",
    "type": "AUDIO",
    "source": "UNKNOWN",
    "name": "",
    "mime_type": "",
    "muted": False,
    "width": 0,
    "height": 0,
    "simulcast": False,
    "stereo": False,
    "disable_dtx": False,
    "disable_red": False,
    "encryption": "NONE",
    "stream": "",
    "mid": "",
}

_EGRESS_DEFAULTS: Final[Fields] = {
    "egress_id": "",
    "room_id": "",
    "room_name": "",
    "source_type": "EGRESS_SOURCE_TYPE_WEB",
    "status": "EGRESS_STARTING",
    "started_at": 0,
    "ended_at": 0,
    "updated_at": 0,
    "error": "",
    "error_code": 0,
    "details": "",
    "manifest_location": "",
    "backup_storage_used": False,
    "retry_count": 0,
}

_INGRESS_DEFAULTS: Final[Fields] = {
    "ingress_id": "",
    "name": "",
    "url": "",
    "input_type": "RTMP_INPUT",
    "bypass_transcoding": False,
    "room_name": "",
    "participant_identity": "",
    "participant_name": "",
    "participant_metadata": "",
    "reusable": False,
}

_INGRESS_STATE_DEFAULTS: Final[Fields] = {
    "status": "ENDPOINT_INACTIVE",
    "error": "",
    "room_id": "",
    "started_at": 0,
    "ended_at": 0,
    "updated_at": 0,
    "resource_id": "",
}

_SECRETS: Final = frozenset(
    """
    turn_password stream_key password secret access_key session_token account_key credentials
    """.split()  # noqa: SIM905 - as words in a sentence
)
"""Of a room, an ingress, and where an egress is stored to, should LiveKit ever send them."""

_UNREAD: Final = frozenset({"enabledCodecs", "enabled_codecs", "capabilities"})
"""Long lists no rule reads; dropped so that they are not stored once for every event."""

_OPAQUE: Final = frozenset({"attributes"})
"""Mappings whose keys are the user's own: never renamed, never read as numbers."""

_INT64_FIELDS: Final = frozenset(
    {
        "created_at",
        "creation_time",
        "creation_time_ms",
        "duration",
        "ended_at",
        "end_offset_ms",
        "end_time",
        "image_count",
        "joined_at",
        "joined_at_ms",
        "last_retry_at",
        "segment_count",
        "size",
        "start_time",
        "start_offset_ms",
        "started_at",
        "ticks",
        "unix_micro",
        "updated_at",
    }
)
"""64-bit integers, which arrive as strings. A room's name of digits only stays a string."""

_CAMEL: Final = re.compile(r"(?<!^)(?=[A-Z])")

_INT64: Final = re.compile(r"-?[0-9]{1,20}\Z")

DEFAULTS: Final[Mapping[str, Fields]] = {
    "room": _ROOM_DEFAULTS,
    "participant": _PARTICIPANT_DEFAULTS,
    "track": _TRACK_DEFAULTS,
    "egress_info": _EGRESS_DEFAULTS,
    "ingress_info": _INGRESS_DEFAULTS,
}
_TEXTS: Final = {
    part: tuple(key for key, default in defaults.items() if isinstance(default, str))
    for part, defaults in DEFAULTS.items()
}
"""The fields of each part that are text in the protocol."""


def part_fields(part: str, given: Mapping[str, Any], *, partial: bool) -> Fields:
    """The fields of one part of an event, such as its room.

    Args:
        part: `room`, `participant`, `track`, `egress_info` or `ingress_info`.
        given: as LiveKit sends it, or already in snake_case.
        partial: whether the event carries rooms and participants by name only, so that what is
            left out is unknown and not the protocol's default.

    Raises:
        ValueError: it is not such a part: a text that is none, attributes that are no texts.
    """
    fields = _plain(given)
    fields |= _texts(part, fields)
    if partial and part != "track":
        return fields
    whole = {**DEFAULTS[part], **fields}
    if part == "participant":
        whole["permission"] = {**PERMISSION_DEFAULTS, **_object(whole, "permission")}
        _check_attributes(whole["attributes"])
    if part == "ingress_info" and "state" in whole:
        whole["state"] = {**_INGRESS_STATE_DEFAULTS, **_object(whole, "state")}
    return whole


def _texts(part: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The fields that are text in the protocol and have come as numbers: enums LiveKit has no name
    for.
    """
    texts: dict[str, str] = {}
    for key in _TEXTS[part]:
        value = given.get(key)
        if value is None or isinstance(value, str):
            continue
        if not isinstance(value, int | float):
            msg = f"'{key}' of '{part}' must be text"
            raise ValueError(msg)  # noqa: TRY004 - bad input, not a programming error
        texts[key] = str(value)
    return texts


def _object(whole: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = whole[key]
    if not isinstance(value, Mapping):
        msg = f"'{key}' must be an object"
        raise ValueError(msg)  # noqa: TRY004 - bad input, not a programming error
    return value


def _check_attributes(attributes: object) -> None:
    if isinstance(attributes, Mapping) and all(
        isinstance(value, str) for value in attributes.values()
    ):
        return
    msg = "'attributes' of a participant must be an object of strings"
    raise ValueError(msg)


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in given.items():
        name = _read_as(key)
        if name is not None and _is_json(value):
            plain[name] = _own(value) if key in _OPAQUE else _value(name, value)
    return plain


@lru_cache(maxsize=2048)
def _read_as(key: str) -> str | None:
    """The name of a field; None of one that goes no further."""
    name = snake_case(key)
    return None if name in _SECRETS or key in _UNREAD else name


def _value(key: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):  # most are, and to ask for a mapping takes long
        is_number = key in _INT64_FIELDS and _INT64.match(value)
        return int(value) if is_number else well_formed(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list):
        return [_value("", item) for item in value if _is_json(item)]
    return value


def _own(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {
        well_formed(str(key)): well_formed(item) if isinstance(item, str) else item
        for key, item in value.items()
        if _is_json(item)
    }


def _is_json(value: object) -> bool:
    """Whether there is anything: null is absent, and Python reads NaN where JSON has none."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


@lru_cache(maxsize=2048)
def snake_case(name: str) -> str:
    """A protobuf JSON name as the protocol has it: `emptyTimeout` is `empty_timeout`."""
    return _CAMEL.sub("_", name).lower()
