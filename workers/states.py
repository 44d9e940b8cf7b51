"""The states of a dispatch, which may follow which, and the steps that move one on."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where a dispatch stands. `scheduled` to `active` are live: they hold their claim."""

    SCHEDULED = "scheduled"
    """Decided; it waits for its rule's `after`, or to take the place of an agent that failed."""
    REQUESTED = "requested"
    """Decided; LiveKit has not accepted it yet."""
    PENDING = "pending"
    """Accepted; no agent has joined yet."""
    ACTIVE = "active"
    """Its agent is in the room."""
    ENDED = "ended"
    """Its agent has left."""
    FAILED = "failed"
    """No agent came, or agents came and failed too often."""
    RELEASED = "released"
    """It was not wanted any more."""
    SUPERSEDED = "superseded"
    """Its agent did not come, and a fallback took over."""
    DRY_RUN = "dry_run"
    """It would have been sent now. It holds its claim until it has an end."""


LIVE: Final = frozenset({State.SCHEDULED, State.REQUESTED, State.PENDING, State.ACTIVE})

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.SCHEDULED: frozenset({State.REQUESTED, State.RELEASED, State.DRY_RUN}),
    State.REQUESTED: frozenset(
        {State.PENDING, State.RELEASED, State.FAILED, State.SUPERSEDED, State.DRY_RUN},
    ),
    State.PENDING: frozenset({State.ACTIVE, State.RELEASED, State.FAILED, State.SUPERSEDED}),
    State.ACTIVE: frozenset({State.ENDED, State.RELEASED, State.FAILED}),
    State.ENDED: frozenset(),
    State.FAILED: frozenset(),
    State.RELEASED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.DRY_RUN: frozenset(),
}
"""The states that may follow each. What is over stays over."""


def lives(state: str, ended_at: object) -> bool:
    """Whether a dispatch in a state holds its claim; `ended_at` is None until it is over."""
    return state in LIVE or (state == State.DRY_RUN and ended_at is None)


class Step(StrEnum):
    """What is to be done next for a dispatch, once it is `due`."""

    WAIT = "wait"
    """When it is due, look whether it is still wanted."""
    OWE = "owe"
    """It is to take the place of an agent that failed, as soon as a human is there."""
    REPLACE = "replace"
    """Look whether the dispatch it takes over from is still there: else somebody has deleted it."""
    CLEAR = "clear"
    """Delete the dispatch it takes over from."""
    CREATE = "create"
    SETTLE = "settle"
    """A call's outcome is unclear: look whether it was done."""
    LOOK_AGAIN = "look_again"
    """Another worker's call may have come late: look for a second one of ours and delete it."""
    FIND_AGENT = "find_agent"
    """Its agent's connection has ended for another one: look whether it is there."""
    JOIN = "join"
    """No agent has come in time: look what has become of it."""
    LEAVE = "leave"
    """Nobody needs its agent any more: look whether that is so."""
    WITHDRAW = "withdraw"
    """Delete it; then it is what `withdrawn` says."""
    CHECK = "check"
    """Its agent has left: look whether somebody has deleted the dispatch."""
    NOTHING = "nothing"


class Move(NamedTuple):
    """A dispatch came to a state, or heard a reason in the state it has. `at` is Unix seconds."""

    at: float
    state: State
    reason: str | None


FIRST_MOVES: Final = 8
LAST_MOVES: Final = 24
"""How many moves are kept; those between are of calls that are tried again and again."""


def with_move(moves: tuple[Move, ...], move: Move) -> tuple[Move, ...]:
    """The moves of a dispatch with one more."""
    first, last = moves[:FIRST_MOVES], moves[FIRST_MOVES:]
    if len(first) < FIRST_MOVES:
        return (*first, move)
    return (*first, *last[-LAST_MOVES + 1 :], move)
