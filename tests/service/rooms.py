"""Puts rooms into Redis as workers keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.event import read_event
from rules.session import Session, observe
from workers import keys
from workers.dispatch import Dispatch, State
from workers.record import Record

if TYPE_CHECKING:
    from redis import Redis

HUMAN = {"sid": "PA_1", "identity": "ana", "name": "Ana", "joinedAt": "1770000001"}
AGENT = {
    "sid": "PA_2", "identity": "agent-1", "kind": "AGENT",
    "attributes": {"lk.agent_name": "greeter"},
}  # fmt: skip
OTHER_AGENT = {**AGENT, "sid": "PA_3", "identity": "agent-x"}
RECORDER = {"sid": "PA_4", "identity": "EG_1", "kind": "EGRESS"}


def dispatch(room: str, **more: Any) -> Dispatch:
    """One of ours, whose agent is the one above."""
    given = {
        "id": "Done", "provider": "livekit", "room": room, "room_sid": f"RM_{room}",
        "rule": "support", "subject": room, "agent": "greeter", "deployment": "beta",
        "metadata": "", "attributes": {}, "restart_policy": "on_failure", "event_id": "EV_1",
        "rules_hash": "h", "created_at": 1_770_000_002.0, "state": State.ACTIVE,
        "agent_sid": "PA_2", "agent_identity": "agent-1", "joined_at": 1_770_000_003.0,
        "claim": f"support\x1f0\x1froom\x1f{room}", "wanted_at": 1_770_000_002.0,
    }  # fmt: skip
    return Dispatch(**{**given, **more})


def put_room(
    redis: Redis,
    server_id: str,
    name: str,
    *people: dict[str, Any],
    dispatches: tuple[Dispatch, ...] = (),
    at: float = 1.0,
    ended: bool = False,
) -> None:
    """A room with these people in it. `at` is when its record was last written."""
    session = Session(f"RM_{name}")
    room = {"sid": session.sid, "name": name, "creationTime": "1770000000", "metadata": "{}"}
    for person in people or ({},):
        kind = "participant_joined" if person else "room_started"
        body = {"event": kind, "room": room, **({"participant": person} if person else {})}
        session, _ = observe(session, read_event(body))
    if ended:
        session, _ = observe(session, read_event({"event": "room_finished", "room": room}))
    record = Record(session=session, dispatches={d.id: d for d in dispatches})
    key = keys.room_key(server_id, name)
    redis.hset(keys.ROOM + key, "record", record.to_json())
    redis.zadd(keys.ROOMS, {key: at})
