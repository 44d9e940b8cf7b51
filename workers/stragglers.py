"""Agents that a session has left behind: they may come to the next one of its room's name.

LiveKit lets agents in by the room's name. One on its way when its session ended comes to the next;
one that was there when the server died connects again with the token it has, and opens a session of
that name if need be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from workers.dispatch import Dispatch, State, Step
from workers.removal import COMING_SECONDS, Unwanted

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 64
"""So many are kept of a room, for names that are used again every second."""
UNHEARD_SECONDS: Final = 3600.0
"""So long after it has come an agent may first be heard of: nothing of us was there, say."""


class Straggler(NamedTuple):
    """An agent of a session that is over."""

    agent: str
    dispatch_id: str
    """LiveKit's id of the dispatch that vanished with its room; ours where that is not known."""
    until: float
    """When it will not come any more, Unix seconds."""
    identity: str = ""
    """What it is in the room, if it was there. It goes when an agent of the new session is there:
    until then it may be all that callers have who came back with it."""


def left_behind(
    over: Iterable[Dispatch], unwanted: Iterable[Unwanted], now: float
) -> list[Straggler]:
    """The stragglers of a session that is over now.

    Args:
        over: its dispatches, as they were.
        unwanted: dispatches of it that were to go.
        now: Unix seconds.
    """
    until = now + COMING_SECONDS
    unseen = [each for each in unwanted if each.agent and not each.identities]
    stragglers = [Straggler(each.agent, each.dispatch_id, until) for each in unseen]
    for d in over:
        is_called = d.called_at is not None or d.step is Step.SETTLE
        if d.state is State.PENDING or (d.state is State.REQUESTED and is_called):
            stragglers.append(Straggler(d.agent, d.dispatch_id or d.id, until))
        elif d.state is State.ACTIVE and d.dispatch_id and d.agent_identity:
            stragglers.append(Straggler(d.agent, d.dispatch_id, until, d.agent_identity))
        elif d.state is State.SCHEDULED and d.is_restart and d.replaced_identity:
            stragglers.append(Straggler(d.agent, d.replaces, until, d.replaced_identity))
    return stragglers


def awaited(stragglers: Iterable[Straggler], now: float) -> list[Straggler]:
    """Those of which may still be heard."""
    return [each for each in stragglers if each.until > now - UNHEARD_SECONDS]


def with_more(
    stragglers: Iterable[Straggler], more: Iterable[Straggler], now: float
) -> tuple[Straggler, ...]:
    """Those that are still awaited and more, each once."""
    both = (*awaited(stragglers, now), *more)
    return tuple({(s.agent, s.dispatch_id, s.identity): s for s in both}.values())[-MOST:]


def is_one(stragglers: Iterable[Straggler], agent: str, joined_at: float) -> bool:
    """Whether an agent that joined then may be one that was on its way."""
    return any(
        not each.identity and each.agent == agent and joined_at < each.until for each in stragglers
    )


def replaced(
    stragglers: Iterable[Straggler], changed: Iterable[Dispatch], now: float
) -> dict[Straggler, Unwanted]:
    """Those that are to go because an agent of their name is there for the new session."""
    here = {d.agent for d in changed if d.state is State.ACTIVE}
    return {
        each: Unwanted(each.dispatch_id, now, now, (each.identity,), now, each.agent)
        for each in stragglers
        if each.identity and each.agent in here
    }
