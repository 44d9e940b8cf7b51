"""What follows when an agent leaves: nothing, another one, or a hand that is respected.

Pure. LiveKit says why a participant left, but an exception in an agent's entrypoint, an agent that
has finished and one whose dispatch was deleted all leave as CLIENT_INITIATED; so one that leaves by
itself right after joining counts as failed, and whether a dispatch is still listed tells the rest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.frozen import replace
from workers.dispatch import Dispatch, State, Step
from workers.planned import replacement
from workers.reasons import left_early, restarts_used_up

if TYPE_CHECKING:
    from rules.session import Session

EARLY_SECONDS: Final = 10.0
"""An agent that ends by itself so soon has most likely failed."""
WINDOW_SECONDS: Final = 600.0
MOST_RESTARTS: Final = 5
"""In that window; an agent that fails again and again is an operator's to mend."""
BACKOFF_SECONDS: Final = 0.25
OWN_END: Final = "client_initiated"
BY_HAND: Final = "participant_removed"
ROOM_OVER: Final = frozenset({"room_deleted", "room_closed"})
FAILURES: Final = frozenset(
    {
        "unknown_reason",
        "server_shutdown",
        "state_mismatch",
        "join_failure",
        "signal_close",
        "connection_timeout",
        "media_failure",
        "agent_error",
    }
)


class Left(NamedTuple):
    """What has become of a dispatch whose agent has left."""

    dispatch: Dispatch
    follower: Dispatch | None = None
    """What takes its place."""
    held: bool = False
    """Somebody has removed the agent by hand: nobody is sent for its claim again."""

    @property
    def changed(self) -> tuple[Dispatch, ...]:
        """The dispatches that are not as they were."""
        return (self.dispatch, self.follower) if self.follower is not None else (self.dispatch,)


def left(
    dispatch: Dispatch,
    because: str,
    at: float,
    now: float,
    session: Session,
    *,
    ours: bool,
    inferred: bool = False,
) -> Left:
    """Its agent has left the room.

    Args:
        dispatch: an active one.
        because: LiveKit's reason, in lower case.
        at: when it left, Unix seconds.
        now: the same.
        session: who is there after it.
        ours: whether we send an agent again that failed; else LiveKit does.
        inferred: nobody has told: it was found to be absent.
    """
    if because == BY_HAND:
        return Left(dispatch.ended(State.ENDED, because, at), held=True)
    reason, failed = because, because in FAILURES or inferred
    stayed = at - dispatch.joined_at if dispatch.joined_at is not None else math.inf
    if because == OWN_END and stayed < EARLY_SECONDS and session.humans:
        reason, failed = left_early(stayed), True
    policy = dispatch.restart_policy
    wanted = (policy == "on_failure" and failed and ours) or (
        policy == "always" and ((failed and ours) or (because == OWN_END and bool(session.humans)))
    )
    if session.ended or because in ROOM_OVER:
        return Left(dispatch.ended(State.ENDED, reason, at))
    if failed and not ours and not inferred and policy != "never":  # LiveKit sends it again
        return Left(dispatch.reconnecting(reason, now))
    if not wanted:
        ended = dispatch.ended(State.ENDED, reason, at)
        if session.humans and ended.step is Step.NOTHING:  # its claim may be asked for again
            ended = replace(ended, step=Step.CHECK, due=now, unlisted=0, failures=0)
        return Left(ended)
    recent = tuple(t for t in dispatch.restarts if now - t < WINDOW_SECONDS)
    if failed and len(recent) >= MOST_RESTARTS:
        return Left(dispatch.ended(State.FAILED, restarts_used_up(len(recent), reason), at))
    counted = (*recent, now) if failed else recent
    due = now + BACKOFF_SECONDS * 2 ** len(recent)
    follower = replacement(replace(dispatch, restarts=counted), reason, now, due)
    return Left(dispatch.ended(State.ENDED, reason, at), follower)
