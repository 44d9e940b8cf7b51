"""A room's record: everything the work on one room name needs, kept in one place.

It holds the current session of the name, the dispatches that are not over yet, the agents seen but
not yet known to be ours, and the sids of sessions that are over. Timers are not kept apart: each
dispatch says what is due for it and when, and `due` is the first of those.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from rules.frozen import made, replace
from rules.session import Session
from workers.compact import compact
from workers.dispatch import Dispatch, State
from workers.kept import from_record, to_record
from workers.removal import COMING_SECONDS, Unwanted, unwanted
from workers.stragglers import Straggler, is_one, left_behind, replaced, with_more

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.event import Event, Fields

TOMBSTONES: Final = 32
"""Sids of past sessions kept for a name; older ones are told apart by their creation time."""


@dataclass(frozen=True, slots=True)
class SeenAgent:
    """An agent that joined and that no dispatch of ours is known by yet. Times are Unix seconds."""

    sid: str
    identity: str
    joined_at: float
    left_at: float | None = None
    left_because: str | None = None
    name: str = ""
    """Of the agent, as dispatches call it."""


@dataclass(frozen=True)
class Record:
    """What is known and owed in one room."""

    session: Session | None = None
    dispatches: Mapping[str, Dispatch] = field(default_factory=dict)
    """By our id: live ones, and ones that still owe something."""
    agents: Mapping[str, SeenAgent] = field(default_factory=dict)
    """By participant sid: agents to be told apart by a listing."""
    agents_due: float = 0.0
    """When to list next because of `agents`."""
    agents_looks: int = 0
    stragglers: tuple[Straggler, ...] = ()
    accepted: tuple[str, ...] = ()
    """Claims of this session that LiveKit has accepted a dispatch for, of rules that send one and
    never another."""
    met: tuple[str, ...] = ()
    """Marks of join tokens whose agents were met in this session."""
    held: tuple[tuple[str, str], ...] = ()
    """Rules and claims of this session whose agent somebody has sent away by hand."""
    past: tuple[str, ...] = ()
    """Sids of sessions that are over, oldest first."""
    sweep: tuple[str, ...] = ()
    """Our ids whose Create was in flight when their session ended: it may have landed in this one,
    since LiveKit knows a room by its name only."""
    sweep_due: float = 0.0
    sweep_since: float = 0.0
    started: bool = False
    """Whether the session's `room_started` has been decided."""
    unheard: frozenset[str] = frozenset()
    """Sids of participants known from a listing, whose `participant_joined` was not decided."""
    told: tuple[str, ...] = ()
    """What listings have told instead of webhooks, which may still come."""
    missing: frozenset[str] = frozenset()
    """Sids that the last look did not find; see workers/drift.py."""
    strangers: frozenset[str] = frozenset()
    """Sids of agents that were found not to be ours."""
    look_due: float | None = None
    """When to list the room and see what webhooks have not told."""
    unwanted: tuple[Unwanted, ...] = ()
    """Dispatches in LiveKit that must go, and their agents with them. An agent on its way opens the
    name anew, so the end of a session does not end this."""
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """What a newer version keeps here: it stays as it is."""

    @property
    def live_claims(self) -> dict[str, str]:
        """Keys of the claims that live dispatches of this session hold, and their rules."""
        sid = self.session.sid if self.session is not None else None
        return {d.claim: d.rule for d in self.dispatches.values() if d.live and d.room_sid == sid}

    @property
    def due(self) -> float | None:
        """When something is to be done here, Unix seconds; None if nothing is."""
        times = [t for d in self.dispatches.values() if (t := d.next_due) is not None]
        if self.awaits_agents:
            times.append(self.agents_due)
        if self.must_sweep:
            times.append(self.sweep_due)
        times += [each.due for each in self.unwanted]
        if self.look_due is not None:
            times.append(self.look_due)
        return min(times, default=None)

    @property
    def awaits_agents(self) -> bool:
        """Whether an agent has come that may be one of ours: waited for, or come too late."""
        if any(d.state is State.PENDING for d in self.dispatches.values()):
            return bool(self.agents)
        return any(
            self.is_straggler(a.name, a.joined_at) and a.left_at is None
            for a in self.agents.values()
        )

    def is_straggler(self, agent: str, joined_at: float) -> bool:
        """Whether an agent that joined then may have been meant for an earlier session."""
        return is_one(self.stragglers, agent, joined_at)

    @property
    def must_sweep(self) -> bool:
        """Whether a call of an earlier session may have landed in this one."""
        return bool(self.sweep) and self.session is not None and not self.session.ended

    @property
    def in_session(self) -> bool:
        """Whether the name has a session that is live, as far as is known."""
        return self.session is not None and not self.session.ended

    @property
    def over(self) -> bool:
        """Whether the session has ended and nothing is left to do."""
        return (self.session is None or self.session.ended) and self.due is None

    def with_dispatches(self, changed: Iterable[Dispatch]) -> Record:
        """The record with these dispatches new or changed; those that are over drop out."""
        more = {d.id: d for d in changed}
        if not more:
            return self
        dispatches = {**self.dispatches, **more}
        kept = {i: d for i, d in dispatches.items() if not d.settled}
        sid = self.session.sid if self.session is not None else None
        here = [d for d in more.values() if _was_sent(d) and d.room_sid == sid]
        accepted = (*self.accepted, *(d.claim for d in here if d.remembered))
        met = (*self.met, *(d.token_mark for d in here if d.token_mark))
        if len(accepted) == len(self.accepted) and len(met) == len(self.met):
            return replace(self, dispatches=kept)
        accepted, met = tuple(dict.fromkeys(accepted)), tuple(dict.fromkeys(met))
        return replace(self, dispatches=kept, accepted=accepted, met=met)

    def with_held(self, dispatch: Dispatch) -> Record:
        """The record with the agent of this dispatch sent away by hand."""
        held = (dispatch.rule, dispatch.claim)
        return self if held in self.held else replace(self, held=(*self.held, held))

    def with_sweep(self, more: Iterable[str], now: float) -> Record:
        """The record with a sweep begun now, of these ids too."""
        sweep = tuple(dict.fromkeys((*self.sweep, *more)))[-TOMBSTONES:]
        return replace(self, sweep=sweep, sweep_due=now, sweep_since=now)

    def with_stragglers(self, over: Iterable[Dispatch], now: float) -> Record:
        """The record with the agents that these dispatches leave behind: their session is over."""
        more = left_behind(over, self.unwanted, now)
        return replace(self, stragglers=with_more(self.stragglers, more, now))

    def with_replaced(self, changed: Iterable[Dispatch], now: float) -> Record:
        """The record with the stragglers that are to go now that these dispatches have agents."""
        going = replaced(self.stragglers, changed, now)
        still = tuple(each for each in self.stragglers if each not in going)
        return replace(self, stragglers=still, unwanted=(*self.unwanted, *going.values()))

    def with_coming(self, dispatch: Dispatch, now: float) -> Record:
        """The record with the agent of a dispatch that was deleted perhaps on its way."""
        agent = Straggler(dispatch.agent, dispatch.dispatch_id or dispatch.id, now + COMING_SECONDS)
        return replace(self, stragglers=with_more(self.stragglers, [agent], now))

    def with_unwanted(self, these: Mapping[str, str], now: float) -> Record:
        """The record with these found to be unwanted now: LiveKit's ids, and agents' names."""
        known = {each.dispatch_id for each in self.unwanted}
        more = unwanted({i: agent for i, agent in these.items() if i not in known}, now)
        return replace(self, unwanted=(*self.unwanted, *more))

    def session_of(self, event: Event) -> Session:
        """The session an event belongs to, as it stands before the event.

        One that is over comes back as ended, so that nothing is dispatched for it. A sid not seen
        before is a new session of the name if its room was created after the current one's. An
        event that does not say when (an egress may end long after its room) takes nothing from a
        session that is live.
        """
        sid = event.room_sid
        current = self.session
        if current is not None and (not sid or sid == current.sid):
            return current
        over = sid in self.past or (current is not None and _before(event.room, current))
        return Session(sid, room=event.room if over else None, ended=over)

    def to_json(self) -> str:
        """As Redis keeps it; `from_json` reads it back."""
        told = _told(self.session)
        kept: dict[str, Any] = {
            "session": self.session.to_json() if self.session is not None else None,
            "dispatches": [to_record(d, told) for d in self.dispatches.values()],
            "agents": [
                [a.sid, a.identity, a.joined_at, a.left_at, a.left_because, a.name]
                for a in self.agents.values()
            ],
            "unwanted": [each.to_json() for each in self.unwanted],
        }
        given = {name: v for name, v in kept.items() if v or name == "dispatches"}
        given |= {name: sorted(v) for name, v in zip(_SETS, _sets_of(self), strict=True) if v}
        given |= {name: v for name, v in zip(_PLAIN, _plain_of(self), strict=True) if v}
        return compact({**self.unknown, **given} if self.unknown else given)

    @classmethod
    def from_json(cls, text: bytes | str) -> Record:
        """Read what `to_json` wrote, here or in another version; empty: a new room.

        Raises:
            ValueError, LookupError, TypeError: it is not a record.
        """
        try:
            return cls._from_json(json.loads(text)) if text else cls()
        except AttributeError as error:  # some value of it is of another kind
            raise ValueError(f"not a record: {error}") from error

    @classmethod
    def _from_json(cls, given: Mapping[str, Any]) -> Record:
        values = dict(_EMPTY)
        unknown = {}
        for name, value in given.items():
            if name in _PLAIN:
                values[name] = _as_tuples(value)
            elif name in _SETS:
                values[name] = frozenset(value)
            elif name not in _READ_APART:
                unknown[name] = value
        if unknown:
            values["unknown"] = unknown
        if values["stragglers"]:
            values["stragglers"] = tuple([Straggler(*s[:_STRAGGLER]) for s in values["stragglers"]])
        if session := given.get("session"):
            values["session"] = Session.from_json(session)
        told = _told(values["session"])
        dispatches = [from_record(d, told) for d in given.get("dispatches", ())]
        values["dispatches"] = {d.id: d for d in dispatches}
        values["agents"] = {a[0]: SeenAgent(*a[:_SEEN]) for a in given.get("agents", ())}
        values["unwanted"] = tuple([Unwanted.from_json(each) for each in given.get("unwanted", ())])
        return made(cls, values)


