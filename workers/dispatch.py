"""A dispatch: one intent to have one agent in one session of a room, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.decision import Plan
    from rules.event import Event

ID_ATTRIBUTE: Final = "lkd.dispatch"
SID_ATTRIBUTE: Final = "lkd.room_sid"
"""Attributes a dispatch carries in LiveKit, by which it is known to be ours, and for which
session it was meant."""


RECONNECTION_SECONDS: Final = 10.0
"""How long the webhook of an agent's next connection may take, before it is looked for."""
LOOK_AGAIN_SECONDS: Final = 6.0
"""After this long a call of a worker that lost the room is over (a call takes 5 s at most)."""


class State(StrEnum):
    """Where a dispatch stands. `scheduled` to `active` are live: they hold their claim."""

    SCHEDULED = "scheduled"
    """Decided; it waits for its rule's `after`."""
    REQUESTED = "requested"
    """Decided; LiveKit has not accepted it yet."""
    PENDING = "pending"
    """Accepted; no agent has joined yet."""
    ACTIVE = "active"
    """Its agent is in the room."""
    ENDED = "ended"
    FAILED = "failed"
    RELEASED = "released"
    """It was not wanted any more."""


LIVE: Final = frozenset({State.SCHEDULED, State.REQUESTED, State.PENDING, State.ACTIVE})


