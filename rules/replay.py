"""Events played through the rules as the service would: claims, limits, presence and the clock move
on from one to the next.

An agent is live from its dispatch until an event tells that it has left, until it is released, or
until its room's session ends; it joins when events say so. That every agent comes is taken for
granted: nothing falls back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count
from math import inf, nextafter
from types import MappingProxyType
from typing import TYPE_CHECKING

from rules.decide import decide
from rules.decision import Decision, Outcome, Plan, Provider, Reason, Refusal
from rules.delay import refusal_when_due
from rules.event import LEAVING, Event, EventName
from rules.known import Known
from rules.session import Session, agent_name, observe

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from rules.rule import Rule
    from rules.ruleset import Ruleset


class Fate(StrEnum):
    """What has become of a dispatch."""

    SCHEDULED = "scheduled"
    SENT = "sent"
    ENDED = "ended"
    RELEASED = "released"
    NOT_SENT = "not_sent"
    """Not wanted any more when its `after` was over."""


@dataclass(slots=True, eq=False)
class Sent:
    """A dispatch of a replay. Times are Unix seconds."""

    plan: Plan
    rule: Rule
    event: Event
    """What the rule matched, filled in."""
    number: int
    """Which of the replay's events that was, from 0."""
    at: float
    """When it is sent."""
    fate: Fate
    refusal: Refusal | None = None
    """Why it is not sent after all."""
    agent_sid: str = ""
    leaving_since: float | None = None
    """Since when its `release` holds."""

    @property
    def leaves_at(self) -> float | None:
        """When it is to be released, if nothing changes until then."""
        if self.leaving_since is None:
            return None
        return self.leaving_since + self.plan.release.after

    @property
    def was_sent(self) -> bool:
        """Whether an agent was asked for."""
        return self.fate not in (Fate.SCHEDULED, Fate.NOT_SENT)


@dataclass(frozen=True, slots=True)
class Played:
    """An event after it was decided."""

    event: Event
    """Filled in from what was known of its room."""
    decisions: tuple[Decision, ...]


@dataclass(slots=True)
class _Room:
    session: Session
    past: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    live: list[Sent] = field(default_factory=list)


