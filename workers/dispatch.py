"""A dispatch: one intent to have one agent in one session of a room, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rules.decision import Provider
from rules.frozen import replace
from workers.states import LIVE, MOVES, Move, State, Step, lives, with_move

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.providers.base import Listed

__all__ = ["ID_ATTRIBUTE", "LIVE", "SID_ATTRIBUTE", "Dispatch", "Move", "State", "Step"]

ID_ATTRIBUTE: Final = "lkd.dispatch"
SID_ATTRIBUTE: Final = "lkd.room_sid"
"""Attributes it carries in LiveKit: that it is ours, and for which session it was meant."""
RECONNECTION_SECONDS: Final = 10.0
"""How long the webhook of an agent's next connection may take, before it is looked for."""
LOOK_AGAIN_SECONDS: Final = 6.0
"""After this long a call of a worker that lost the room is over (a call takes 5 s at most)."""
TELL_SECONDS: Final = 15.0
"""When an operator is told that no agent has come, where its rule has no `join_within`."""


@dataclass(frozen=True)
class Dispatch:
    """One dispatch. Times are Unix seconds.

    The first fields are what users see (workers/shown.py); the rest is how it is carried out. It
    moves by its methods only, along `states.MOVES`, and remembers each move.
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
    received_at: float = field(default=0.0, metadata={"inner": True})
    """When the event it came from arrived here."""
    event_at: float = field(default=0.0, metadata={"inner": True})
    """When its room was last known to be there."""
    step: Step = field(default=Step.CREATE, metadata={"inner": True})
    due: float = field(default=0.0, metadata={"inner": True})
    """When its step is due."""
    called_at: float | None = field(default=None, metadata={"inner": True})
    """When the last Create began, if its outcome is not known."""
    called_by: str = field(default="", metadata={"inner": True})
    """Token of the lease under which it began."""
    failures: int = field(default=0, metadata={"inner": True})
    """Calls in a row that did not succeed."""
    unlisted: int = field(default=0, metadata={"inner": True})
    """Looks in a row that did not find it in LiveKit's listing."""
    doubtful: bool = field(default=False, metadata={"inner": True})
    """A worker that lost the room may have called too: look once more when that must be over."""
    token_mark: str = field(default="", metadata={"inner": True})
    """What its agent carries if a join token has sent it; `""` if none can have."""
    agent_sid: str | None = field(default=None, metadata={"inner": True})
    wanted_at: float = field(default=0.0, metadata={"inner": True})
    """When its first call was due: it is tried from then on."""
    origin: Mapping[str, Any] = field(default_factory=dict, metadata={"inner": True})
    """The event it came from as the rules saw it, while it waits."""
    participant: str = field(default="", metadata={"inner": True})
    """Identity of that event's participant, and the sid of its track."""
    track: str = field(default="", metadata={"inner": True})
    remembered: bool = field(default=False, metadata={"inner": True})
    """Whether its claim is kept once it was accepted."""
    version: str = field(default="", metadata={"inner": True})
    """Of the agent, where its provider has versions."""
    target: str = field(default="", metadata={"inner": True})
    """The room it is sent to, if that is not its event's: one of another provider."""
    known_as: tuple[tuple[str, str], ...] = field(default=(), metadata={"inner": True})
    """How its agent is known where its provider does not tell: the patterns of an `AgentsAre`."""
    share: str = field(default="", metadata={"inner": True})
    share_most: int = field(default=0, metadata={"inner": True})
    """What it counts to while it is live, where its rule has a `limit`, and the most there."""

    join_within: float | None = field(default=None, metadata={"inner": True})
    """Seconds from its acceptance in which its agent must join."""
    join_by: float | None = field(default=None, metadata={"inner": True})
    """When to look why no agent has joined; None: not any more, or not yet."""
    rung: int = field(default=0, metadata={"inner": True})
    """Which of its rule's agents it asks for: 0, and then those of its `fallback`."""
    fallback: tuple[Mapping[str, Any], ...] = field(default=(), metadata={"inner": True})
    """The rungs still to come, as `planned.rung_to_json` gives them."""
    notice: Mapping[str, str] = field(default_factory=dict, metadata={"inner": True})
    """What its rule tells others if nobody comes, as `planned.notice_to_json` gives it."""
    tried: tuple[str, ...] = field(default=(), metadata={"inner": True})
    """What became of the rungs before it, in words."""
    follows: str = field(default="", metadata={"inner": True})
    """Our id of the dispatch whose claim it has taken over."""
    replaces: str = field(default="", metadata={"inner": True})
    """LiveKit's id of the one before, which must go before this is created."""
    replaced_identity: str = field(default="", metadata={"inner": True})
    """What the agent before it was called: it may be about to connect again."""
    restarts: tuple[float, ...] = field(default=(), metadata={"inner": True})
    """When agents of this claim were sent anew because one had failed, those that still count."""
    release_when: str = field(default="never", metadata={"inner": True})
    """A `rules.release.Leaving`, or `""` where conditions of its rule say it."""
    release_after: float = field(default=0.0, metadata={"inner": True})
    leave_at: float | None = field(default=None, metadata={"inner": True})
    """When its agent is to be sent away, if it stays as it is until then."""
    withdrawn: State | None = field(default=None, metadata={"inner": True})
    """What it is once it has been deleted: `superseded`, `failed` or `released`."""
    job_identity: str = field(default="", metadata={"inner": True})
    worker_id: str = field(default="", metadata={"inner": True})
    """What its agent would join as, and the worker that took its job, where a listing told."""
    moves: tuple[Move, ...] = field(default=(), metadata={"inner": True})
    unknown: Mapping[str, Any] = field(default_factory=dict, metadata={"inner": True})
    """What a newer version keeps of it: it stays as it is."""

    @property
    def live(self) -> bool:
        """Whether it holds its claim."""
        return lives(self.state, self.ended_at)

    @property
    def apart(self) -> bool:
        """Whether the listing of its own room does not show it: see workers/apart.py."""
        return bool(self.target) or self.provider != Provider.LIVEKIT

    @property
    def patience(self) -> float:
        """Seconds from its acceptance after which its agent should be there."""
        return TELL_SECONDS if self.join_within is None else self.join_within

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done for it."""
        return not self.live and self.step is Step.NOTHING

    @property
    def is_restart(self) -> bool:
        """Whether it takes the place of an agent that failed."""
        return bool(self.replaces or self.replaced_identity)

    @property
    def next_due(self) -> float | None:
        """When something is to be done for it; None if nothing is."""
        times = [self.due] if self.step not in (Step.NOTHING, Step.OWE) else []
        times += [at for at in (self.join_by, self._leaves_at) if at is not None]
        return min(times, default=None)

    def due_step(self, now: float) -> Step:
        """What is to be done for it now. Whoever is to leave is not sent, nor the next rung."""
        leaves = self._leaves_at is not None and self._leaves_at <= now
        is_due = self.step not in (Step.NOTHING, Step.OWE) and self.due <= now
        comes_first = self.step is not Step.WITHDRAW and not self._is_uncalled
        if is_due and (comes_first or not leaves):
            return self.step
        if leaves:
            return Step.LEAVE
        if self.join_by is not None and self.join_by <= now:
            return Step.JOIN
        return Step.NOTHING

    @property
    def _leaves_at(self) -> float | None:
        """`leave_at`; nobody is sent away before its rule's `after` is over."""
        return None if self.step is Step.WAIT and not self.is_restart else self.leave_at

    @property
    def _is_uncalled(self) -> bool:
        """Whether it is still to be created, and no call of which nobody knows is on its way."""
        return self.step is Step.CREATE and self.called_at is None

    @property
    def marks(self) -> tuple[str, ...]:
        """What LiveKit lists it under: its id, or the mark of a token that has sent its agent."""
        return (self.id, self.token_mark) if self.token_mark else (self.id,)

    @property
    def may_be_there(self) -> bool:
        """Whether a call for it was made, or may have been."""
        is_called = self.called_at is not None or self.step is Step.SETTLE or self.doubtful
        return is_called or self.state in (State.PENDING, State.ACTIVE)

    def is_sent_as(self, listed: Listed) -> bool:
        """Whether what LiveKit lists was made for it."""
        return listed.attributes.get(ID_ATTRIBUTE) == self.id or listed.id == self.dispatch_id

    @property
    def own_attributes(self) -> dict[str, str]:
        """The attributes it is sent with: the rule's, and those it is known by."""
        return {**self.attributes, ID_ATTRIBUTE: self.id, SID_ATTRIBUTE: self.room_sid}

    def to(self, state: State, reason: str | None, at: float, **changes: Any) -> Dispatch:  # noqa: ANN401 - fields of this class
        """It moves to a state. `changes` are other fields that change with it."""
        if state is not self.state and state not in MOVES[self.state]:
            msg = f"{self.id} cannot move from {self.state} to {state}"
            raise AssertionError(msg)
        moves = with_move(self.moves, Move(at, state, reason))
        return replace(self, state=state, reason=reason, moves=moves, **changes)

    def told(self, reason: str | None, at: float, **changes: Any) -> Dispatch:  # noqa: ANN401
        """It stays as it is, and this is why."""
        if reason == self.reason:
            return replace(self, **changes)
        return self.to(self.state, reason, at, **changes)

    def accepted(self, dispatch_id: str, now: float, at: float | None = None) -> Dispatch:
        """LiveKit has it, since `at`; an agent may join."""
        at = now if at is None else at
        return self.to(
            State.PENDING,
            None,
            at,
            dispatch_id=dispatch_id,
            accepted_at=at,
            called_at=None,
            called_by="",
            failures=0,
            step=Step.LOOK_AGAIN if self.doubtful else Step.NOTHING,
            due=now + LOOK_AGAIN_SECONDS if self.doubtful else 0.0,
            join_by=at + self.patience,
        )

    def joined(self, identity: str, sid: str, at: float) -> Dispatch:
        """Its agent is in the room."""
        known = self.found(sid, at) if self.step is Step.FIND_AGENT else self
        known = replace(known, agent_identity=identity, agent_sid=sid, joined_at=at)
        return known.to(State.ACTIVE, None, at, join_by=None, unlisted=0)

    def reconnecting(self, reason: str, now: float) -> Dispatch:
        """Its agent comes back, or LiveKit sends another itself: that is heard of in a moment."""
        step, due = Step.FIND_AGENT, now + RECONNECTION_SECONDS
        return self.told(reason, now, agent_sid=None, step=step, due=due, failures=0)

    def found(self, sid: str, now: float) -> Dispatch:
        """Its agent is there, by a connection of this sid."""
        if self.withdrawn is not None:  # and is to go all the same
            return replace(self, agent_sid=sid)
        step = Step.LOOK_AGAIN if self.doubtful else Step.NOTHING
        return self.told(None, now, agent_sid=sid, step=step)

    def withdrawing(self, state: State, reason: str, now: float) -> Dispatch:
        """It must be deleted; then it is in that state."""
        leave_at = None if state is State.RELEASED else self.leave_at
        marked = replace(self, withdrawn=state, step=Step.WITHDRAW, due=now, failures=0)
        return marked.told(reason, now, join_by=None, leave_at=leave_at)

    def ended(self, state: State, reason: str, now: float) -> Dispatch:
        """It is over. A second look that is owed stays owed: a double would outlive it."""
        state = State.DRY_RUN if self.state is State.DRY_RUN else state
        owed = self.step is Step.LOOK_AGAIN or self.doubtful
        due = self.due
        if owed and self.step is not Step.LOOK_AGAIN and self.accepted_at is not None:
            due = self.accepted_at + LOOK_AGAIN_SECONDS
        return self.to(
            state,
            reason,
            now,
            ended_at=now,
            step=Step.LOOK_AGAIN if owed else Step.NOTHING,
            due=due,
            called_at=None,
            join_by=None,
            leave_at=None,
            withdrawn=None,
            origin={},
            fallback=(),
            notice=self.notice if state is State.FAILED else {},
        )

    def dropped(self, reason: str, now: float) -> Dispatch:
        """Its session is over: it is too, if it was not yet, and nothing is owed any more."""
        if not self.live:
            return replace(self, step=Step.NOTHING)
        if self.target and self.may_be_there:  # that room goes on
            is_going = self.step is Step.WITHDRAW
            return self if is_going else self.withdrawing(State.RELEASED, reason, now)
        state = State.ENDED if self.state is State.ACTIVE else State.FAILED
        is_new = self._is_uncalled and not self.failures and self.accepted_at is None
        waited = self.wanted_at > self.created_at and is_new
        if self.state is State.SCHEDULED or waited:
            state = State.RELEASED
        return replace(self.ended(state, reason, now), step=Step.NOTHING)
