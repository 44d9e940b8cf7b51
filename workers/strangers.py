"""Agents in rooms that nobody here has sent: automatic dispatch, a token's, or by somebody else.

They are counted by name in each pass that compares rooms with what LiveKit lists, and so are those
that stand beside one of ours of the same name: that caller talks to two.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from rules.session import agent_name
from workers import keys
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis
    import redis.asyncio

    from workers.record import Record


@dataclass(slots=True)
class Strangers:
    """What one pass has seen of them."""

    there: Counter[str] = field(default_factory=Counter)
    """How many are in rooms, by name; `""`: they do not tell theirs."""
    doubles: Counter[str] = field(default_factory=Counter)
    """How many of those are beside one of ours of that name."""

    def room(self, record: Record, others: Mapping[str, str] | None = None) -> None:
        """Count those of one room.

        Args:
            record: of the room.
            others: sids and names of the agents that a listing shows and that are not known to be
                ours; None: there is no listing, and those last known are counted.
        """
        if others is None:
            people = record.session.participants if record.session is not None else {}
            met = {d.agent_sid for d in record.dispatches.values()}  # since that look
            last = record.strangers & people.keys() - met
            others = {sid: agent_name(people[sid]) for sid in last}
        ours = {d.agent for d in record.dispatches.values() if d.state is State.ACTIVE}
        for sid, name in others.items():
            if sid in record.strangers:  # a look at their room has found no dispatch of theirs
                self.there[name] += 1
                self.doubles[name] += name in ours

    async def keep(self, client: redis.asyncio.Redis, server_id: str, seconds: float) -> None:
        """Keep what was seen, for so long, in place of what was seen before.

        Raises:
            RedisError: Redis could not be reached.
        """
        key = keys.STRANGERS + server_id
        async with client.pipeline(transaction=True) as pipe:
            pipe.delete(key)
            if self.there:
                told: dict[Any, Any] = {
                    name: json.dumps([count, self.doubles[name]])
                    for name, count in self.there.items()
                }
                pipe.hset(key, mapping=told)
                pipe.expire(key, max(1, round(seconds)))
            await pipe.execute()


def read_strangers(redis: redis.Redis, server_ids: Iterable[str]) -> Strangers:
    """What the last pass over each of these servers has seen.

    Raises:
        RedisError: Redis could not be reached.
    """
    seen = Strangers()
    for server_id in server_ids:
        found = cast("dict[bytes, bytes]", redis.hgetall(keys.STRANGERS + server_id))
        for name, text in found.items():
            there, doubles = json.loads(text)
            seen.there[name.decode()] += there
            seen.doubles[name.decode()] += doubles
    return seen
