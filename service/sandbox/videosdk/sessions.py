"""Meetings that are going on and that were: who is in them and who has been."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Shape(StrEnum):
    """How `GET /v2/sessions/{id}/participants/active` answers: VideoSDK's pages show both."""

    SESSIONS = "sessions"
    """`{"pageInfo": …, "data": [{"_id": …, "participants": […]}]}`"""
    SESSION = "session"
    """`{"data": {"id": …, "participants": […]}}`"""


@dataclass(slots=True)
class Participant:
    """Somebody in one session. Who comes back has the same id and another stay."""

    id: str
    name: str
    stays: list[tuple[float, float | None]] = field(default_factory=list)
    """Unix seconds, from and to; None: it is there."""

    @property
    def is_present(self) -> bool:
        """Whether it is there now."""
        return self.stays[-1][1] is None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        timelog = [{"start": shown(start), "end": shown(end)} for start, end in self.stays]
        return {"participantId": self.id, "name": self.name, "timelog": timelog}


@dataclass(slots=True, eq=False)
class Session:
    """One life of a meeting."""

    id: str
    meeting: str
    start: float
    end: float | None = None
    people: dict[str, Participant] = field(default_factory=dict)
    """By id, those who have left too."""

    @property
    def present(self) -> list[Participant]:
        """Those who are there now."""
        return [each for each in self.people.values() if each.is_present]

    def to_json(self) -> dict[str, Any]:
        """As the API shows it, but for its participants."""
        return {
            "id": self.id,
            "roomId": self.meeting,
            "start": shown(self.start),
            "end": shown(self.end),
            "status": "ongoing" if self.end is None else "ended",
        }


class Sessions:
    """All sessions, and what happens in them. `tell` is told of each: a type, a session, fields."""

    def __init__(
        self, tell: Callable[[str, Session, Mapping[str, Any]], None], clock: Callable[[], float]
    ) -> None:
        self.all: dict[str, Session] = {}
        """By id, oldest first, those that have ended too."""
        self.going_on: dict[str, Session] = {}
        """By meeting."""
        self._tell = tell
        self._clock = clock

    def join(self, meeting: str, identity: str, name: str) -> Session:
        """Let somebody in; a session begins with the first. Who is there already leaves first."""
        session = self.going_on.get(meeting)
        if session is None:
            session = Session(os.urandom(12).hex(), meeting, self._clock())
            self.all[session.id] = self.going_on[meeting] = session
            self._tell("session-started", session, {"start": shown(session.start)})
        known = session.people.get(identity)
        if known is not None and known.is_present:
            self._leave(session, known)
        there = session.people.setdefault(identity, Participant(identity, name))
        there.stays.append((self._clock(), None))
        self._tell("participant-joined", session, _named(there))
        return session

    def leave(self, meeting: str, identity: str) -> None:
        """Let somebody out; the session ends with the last.

        Raises:
            KeyError: nobody there has this id.
        """
        session = self.going_on[meeting]
        there = session.people[identity]
        if not there.is_present:
            raise KeyError(identity)
        self._leave(session, there)
        if not session.present:
            self.end(meeting)

    def end(self, meeting: str) -> None:
        """Everybody leaves, and the session is over.

        Raises:
            KeyError: no session of this meeting is going on.
        """
        session = self.going_on.pop(meeting)
        for there in session.present:
            self._leave(session, there)
        session.end = self._clock()
        times = {"start": shown(session.start), "end": shown(session.end)}
        self._tell("session-ended", session, times)

    def is_present(self, meeting: str, identity: str) -> bool:
        """Whether somebody of this id is in the meeting now."""
        session = self.going_on.get(meeting)
        there = session.people.get(identity) if session is not None else None
        return there is not None and there.is_present

    def _leave(self, session: Session, there: Participant) -> None:
        there.stays[-1] = (there.stays[-1][0], self._clock())
        self._tell("participant-left", session, _named(there))


def shown(at: float | None) -> str | None:
    """A time as VideoSDK writes it: `2023-07-24T08:28:09.215Z`."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _named(there: Participant) -> dict[str, Any]:
    return {"participantId": there.id, "participantName": there.name}
