"""Who is in which room, from the rooms' records."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from rules.event import is_human
from rules.session import agent_name, joined_at
from workers import keys
from workers.record import Record
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

    from rules.event import Fields
    from workers.dispatch import Dispatch

PAGE: Final = 50
_LOOKED_THROUGH: Final = 20_000
"""Names that one search looks at."""
_COUNT: Final = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """A participant who is no agent; `joined_at` is Unix seconds."""

    identity: str
    name: str
    kind: str
    is_human: bool
    joined_at: float
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent in a room; `dispatch` is ours, None if somebody else has sent it."""

    identity: str
    name: str
    joined_at: float
    dispatch: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it is known now."""

    server_id: str
    name: str
    sid: str
    is_live: bool
    metadata: str
    people: tuple[Person, ...]
    agents: tuple[Agent, ...]
    waiting: tuple[dict[str, Any], ...]
    """Dispatches whose agent is not there yet."""

    @property
    def humans(self) -> tuple[Person, ...]:
        """Those people who are human."""
        return tuple(person for person in self.people if person.is_human)


def rooms_seen(redis: redis.Redis, begin: int, part: str) -> tuple[list[Room], bool]:
    """Live rooms, the last that something happened in first; whether there are more.

    Args:
        redis: the client.
        begin: how many come before.
        part: only those with this in their names; `""`: all.

    Raises:
        RedisError: Redis could not be reached.
    """
    if part:
        members = _found(redis, part)[begin : begin + PAGE + 1]
    else:
        found = redis.zrange(keys.ROOMS, begin, begin + PAGE, desc=True)
        members = [member.decode() for member in cast("list[bytes]", found)]
    return _read(redis, members[:PAGE]), len(members) > PAGE


def room_seen(redis: redis.Redis, server_ids: Iterable[str], name: str) -> list[Room]:
    """A room by its name, on each server that knows it.

    Raises:
        RedisError: Redis could not be reached.
    """
    return _read(redis, [keys.room_key(server_id, name) for server_id in server_ids])


def _found(redis: redis.Redis, part: str) -> list[str]:
    words = part.lower()
    looked = islice(redis.zscan_iter(keys.ROOMS, count=_COUNT), _LOOKED_THROUGH)
    names = (member.decode() for member, _ in looked)
    return sorted({each for each in names if words in keys.split_room_key(each)[1].lower()})


def _read(redis: redis.Redis, members: Sequence[str]) -> list[Room]:
    with redis.pipeline(transaction=False) as pipe:
        for member in members:
            pipe.hget(keys.ROOM + member, "record")
        texts = pipe.execute() if members else []
    return [
        room
        for member, text in zip(members, texts, strict=True)
        if text and (room := _room(member, text)) is not None
    ]


def _room(member: str, text: bytes) -> Room | None:
    server_id, name = keys.split_room_key(member)
    try:
        record = Record.from_json(text)
    except (ValueError, LookupError, TypeError):  # another version's
        return None
    session = record.session
    if session is None:
        return Room(server_id, name, "", False, "", (), (), _waiting(record))  # noqa: FBT003 - is_live
    by_sid = {d.agent_sid: d for d in record.dispatches.values() if d.agent_sid}
    by_identity = {d.agent_identity: d for d in record.dispatches.values() if d.agent_identity}
    people, agents = [], []
    for sid, each in session.participants.items():
        if each.get("kind") == "AGENT":
            identity = str(each.get("identity", ""))
            agents.append(_agent(each, by_sid.get(sid) or by_identity.get(identity)))
        else:
            people.append(_person(each))
    return Room(
        server_id=server_id,
        name=name,
        sid=session.sid,
        is_live=record.in_session,
        metadata=str((session.room or {}).get("metadata") or ""),
        people=tuple(people),
        agents=tuple(agents),
        waiting=_waiting(record),
    )


def _waiting(record: Record) -> tuple[dict[str, Any], ...]:
    waits = (d for d in record.dispatches.values() if d.live and d.state is not State.ACTIVE)
    return tuple(dispatch.to_json() for dispatch in waits)


def _agent(participant: Fields, dispatch: Dispatch | None) -> Agent:
    name = dispatch.agent if dispatch is not None else agent_name(participant)
    shown = dispatch.to_json() if dispatch is not None else None
    identity = str(participant.get("identity", ""))
    return Agent(identity, name, joined_at(participant, 0.0), shown)


def _person(participant: Fields) -> Person:
    attributes = participant.get("attributes") or {}
    return Person(
        identity=str(participant.get("identity", "")),
        name=str(participant.get("name") or ""),
        kind=str(participant.get("kind", "STANDARD")),
        is_human=is_human(participant),
        joined_at=joined_at(participant, 0.0),
        attributes={str(k): str(v) for k, v in attributes.items()},
    )