class Step(StrEnum):
    """What is to be done next for a dispatch, once it is `due`."""

    WAIT = "wait"
    """When it is due, look whether it is still wanted."""
    CREATE = "create"
    SETTLE = "settle"
    """A call's outcome is unclear: look whether it was done."""
    LOOK_AGAIN = "look_again"
    """Another worker's call may have come late: look for a second one of ours and delete it."""
    FIND_AGENT = "find_agent"
    """Its agent's connection has ended for another one: look whether it is there."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One dispatch. Times are Unix seconds.

    The first fields are what users see (`to_json`); the rest is how it is carried out.
    """

    id: str
    provider: str
    room: str
    room_sid: str
    rule: str
    subject: str
    agent: str
    deployment: str
    metadata: str
    attributes: Mapping[str, str]
    restart_policy: str
    event_id: str
    rules_hash: str
    created_at: float
    state: State = State.REQUESTED
    reason: str | None = None
    dispatch_id: str | None = None
    agent_identity: str | None = None
    attempt: int = 1
    accepted_at: float | None = None
    joined_at: float | None = None
    ended_at: float | None = None

    claim: str = field(default="", metadata={"inner": True})
    event_at: float = field(default=0.0, metadata={"inner": True})
    step: Step = field(default=Step.CREATE, metadata={"inner": True})
    due: float = field(default=0.0, metadata={"inner": True})
    called_at: float | None = field(default=None, metadata={"inner": True})
    """When the last Create began, if its outcome is not known."""
    called_by: str = field(default="", metadata={"inner": True})
    """Token of the lease under which it began."""
    failures: int = field(default=0, metadata={"inner": True})
    """Calls in a row that did not succeed."""
    doubtful: bool = field(default=False, metadata={"inner": True})
    """A worker that lost the room may have called too: look once more when that must be over."""
    agent_sid: str | None = field(default=None, metadata={"inner": True})
    wanted_at: float = field(default=0.0, metadata={"inner": True})
    """When its first call was due: it is tried from then on."""
    origin: Mapping[str, Any] = field(default_factory=dict, metadata={"inner": True})
    """The event it came from as the rules saw it, while it waits."""
    remembered: bool = field(default=False, metadata={"inner": True})
    """Whether its claim is kept once it was accepted."""
    share: str = field(default="", metadata={"inner": True})
    """What it counts to while it is live, where its rule has a `limit`: see `share_of`."""
    share_most: int = field(default=0, metadata={"inner": True})
    """How many may be live there."""

    @property
    def live(self) -> bool:
        """Whether it holds its claim."""
        return self.state in LIVE

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done for it."""
        return not self.live and self.step is Step.NOTHING

    @property
    def _has_waited(self) -> bool:
        return self.wanted_at > self.created_at

    @property
    def _was_called(self) -> bool:
        called = self.called_at is not None or self.step is not Step.CREATE
        return called or self.failures > 0 or self.accepted_at is not None

    @property
    def own_attributes(self) -> dict[str, str]:
        """The attributes it is sent with: the rule's, and those it is known by."""
        return {**self.attributes, ID_ATTRIBUTE: self.id, SID_ATTRIBUTE: self.room_sid}

    def accepted(self, dispatch_id: str, now: float) -> Dispatch:
        """LiveKit has it; an agent may join."""
        return replace(
            self,
            state=State.PENDING,
            reason=None,
            dispatch_id=dispatch_id,
            accepted_at=now,
            called_at=None,
            failures=0,
            step=Step.LOOK_AGAIN if self.doubtful else Step.NOTHING,
            due=now + LOOK_AGAIN_SECONDS,
        )

    def joined(self, identity: str, sid: str, at: float) -> Dispatch:
        """Its agent is in the room."""
        return replace(
            self, state=State.ACTIVE, agent_identity=identity, agent_sid=sid, joined_at=at
        )

    def reconnecting(self, reason: str, now: float) -> Dispatch:
        """Its agent's connection was ended for another one, which is heard of in a moment."""
        step, due = Step.FIND_AGENT, now + RECONNECTION_SECONDS
        return replace(self, agent_sid=None, reason=reason, step=step, due=due, failures=0)

    def found(self, sid: str) -> Dispatch:
        """Its agent is there, by a connection of this sid."""
        step = Step.LOOK_AGAIN if self.doubtful else Step.NOTHING
        return replace(self, agent_sid=sid, reason=None, step=step)

    def ended(self, state: State, reason: str, now: float) -> Dispatch:
        """It is over. A second look that is owed stays owed: a double would outlive it."""
        owed = self.step is Step.LOOK_AGAIN or self.doubtful
        step = Step.LOOK_AGAIN if owed else Step.NOTHING
        return replace(
            self, state=state, reason=reason, ended_at=now, step=step, called_at=None, origin={}
        )

    def dropped(self, reason: str, now: float) -> Dispatch:
        """Its session is over: it is too, if it was not yet, and nothing is owed any more."""
        if not self.live:
            return replace(self, step=Step.NOTHING)
        state = State.ENDED if self.state is State.ACTIVE else State.FAILED
        if self.state is State.SCHEDULED or (self._has_waited and not self._was_called):
            state = State.RELEASED
        return replace(self.ended(state, reason, now), step=Step.NOTHING)

    def to_json(self) -> dict[str, Any]:
        """As the API, the command line and history show it."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if not f.metadata}
        return {
            **shown,
            "attributes": dict(self.attributes),
            **{name: rfc3339(shown[name]) for name in shown if name.endswith("_at")},
        }

    def to_record(self) -> dict[str, Any]:
        """As its room's record keeps it; `from_record` reads it back."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_record(cls, given: Mapping[str, Any]) -> Dispatch:
        """Read what `to_record` wrote, here or in a version that kept more or less."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in given.items() if name in known}
        return cls(**{**values, "state": State(given["state"]), "step": Step(given["step"])})


def planned(
    plan: Plan,
    event: Event,
    *,
    room_sid: str,
    event_at: float,
    rules_hash: str,
    now: float,
    called_by: str = "",
) -> Dispatch:
    """The dispatch that carries out a plan; `called_by` if its Create begins right now.

    `event_at` is when its room was last known to be there.

    Its id follows from the claim and the event, so that an event decided anew after a lost answer
    makes the same dispatch and not a second one.
    """
    named = f"{room_sid}\x00{plan.claim.key}\x00{event.id}"
    waits = plan.after > 0
    return Dispatch(
        id="D" + sha256(named.encode()).hexdigest()[:20],
        provider=plan.provider.value,
        room=event.room_name,
        room_sid=room_sid,
        rule=plan.rule,
        subject=plan.claim.subject,
        agent=plan.agent,
        deployment=plan.deployment,
        metadata=plan.metadata,
        attributes=dict(plan.attributes),
        restart_policy=plan.restart_policy.value,
        event_id=event.id,
        rules_hash=rules_hash,
        created_at=now,
        claim=plan.claim.key,
        remembered=plan.remembered,
        share=share_of(plan.rule, plan.share.per) if plan.share is not None else "",
        share_most=plan.share.active if plan.share is not None else 0,
        event_at=event_at,
        state=State.SCHEDULED if waits else State.REQUESTED,
        step=Step.WAIT if waits else Step.CREATE,
        origin=event.to_json() if waits else {},
        due=now + plan.after,
        wanted_at=now + plan.after,
        called_at=now if called_by and not waits else None,
        called_by=called_by if not waits else "",
    )


def share_of(rule: str, per: str) -> str:
    """The name under which the live dispatches of a rule are counted, by its `limit.per`."""
    return f"{rule}:{per}"


def rfc3339(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 UTC with milliseconds."""
    if seconds is None:
        return None
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
