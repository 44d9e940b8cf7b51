"""Events as people write them down for a test, or as they were recorded, one after the other.

What is written by hand may leave out what real events carry: ids, sids, times, and what an earlier
event told of the same room or participant. Metadata may be written as a mapping.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rules.durations import parse_duration
from rules.event import Event, EventName, read_event
from rules.names import CONDITION_NAMES
from rules.problems import nearest, quoted
from rules.protocol import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator


_KEYS: Final = (
    "event", "id", "created_at", "project", "source",
    "room", "participant", "track", "egress_info", "ingress_info",
)  # fmt: skip
_MORE: Final = frozenset(
    {"creation_time_ms", "joined_at_ms", "num_participants", "num_publishers", "version", "layers"}
)
"""Fields of LiveKit's that rules do not read and whose names are like those they read."""
_TOO_DEEP: Final = "no JSON that can be read: it is nested too deeply"


@dataclass(slots=True)
class Storyline:
    """Reads events in their order, on one clock."""

    now: float
    """Unix seconds; of the last event, or when the first comes."""
    _number: int = 0
    _rooms: dict[str, dict[str, Any]] = field(default_factory=dict)
    _people: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _sessions: dict[str, int] = field(default_factory=dict)

    def next(self, given: Mapping[str, Any]) -> Event:
        """The next event, written by hand.

        Beside what an event has, it may say `at`, an RFC 3339 time, or `after`, how long it comes
        after the one before.

        Raises:
            ValueError: it is no event; the message says why.
        """
        body = dict(given)
        self._number += 1
        self._tick(body)
        name = body.get("event")
        if not isinstance(name, str):
            raise ValueError("an event needs its name in 'event', such as participant_joined")  # noqa: TRY004 - bad input
        if name not in set(EventName):
            hint = nearest(name, map(str, EventName))
            raise ValueError(f"there is no event {quoted(name)}{hint}")
        _check_names(body)
        body = {**body, **self._told(body, name)}
        return self._timed(read_event(body, fallback_id=f"EV_{self._number}"), body)

    def recorded(self, lines: str) -> Iterator[Event]:
        """Events of a file of JSON lines: webhooks' bodies, or deliveries that hold one in `body`.

        The key that signed it may stand beside it, in `project`: a webhook's body does not tell it.

        Raises:
            ValueError: a line is no event; the message says which.
        """
        for number, line in enumerate(lines.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                given = _json(line)
                whole = given if isinstance(given, dict) else {}
                body, project = whole.get("body", given), whole.get("project")
                body = _json(body) if isinstance(body, str) else body
                if not isinstance(body, dict):
                    raise ValueError("a JSON object is needed")  # noqa: TRY004, TRY301 - bad input
                self._number += 1
                key = project if isinstance(project, str) else ""
                event = read_event(body, project=key, fallback_id=f"EV_{self._number}")
                event = self._timed(event, body)
            except (ValueError, RecursionError) as error:
                told = _TOO_DEEP if isinstance(error, RecursionError) else error
                raise ValueError(f"line {number}: {told}") from error
            yield event

    def _timed(self, event: Event, body: Mapping[str, Any]) -> Event:
        """The event, on the clock: at its own time, or else at the time of the one before it."""
        told = "created_at" in body or "createdAt" in body
        at = event.at if told else self.now
        try:
            datetime.fromtimestamp(at, UTC)
        except (ValueError, OverflowError, OSError):
            at = 0.0
        if not at:
            what = "'created_at' is a time in Unix seconds" if told else "'after' is too long"
            raise ValueError(what)
        self.now = at
        return replace(event, at=at)

    def _tick(self, body: dict[str, Any]) -> None:
        at, after = body.pop("at", None), body.pop("after", None)
        if at is not None and after is not None:
            raise ValueError("an event has 'at' or 'after', not both")
        if at is not None:
            when = read_time(at)
            if self._number > 1 and when < self.now:
                raise ValueError(f"{quoted(at)} is before the event that comes first")
            self.now = when
        elif after is not None:
            try:
                self.now += parse_duration(str(after)).total_seconds()
            except ValueError as error:
                raise ValueError(f"'after': {error}") from None

    def _told(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """The event's room and participant with what was told of them before."""
        told: dict[str, Any] = {}
        room = _object(body, "room")
        if room is None and ("participant" in body or name.startswith("room_")):
            raise ValueError("an event needs its 'room', such as {name: support-1}")
        if room is not None:
            key = str(room.get("name", ""))
            if name == EventName.ROOM_STARTED or key not in self._sessions:
                self._sessions[key] = self._sessions.get(key, 0) + 1
                self._rooms.pop(key, None)
            sid = f"RM_{key}_{self._sessions[key]}"
            told["room"] = self._rooms[key] = {"sid": sid, **self._rooms.get(key, {}), **room}
            participant = _object(body, "participant")
            if participant is not None:
                who = (str(told["room"]["sid"]), str(participant.get("identity", "")))
                known = {**self._people.get(who, {}), **participant}
                told["participant"] = self._people[who] = known
        return told


def read_time(text: object) -> float:
    """An RFC 3339 time, in Unix seconds; UTC where it says no zone.

    Raises:
        ValueError: it is not one.
    """
    try:
        when = datetime.fromisoformat(str(text))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{quoted(text)} is no time: write 2026-03-02T10:00:00+01:00") from None


def _json(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON; what is wrong with it is told in words of ours."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg}, at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except ValueError:
        raise ValueError("no JSON that can be read: a number has too many digits") from None


def _check_names(body: Mapping[str, Any]) -> None:
    """Refuse what is misspelt: it would silently not be there."""
    for key in body:
        if snake_case(str(key)) not in _KEYS:
            raise ValueError(f"an event has no {quoted(key)}{nearest(str(key), _KEYS)}")
    for part in ("room", "participant", "track"):
        fields = body.get(part)
        known = CONDITION_NAMES.fields[part].fields
        for key in fields if isinstance(fields, Mapping) else ():
            name = snake_case(str(key))
            hint = nearest(name, known, part) if name not in known.keys() | _MORE else ""
            if hint:
                raise ValueError(f"unknown field {quoted(f'{part}.{key}')}{hint}")


def _object(body: Mapping[str, Any], part: str) -> dict[str, Any] | None:
    given = body.get(part)
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ValueError(f"'{part}' of an event is a mapping")  # noqa: TRY004 - bad input
    fields = dict(given)
    attributes = fields.get("attributes")
    for key, value in attributes.items() if isinstance(attributes, Mapping) else ():
        if not isinstance(value, str):
            quote = ": quote it" if isinstance(value, int | float) else ""
            raise ValueError(f"the attribute {quoted(key)} must be text{quote}")  # noqa: TRY004 - bad input
    if isinstance(fields.get("metadata"), Mapping | list):
        fields["metadata"] = json.dumps(fields["metadata"], ensure_ascii=False)
    return fields
