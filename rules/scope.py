"""What conditions and templates can read of an event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rules.names import PRESENCE
from rules.template_values import event_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.event import Event
    from rules.session import Session

_PARTS: Final = ("room", "participant", "track", "egress_info", "ingress_info")
_METADATA: Final = ("metadata", "participant_metadata")


class Facts(dict[str, Any]):
    """The names conditions know; what the event does not carry is not there.

    Who is present is gathered when a condition first asks: there may be thousands.
    """

    def __init__(self, event: Event, session: Session) -> None:
        parts = {part: getattr(event, part) for part in _PARTS}
        super().__init__(event=event.name, source=event.source, project=event.project, **parts)
        self._session = session

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as a dictionary's
        """What stands behind a name."""
        if key in PRESENCE and key not in self:
            self[key] = present(self._session, key)
        return super().get(key, default)


def present(session: Session, name: str) -> list[Any]:
    """What one of `PRESENCE` tells of a room."""
    match name:
        case "humans":
            return list(session.humans)
        case "agents":
            return list(session.agents)
        case _:
            return list(session.participants.values())


def presence_context(session: Session) -> Mapping[str, Any]:
    """What templates can read of who is present."""
    people = [
        event_fields(fields, f"participants[{n}]", _METADATA)
        for n, fields in enumerate(session.participants.values())
    ]
    return {"humans": list(session.humans), "agents": list(session.agents), "participants": people}


def template_context(event: Event) -> Mapping[str, Any]:
    """The names templates know of an event, but for `rule`."""
    context: dict[str, Any] = {
        "event": event.name,
        "source": event.source,
        "project": event.project,
    }
    for part in _PARTS:
        fields = getattr(event, part)
        if fields is not None:
            context[part] = event_fields(fields, part, _METADATA)
    now = _moment(event.at) if event.at else None
    if now is not None:
        context["now"] = now
    return context


def _moment(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