class Replay:
    """Plays events, in the order given."""

    def __init__(
        self, ruleset: Ruleset, providers: Container[Provider] = frozenset(Provider)
    ) -> None:
        self._ruleset = ruleset
        self._providers = providers
        self._rooms: dict[str, _Room] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._timers: list[tuple[float, int, _Room, Sent]] = []
        self._order = count()
        self._number = 0
        self.sent: list[Sent] = []
        """Every dispatch, in the order decided."""

    def knows(self, room: str, session: Session) -> None:
        """Begin with a room that was there before the first event."""
        self._rooms[room] = _Room(session)

    def play(self, event: Event, live: Mapping[str, str] = MappingProxyType({})) -> Played:
        """Let the clock run until an event, and decide it.

        Args:
            event: as it came.
            live: claims that are live beside those of what was played, and their rules.
        """
        self.run_until(event.at)
        event = self._ruleset.agents_are.seen(event)
        room = self._room_of(event)
        session, event = observe(room.session if room is not None else _ended(event), event)
        if room is not None:
            room.session = session
            self._agents(room, event)
        decisions = decide(self._ruleset, event, session, self._known(room, live))
        for decision in decisions:
            for plan in decision.plans if decision.outcome is Outcome.DISPATCH else ():
                self._send(room, plan, event)
        self._number += 1
        if room is not None:
            self._release(room, event)
        return Played(event, decisions)

    def run_until(self, at: float) -> None:
        """Let the clock run: what was to wait is sent, and who was to leave leaves.

        Events come before what is due in the same moment.
        """
        while self._timers and self._timers[0][0] < at:
            due, _, room, sent = heappop(self._timers)
            if sent.fate is Fate.SCHEDULED:
                self._due(room, sent)
            elif sent.fate is Fate.SENT and sent.leaves_at is not None and sent.leaves_at <= due:
                self._move(room, sent, Fate.RELEASED)

    def run_out(self) -> None:
        """Let the clock run until no dispatch waits any more."""
        waiting = [each.at for each in self.sent if each.fate is Fate.SCHEDULED]
        if waiting:
            self.run_until(nextafter(max(waiting), inf))

    def _room_of(self, event: Event) -> _Room | None:
        """The room as it is before an event; None if the event's session is over."""
        name, sid = event.room_name, event.room_sid
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room(Session(sid))
        elif sid in room.past:
            return None
        elif sid not in ("", room.session.sid):
            room.past.add(room.session.sid)
            room.session = replace(room.session, ended=True)
            self._end(room)
            room.session, room.accepted = Session(sid), set()
        return room

    def _known(self, room: _Room | None, live: Mapping[str, str]) -> Known:
        played = {s.plan.claim.key: s.plan.rule for s in room.live} if room is not None else {}
        return Known(
            live={**live, **played},
            accepted=frozenset(room.accepted) if room is not None else frozenset(),
            active=lambda rule, per: self._counts[rule, per],
            providers=self._providers,
        )

    def _send(self, room: _Room | None, plan: Plan, event: Event) -> None:
        rule = self._ruleset.rule(plan.rule)
        if rule is None:
            raise AssertionError(plan.rule)
        sent = Sent(plan, rule, event, self._number, event.at + plan.after, Fate.SCHEDULED)
        self.sent.append(sent)
        if room is None:  # nothing is sent into a session that is over
            return
        room.live.append(sent)
        self._count(sent, 1)
        if plan.after:
            self._at(sent.at, room, sent)
        else:
            self._ask(room, sent)

    def _ask(self, room: _Room, sent: Sent) -> None:
        sent.fate = Fate.SENT
        if sent.plan.remembered:
            room.accepted.add(sent.plan.claim.key)

    def _due(self, room: _Room, sent: Sent) -> None:
        sent.refusal = refusal_when_due(sent.rule, sent.event, room.session)
        if sent.refusal is None and sent.leaves_at is not None and sent.leaves_at <= sent.at:
            told = "what 'release' names came before its 'after' was over"
            sent.refusal = Refusal(Reason.CONDITION, "release", told)
        if sent.refusal is not None:
            self._move(room, sent, Fate.NOT_SENT)
            return
        self._ask(room, sent)
        if sent.leaves_at is not None:
            self._at(sent.leaves_at, room, sent)

    def _agents(self, room: _Room, event: Event) -> None:
        """Agents that come and go, before anything is decided of it."""
        if room.session.ended:
            self._end(room)
            return
        participant = event.participant or {}
        sid = str(participant.get("sid") or participant.get("identity") or "")
        if participant.get("kind") != "AGENT" or not sid:
            return
        sent = [each for each in room.live if each.fate is Fate.SENT]
        if event.name == EventName.PARTICIPANT_JOINED:
            name = agent_name(participant)
            for each in [s for s in sent if not s.agent_sid and s.plan.agent == name][:1]:
                each.agent_sid = sid
        elif event.name in LEAVING:
            for each in [s for s in sent if s.agent_sid == sid]:
                self._move(room, each, Fate.ENDED)

    def _release(self, room: _Room, event: Event) -> None:
        for each in tuple(room.live):
            release, was_leaving = each.plan.release, each.leaving_since is not None
            if not release.holds(each.event, event, room.session, already=was_leaving):
                each.leaving_since = None
            elif not was_leaving:
                each.leaving_since = event.at
                if each.fate is Fate.SCHEDULED:
                    continue  # it is judged when its 'after' is over
                if release.after:
                    self._at(event.at + release.after, room, each)
                else:
                    self._move(room, each, Fate.RELEASED)

    def _end(self, room: _Room) -> None:
        """The room's session is over, and with it all that was live in it."""
        for each in tuple(room.live):
            if each.fate is Fate.SCHEDULED:
                self._due(room, each)
            else:
                self._move(room, each, Fate.ENDED)

    def _move(self, room: _Room, sent: Sent, fate: Fate) -> None:
        sent.fate = fate
        room.live.remove(sent)
        self._count(sent, -1)

    def _count(self, sent: Sent, more: int) -> None:
        if sent.plan.share is not None:
            self._counts[sent.plan.rule, sent.plan.share.per] += more

    def _at(self, at: float, room: _Room, sent: Sent) -> None:
        heappush(self._timers, (at, next(self._order), room, sent))


def _ended(event: Event) -> Session:
    return replace(Session(event.room_sid, room=event.room), ended=True)
