"""An event as the rules see it: LiveKit's verified JSON, in the protocol's own names.

LiveKit sends protobuf JSON: camelCase names, enums by name, 64-bit integers as strings, zero
values left out. The rules read snake_case, numbers as numbers and the protocol's defaults filled
in, but only where the event carries the thing whole: track events carry a room of which just `sid`
and `name` are known, and what is not known stays absent.

Conditions read this and not the protobuf message, which turns kinds it does not know into
STANDARD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rules.frozen import replace
from rules.metadata import well_formed
from rules.protocol import part_fields, snake_case

Fields = Mapping[str, Any]


class EventName(StrEnum):
    """The names a rule can use in `on`."""

    ROOM_STARTED = "room_started"
    ROOM_FINISHED = "room_finished"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    PARTICIPANT_CONNECTION_ABORTED = "participant_connection_aborted"
    TRACK_PUBLISHED = "track_published"
    TRACK_UNPUBLISHED = "track_unpublished"
    EGRESS_STARTED = "egress_started"
    EGRESS_UPDATED = "egress_updated"
    EGRESS_ENDED = "egress_ended"
    INGRESS_STARTED = "ingress_started"
    INGRESS_ENDED = "ingress_ended"
    ROOM_CHANGED = "room_changed"
    """Ours, as is the next: a listing showed other metadata or attributes than were known."""
    PARTICIPANT_CHANGED = "participant_changed"


VIDEOSDK: Final = "videosdk"
"""The source whose participants have no kind, and one sid for all their visits."""
OURS: Final = frozenset({EventName.ROOM_CHANGED, EventName.PARTICIPANT_CHANGED})
"""Events that no webhook tells of."""

HUMAN_KINDS: Final = frozenset({"STANDARD", "SIP", "CONNECTOR", "BRIDGE"})
"""Kinds of participants that are people (or a person's phone)."""


@dataclass(frozen=True)
class Event:
    """One event of one room."""

    id: str
    name: str
    at: float
    """When it happened (`createdAt`), Unix seconds."""
    project: str
    """The API key that signed it."""
    source: str = "livekit"
    room: Fields | None = None
    participant: Fields | None = None
    track: Fields | None = None
    egress_info: Fields | None = None
    ingress_info: Fields | None = None

    @property
    def room_name(self) -> str:
        """Name of the event's room; `""` where it belongs to none (an ingress without a room)."""
        return self._of_room("name", "room_name")

    @property
    def room_sid(self) -> str:
        """Sid of the event's room; `""` if the event does not say."""
        return self._of_room("sid", "room_id")

    def _of_room(self, in_room: str, in_info: str) -> str:
        if self.room is not None:
            return str(self.room.get(in_room, ""))
        ingress = self.ingress_info or {}
        for info in (self.egress_info or {}, ingress, ingress.get("state") or {}):
            if info.get(in_info):
                return str(info[in_info])
        return ""

    def to_json(self) -> dict[str, Any]:
        """The event as it is stored and shown; `read_event` reads it back."""
        parts = {name: getattr(self, name) for name in _PARTS if getattr(self, name) is not None}
        return {
            "event": self.name,
            "id": self.id,
            "created_at": self.at,
            "project": self.project,
            "source": self.source,
            **parts,
        }

    def carrying(self, *, room: Fields | None, participant: Fields | None) -> Event:
        """The same event with what the record of its room knows of it filled in."""
        return replace(self, room=room, participant=participant)


_PARTS: Final = ("room", "participant", "track", "egress_info", "ingress_info")

LEAVING: Final = frozenset({EventName.PARTICIPANT_LEFT, EventName.PARTICIPANT_CONNECTION_ABORTED})
"""Events that tell of a participant who is gone."""

PARTIAL: Final = frozenset({EventName.TRACK_PUBLISHED, EventName.TRACK_UNPUBLISHED})
"""Events whose `room` and `participant` are names and sids only."""


def read_event(
    body: Mapping[str, Any], *, project: str = "", source: str = "", fallback_id: str = ""
) -> Event:
    """Read a webhook's JSON, or an event written by hand in snake_case.

    Secrets LiveKit sends along (a room's `turnPassword`, an ingress' `streamKey`) are dropped here
    and go no further.

    Args:
        body: the JSON.
        project: the key that signed it; what the JSON itself says counts only where this is empty,
            for events that were stored or written by hand.
        source: the provider, likewise.
        fallback_id: the id of an event that carries none.

    Raises:
        ValueError: it is not a webhook event: no name, or a part that is not an object.
    """
    name = body.get("event")
    if not isinstance(name, str) or not name:
        msg = "a webhook event needs a name in 'event'"
        raise ValueError(msg)
    fields: dict[str, Any] = {snake_case(key): value for key, value in body.items()}
    parts: dict[str, Fields] = {}
    for part in _PARTS:
        given = fields.get(part)
        if given is None:
            continue
        if not isinstance(given, Mapping):
            msg = f"'{part}' of a webhook event must be an object"
            raise ValueError(msg)  # noqa: TRY004 - bad input, not a programming error
        try:
            parts[part] = part_fields(part, given, partial=name in PARTIAL)
        except RecursionError as error:
            msg = f"'{part}' of a webhook event is nested too deeply"
            raise ValueError(msg) from error
    return Event(
        id=well_formed(str(fields.get("id") or fallback_id)),
        name=name,
        at=_seconds(fields.get("created_at")),
        project=project or str(fields.get("project") or ""),
        source=source or str(fields.get("source") or "livekit"),
        **parts,
    )


def whole_participant(given: Mapping[str, Any]) -> Fields:
    """A participant as a webhook or a listing gives it, with the protocol's defaults."""
    return part_fields("participant", given, partial=False)


def whole_room(given: Mapping[str, Any]) -> Fields:
    """A room as a webhook or a listing gives it, with the protocol's defaults."""
    return part_fields("room", given, partial=False)


def is_human(participant: Fields) -> bool:
    """Whether a participant counts among the humans: a person's kind, and not hidden."""
    permission = participant.get("permission") or {}
    return participant.get("kind", "STANDARD") in HUMAN_KINDS and not permission.get("hidden")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
