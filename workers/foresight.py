"""What would be decided now, if an event came: asked with what is known, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rules.decide import decide
from rules.decision import Provider
from rules.frozen import replace
from rules.known import Known
from rules.session import observe
from workers import keys
from workers.clock import unix_seconds
from workers.pauses import Pauses
from workers.planned import share_of
from workers.record import Record
from workers.rooms_now import read_record

if TYPE_CHECKING:
    import redis

    from rules.decision import Decision
    from rules.event import Event
    from rules.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An event, filled in from what is known of its room, and what each rule would say of it."""

    event: Event
    decisions: tuple[Decision, ...]


def foresee(
    redis: redis.Redis,
    ruleset: Ruleset,
    server_id: str,
    event: Event,
    *,
    providers: frozenset[Provider] = frozenset({Provider.LIVEKIT}),
    anew: bool = False,
) -> Foreseen:
    """Decide an event without doing anything.

    One that does not tell its room's sid is of the session the room has now, or of a new one.

    Args:
        redis: where the room is known.
        ruleset: the rules.
        server_id: of the room.
        event: what would happen.
        providers: those whose agents can be sent.
        anew: as if nothing of its room were live: what the rules say by themselves.

    Raises:
        RedisError: Redis could not be reached.
    """
    stored = cast(
        "bytes | None", redis.hget(keys.ROOM + keys.room_key(server_id, event.room_name), "record")
    )
    record = (not anew and stored and read_record(event.room_name, stored)) or Record()
    if not event.room_sid and not record.in_session:
        record = Record()  # whoever comes now opens the name anew
    current = record.session
    if current is not None and event.room is not None and not event.room_sid:
        whole = {**(current.room or {}), **{k: v for k, v in event.room.items() if v}}
        event = replace(event, room={**whole, "sid": current.sid})
    session, event = observe(record.session_of(event), ruleset.agents_are.seen(event))
    paused = Pauses(redis).now()
    known = Known(
        live=record.live_claims,
        accepted=frozenset(record.accepted),
        held=frozenset(record.held),
        active=lambda rule, per: _count(redis, share_of(rule, per)),
        paused=paused.members,
        providers=providers,
    )
    return Foreseen(event, decide(ruleset, event, session, known))


def _count(redis: redis.Redis, share: str) -> int:
    """How many live dispatches count to a share of a limit."""
    now = int(unix_seconds(redis.time()) * 1000)
    return redis.zcount(keys.LIMIT + share, f"({now}", "+inf")
