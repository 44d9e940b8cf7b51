"""Whether the dispatches of an agent got one: counted as it turns out, in the same write.

A dispatch has one outcome: its agent joined, or none came. One that comes after all takes the place
of what was said before. A call that ends before its agent could be expected says nothing.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from workers import keys
from workers.places import agent_key
from workers.reasons import Why
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import redis

    from workers.dispatch import Dispatch
    from workers.hold import Note

KEPT: Final = 200
"""Outcomes of an agent that are kept, the newest."""
EXPECTED_SECONDS: Final = 5.0
"""How soon an agent is expected, where its rule has no `join_within`."""
_NO_AGENT: Final = frozenset({Why.NO_WORKER, Why.NEVER_JOINED, Why.DEPLOYMENT_IGNORED})
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
    dispatch: str = ""
    """Our id of it; `""`: it was counted before ids were."""


_FIELDS: Final = len(fields(Outcome))


def of_outcomes(before: Mapping[str, Dispatch], changed: Iterable[Dispatch]) -> list[Note]:
    """The outcomes that these dispatches have now and had not `before`, by id."""
    notes: list[Note] = []
    for dispatch in changed:
        outcome = outcome_of(before.get(dispatch.id), dispatch)
        if outcome is None:
            continue
        key = keys.OUTCOMES + agent_key(dispatch.agent, dispatch.deployment)
        notes.append(("LPUSH", key, json.dumps(astuple(outcome))))
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
    return {agent: _one_of_each(_read(texts)) for agent, texts in zip(asked, found, strict=True)}


def _read(texts: Sequence[bytes]) -> Iterator[Outcome]:
    for values in json.loads(b"[" + b",".join(texts) + b"]"):
        yield Outcome(*values[:_FIELDS])  # another version may have told more


def _one_of_each(newest_first: Iterable[Outcome]) -> list[Outcome]:
    told: dict[str, Outcome] = {}
    for number, outcome in enumerate(newest_first):
        told.setdefault(outcome.dispatch or str(number), outcome)
    return sorted(told.values(), key=attrgetter("at"), reverse=True)


def outcome_of(before: Dispatch | None, after: Dispatch) -> Outcome | None:
    """The outcome a dispatch has now; None if it has none, or had it before."""
    if after.joined_at is not None:
        if before is not None and before.joined_at is not None:
            return None
        waited = after.joined_at - (after.accepted_at or after.joined_at)
        joined, join_ms = round(after.joined_at, 3), max(0, round(waited * 1000))
        return Outcome(joined, join_ms, after.worker_id, "", after.id)
    if _is_without(after) and not (before is not None and _is_without(before)):
        at = after.moves[-1].at if after.moves else after.created_at
        return Outcome(round(at, 3), None, after.worker_id, _word(after), after.id)
    return None


def _is_without(dispatch: Dispatch) -> bool:
    """Whether it is known by now that no agent has come for it, though one could have."""
    if any(_is_no_agent(move.reason) for move in dispatch.moves):
        return True
    began, ended = dispatch.accepted_at, dispatch.ended_at
    if began is None or ended is None:
        return False  # what LiveKit never took tells nothing of the agent
    patience = EXPECTED_SECONDS if dispatch.join_within is None else dispatch.join_within
    return dispatch.state in _WITHOUT and ended - began >= patience


def _is_no_agent(reason: str | None) -> bool:
    return reason is not None and reason.partition(":")[0] in _NO_AGENT


def _word(dispatch: Dispatch) -> str:
    told = next((m.reason for m in reversed(dispatch.moves) if _is_no_agent(m.reason)), None)
    return (told or dispatch.reason or "").partition(":")[0]