_READ_APART: Final = frozenset({"session", "dispatches", "agents", "unwanted"})
_SEEN: Final = len(fields(SeenAgent))
_STRAGGLER: Final = len(Straggler._fields)
"""How much of each is known here: a newer version may keep more."""
_SETS: Final = ("unheard", "missing", "strangers")
_PLAIN: Final = (
    "agents_due", "agents_looks", "stragglers", "accepted", "met", "held", "past", "sweep",
    "sweep_due", "sweep_since", "started", "told", "look_due",
)  # fmt: skip
"""What is kept as it is; lists are read back as tuples."""
_sets_of: Final = attrgetter(*_SETS)
_plain_of: Final = attrgetter(*_PLAIN)
_EMPTY: Final[Mapping[str, Any]] = vars(Record())


def _told(session: Session | None) -> dict[str, Any]:
    """What a session tells of most dispatches beside it."""
    if session is None:
        return {}
    room = session.room or {}
    return {"room_sid": session.sid} | ({"room": room["name"]} if "name" in room else {})


def _as_tuples(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return tuple(_as_tuples(each) for each in value) if isinstance(value, list) else value


def _before(room: Fields | None, current: Session) -> bool:
    """Whether an event's room is an earlier session of the name than the current one."""
    created, others = _created(room), _created(current.room)
    if created is None:
        return not current.ended
    return others is not None and created < others


def _created(room: Fields | None) -> int | None:
    """When a room was created, Unix ms; None where an event does not say."""
    room = room or {}
    exact = room.get("creation_time_ms") or int(room.get("creation_time") or 0) * 1000
    return int(exact) or None


def _was_sent(dispatch: Dispatch) -> bool:
    """Whether its provider has it, or would have in earnest."""
    return dispatch.accepted_at is not None or dispatch.state is State.DRY_RUN
