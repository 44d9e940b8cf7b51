"""The names rules can use, in the protocol's own words, and what stands behind each.

Source: LiveKit's protocol (`livekit_models.proto`, `livekit_egress.proto`,
`livekit_ingress.proto`) as its webhooks carry it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from rules.event import EventName

if TYPE_CHECKING:
    from collections.abc import Mapping

_N = EventName


class Kind(Enum):
    """What sort of value a name stands for."""

    TEXT = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    METADATA = auto()
    """Text that may hold a JSON object, whose fields are then readable."""
    ATTRIBUTES = auto()
    """Free keys, text values."""
    JSON = auto()
    """Anything, of a shape unknown here."""
    GROUP = auto()
    """A mapping with the fields listed."""
    NAMES = auto()
    """A list of names: a text asks whether it is among them, a number how many there are."""


@dataclass(frozen=True, slots=True)
class Name:
    """One name: its kind, its fields if it is a group, its constants if it is an enum."""

    kind: Kind
    fields: Mapping[str, Name] = field(default_factory=dict)
    constants: tuple[str, ...] = ()
    many: bool = False
    """Whether a list of such values may stand there; then any of them, as a whole, may match."""

    def child(self, key: str) -> Name | None:
        """What stands behind a field of this name; None if there is no such field."""
        if self.kind is Kind.GROUP:
            return self.fields.get(key)
        if self.kind in (Kind.METADATA, Kind.JSON):
            return JSON
        return TEXT if self.kind is Kind.ATTRIBUTES else None


TEXT: Final = Name(Kind.TEXT)
NUMBER: Final = Name(Kind.NUMBER)
BOOLEAN: Final = Name(Kind.BOOLEAN)
METADATA: Final = Name(Kind.METADATA)
ATTRIBUTES: Final = Name(Kind.ATTRIBUTES)
JSON: Final = Name(Kind.JSON, many=True)


def _group(**fields: Name) -> Name:
    return Name(Kind.GROUP, fields)


def _enum(words: str) -> Name:
    return Name(Kind.TEXT, constants=tuple(words.split()))


KINDS: Final = _enum("STANDARD INGRESS EGRESS SIP AGENT CONNECTOR BRIDGE")
TRACK_SOURCES: Final = _enum("UNKNOWN CAMERA MICROPHONE SCREEN_SHARE SCREEN_SHARE_AUDIO")

ROOM: Final = _group(
    sid=TEXT,
    name=TEXT,
    metadata=METADATA,
    creation_time=NUMBER,
    empty_timeout=NUMBER,
    departure_timeout=NUMBER,
    max_participants=NUMBER,
)
PARTICIPANT: Final = _group(
    sid=TEXT,
    identity=TEXT,
    name=TEXT,
    kind=KINDS,
    state=_enum("JOINING JOINED ACTIVE DISCONNECTED"),
    metadata=METADATA,
    attributes=ATTRIBUTES,
    joined_at=NUMBER,
    permission=_group(
        can_subscribe=BOOLEAN,
        can_publish=BOOLEAN,
        can_publish_data=BOOLEAN,
        can_publish_sources=replace(TRACK_SOURCES, many=True),
        can_update_metadata=BOOLEAN,
        can_subscribe_metrics=BOOLEAN,
        can_manage_agent_session=BOOLEAN,
        hidden=BOOLEAN,
        recorder=BOOLEAN,
        agent=BOOLEAN,
    ),
    disconnect_reason=_enum(
        "UNKNOWN_REASON CLIENT_INITIATED DUPLICATE_IDENTITY SERVER_SHUTDOWN PARTICIPANT_REMOVED "
        "ROOM_DELETED STATE_MISMATCH JOIN_FAILURE MIGRATION SIGNAL_CLOSE ROOM_CLOSED "
        "USER_UNAVAILABLE USER_REJECTED SIP_TRUNK_FAILURE CONNECTION_TIMEOUT MEDIA_FAILURE "
        "AGENT_ERROR"
    ),
    is_publisher=BOOLEAN,
)
TRACK: Final = _group(
    sid=TEXT,
    type=_enum("AUDIO VIDEO DATA"),
    source=TRACK_SOURCES,
    name=TEXT,
    mime_type=TEXT,
    muted=BOOLEAN,
    width=NUMBER,
    height=NUMBER,
    simulcast=BOOLEAN,
    stereo=BOOLEAN,
    disable_dtx=BOOLEAN,
    disable_red=BOOLEAN,
    encryption=_enum("NONE GCM CUSTOM"),
    stream=TEXT,
    mid=TEXT,
)
EGRESS_INFO: Final = _group(
    egress_id=TEXT,
    room_id=TEXT,
    room_name=TEXT,
    source_type=_enum("EGRESS_SOURCE_TYPE_WEB EGRESS_SOURCE_TYPE_SDK"),
    status=_enum(
        "EGRESS_STARTING EGRESS_ACTIVE EGRESS_ENDING EGRESS_COMPLETE EGRESS_FAILED "
        "EGRESS_ABORTED EGRESS_LIMIT_REACHED"
    ),
    started_at=NUMBER,
    ended_at=NUMBER,
    updated_at=NUMBER,
    error=TEXT,
    error_code=NUMBER,
    details=TEXT,
    manifest_location=TEXT,
    backup_storage_used=BOOLEAN,
    retry_count=NUMBER,
    egress=JSON,
    replay=JSON,
    room_composite=JSON,
    web=JSON,
    participant=JSON,
    track_composite=JSON,
    track=JSON,
    stream=JSON,
    file=JSON,
    segments=JSON,
    stream_results=JSON,
    file_results=JSON,
    segment_results=JSON,
    image_results=JSON,
)
INGRESS_INFO: Final = _group(
    ingress_id=TEXT,
    name=TEXT,
    url=TEXT,
    input_type=_enum("RTMP_INPUT WHIP_INPUT URL_INPUT"),
    bypass_transcoding=BOOLEAN,
    enable_transcoding=BOOLEAN,
    room_name=TEXT,
    participant_identity=TEXT,
    participant_name=TEXT,
    participant_metadata=METADATA,
    reusable=BOOLEAN,
    enabled=BOOLEAN,
    audio=JSON,
    video=JSON,
    state=_group(
        status=_enum(
            "ENDPOINT_INACTIVE ENDPOINT_BUFFERING ENDPOINT_PUBLISHING ENDPOINT_ERROR "
            "ENDPOINT_COMPLETE"
        ),
        error=TEXT,
        room_id=TEXT,
        started_at=NUMBER,
        ended_at=NUMBER,
        updated_at=NUMBER,
        resource_id=TEXT,
        video=JSON,
        audio=JSON,
        tracks=JSON,
    ),
)

PRESENCE: Final = ("humans", "agents", "participants")
"""Names that tell of the room after the event, not of the event."""

CONDITION_NAMES: Final = _group(
    event=_enum(" ".join(_N)),
    source=_enum("livekit videosdk"),
    project=TEXT,
    room=ROOM,
    participant=PARTICIPANT,
    track=TRACK,
    egress_info=EGRESS_INFO,
    ingress_info=INGRESS_INFO,
    humans=Name(Kind.NAMES),
    agents=Name(Kind.NAMES),
    participants=replace(PARTICIPANT, many=True),
)
PRESENCE_NAMES: Final = Name(Kind.GROUP, {name: CONDITION_NAMES.fields[name] for name in PRESENCE})
TEMPLATE_NAMES: Final = Name(
    Kind.GROUP,
    {
        **CONDITION_NAMES.fields,
        **dict.fromkeys(PRESENCE, JSON),
        "rule": TEXT,
        "tables": JSON,
        "now": JSON,
        "range": JSON,
    },
)

_PARTICIPANT_EVENTS: Final = frozenset(
    {
        _N.PARTICIPANT_JOINED,
        _N.PARTICIPANT_LEFT,
        _N.PARTICIPANT_CONNECTION_ABORTED,
        _N.PARTICIPANT_CHANGED,
        _N.TRACK_PUBLISHED,
        _N.TRACK_UNPUBLISHED,
    }
)
CARRIED_BY: Final[Mapping[str, frozenset[EventName]]] = {
    "participant": _PARTICIPANT_EVENTS,
    "track": frozenset({_N.TRACK_PUBLISHED, _N.TRACK_UNPUBLISHED}),
    "egress_info": frozenset({_N.EGRESS_STARTED, _N.EGRESS_UPDATED, _N.EGRESS_ENDED}),
    "ingress_info": frozenset({_N.INGRESS_STARTED, _N.INGRESS_ENDED}),
}
"""Which events carry what not every event carries."""
