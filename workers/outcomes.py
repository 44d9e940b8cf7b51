"""Whether the dispatches of an agent got one: counted as it turns out, in the same write.

An agent that joined is one outcome of its dispatch; that none came is another. A call that ends
before anybody could expect its agent says nothing of either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from workers import keys
from workers.places import agent_key
from workers.reasons import Why
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

    from workers.dispatch import Dispatch
    from workers.hold import Note

KEPT: Final = 200
"""Outcomes of an agent that are kept, the newest."""
EXPECTED_SECONDS: Final = 5.0
"""An accepted dispatch whose call ends sooner is no proof that its agent would not have come."""
_NO_AGENT: Final = frozenset({Why.NO_WORKER, Why.NEVER_JOINED})
_WITHOUT: Final = frozenset({State.FAILED, State.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a dispatch's wish for an agent."""

    at: float
    """Unix seconds."""
    join_ms: int | None
    """From LiveKit's acceptance to its agent's join; None: no agent came."""
    worker_id: str
    """LiveKit's id of the worker that took the job; `""` if none did, or nobody knows."""
    reason: str
    """Why none came, one word; `""` if one did."""


def of_outcomes(before: Mapping[str, Dispatch], changed: Iterable[Dispatch]) -> list[Note]:
    """The outcomes that these dispatches have now and had not `before`, by id."""
    notes: list[Note] = []
    for dispatch in changed:
        outcome = _outcome(before.get(dispatch.id), dispatch)
        if outcome is None:
            continue
        key = keys.OUTCOMES + agent_key(dispatch.agent, dispatch.deployment)
        kept = [round(outcome.at, 3), outcome.join_ms, outcome.worker_id, outcome.reason]
        notes.append(("LPUSH", key, json.dumps(kept)))
        notes.append(("LTRIM", key, "0", str(KEPT - 1)))
        notes.append(("EXPIRE", key, str(keys.DAY_SECONDS)))
    return notes


def read_outcomes(redis: redis.Redis, agents: Iterable[str]) -> dict[str, list[Outcome]]:
    """The outcomes of agents by their `agent_key`, newest first.

    Raises:
        RedisError: Redis could not be reached.
    """
    asked = list(agents)
    with redis.pipeline(transaction=False) as pipe:
        for agent in asked:
            pipe.lrange(keys.OUTCOMES + agent, 0, -1)
        found = cast("list[list[bytes]]", pipe.execute() if asked else [])
    return {
        agent: [Outcome(*json.loads(text)) for text in texts]
        for agent, texts in zip(asked, found, strict=True)
    }


def _outcome(before: Dispatch | None, after: Dispatch) -> Outcome | None:
    if after.joined_at is not None:
        if before is not None and before.joined_at is not None:
            return None
        waited = after.joined_at - (after.accepted_at or after.joined_at)
        return Outcome(after.joined_at, max(0, round(waited * 1000)), after.worker_id, "")
    if _is_without(after) and not (before is not None and _is_without(before)):
        at = after.moves[-1].at if after.moves else after.created_at
        return Outcome(at, None, after.worker_id, _word(after))
    return None


def _is_without(dispatch: Dispatch) -> bool:
    """Whether it is known by now that no agent has come for it, though one could have."""
    if dispatch.accepted_at is None:
        return False  # LiveKit took no dispatch: that tells nothing of the agent
    if any(_is_no_agent(move.reason) for move in dispatch.moves):
        return True
    ended = dispatch.ended_at
    return (
        dispatch.state in _WITHOUT
        and ended is not None
        and ended - dispatch.accepted_at >= EXPECTED_SECONDS
    )


def _is_no_agent(reason: str | None) -> bool:
    return reason is not None and reason.partition(":")[0] in _NO_AGENT


def _word(dispatch: Dispatch) -> str:
    told = next((m.reason for m in reversed(dispatch.moves) if _is_no_agent(m.reason)), None)
    return (told or dispatch.reason or "").partition(":")[0]
