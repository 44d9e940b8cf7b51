"""What conditions and templates can read of an event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rules.template_values import event_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.event import Event

_PARTS: Final = ("room", "participant", "track", "egress_info", "ingress_info")
_METADATA: Final = ("metadata", "participant_metadata")


def facts(event: Event) -> dict[str, Any]:
    """The names conditions know; what the event does not carry is not there."""
    parts = {part: getattr(event, part) for part in _PARTS}
    return {"event": event.name, "source": event.source, "project": event.project, **parts}


def template_context(event: Event) -> Mapping[str, Any]:
    """The names templates know, but for `rule`."""
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
