"""Agents that come with a caller's join token, met when the caller's webhook is decided.

LiveKit sends the agents of a token's room configuration when its bearer opens the room, and ignores
them where the room is open already. Soon after, rules decide on the webhook of that join. They must
send no second agent, and cannot rely on the first.

So each agent of a token carries a mark that follows from its claim alone: whoever has the claim
knows it, whichever of a hundred tokens has opened the room, and in the next session of the room's
name again. And it is noted of the room that such tokens may be in use. In such a room, and nowhere
else, a dispatch looks before it is called, and takes what carries its mark for its own.

A token does not know the sid of the session it opens, so what it sends carries none.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from rules.decision import Once, Provider, read_claim
from rules.frozen import replace
from rules.session import agent_name, joined_at
from workers import keys, scripts
from workers.dispatch import ID_ATTRIBUTE, SID_ATTRIBUTE, State, Step
from workers.record import SeenAgent
from workers.removal import unwanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import redis

    from rules.decision import Plan
    from rules.event import Event
    from workers.dispatch import Dispatch
    from workers.hold import Note
    from workers.providers.base import Listed
    from workers.record import Record
    from workers.removal import Unwanted

LATE_SECONDS: Final = 300.0
"""How long after its end a token may still matter: servers take it a minute longer, a webhook is
late, clocks differ."""


def sent_by_token(plan: Plan) -> bool:
    """Whether a token can carry a plan's agent: LiveKit sends it, and at once."""
    return plan.provider is Provider.LIVEKIT and not plan.room and not plan.after


def marked(plan: Plan, event: Event) -> dict[str, str]:
    """The attributes with which a token for this event carries a plan's agent."""
    identity = str((event.participant or {}).get("identity") or "")
    mark = _mark(event.room_name, plan.claim.key, identity)
    return {**plan.attributes, ID_ATTRIBUTE: mark}


def note(redis: redis.Redis, server_id: str, room: str, seconds: float) -> None:
    """Note that a token which carries agents may be used in a room for so long.

    Written before the token is given to anybody: a note without a token costs a look, a token
    without a note a second agent.

    Raises:
        RedisError: it may or may not have been noted.
    """
    key = keys.TOKENS + keys.room_key(server_id, room)
    scripts.call(redis, scripts.NOTE, [key], [int((seconds + LATE_SECONDS) * 1000)])


def noted_on(room_key: str) -> Note:
    """The command that keeps the note of a room in which a token may have been used.

    LiveKit gives those who are connected new tokens with the same room configuration, for as long
    as they stay, with which they may open the name's next session.
    """
    return ("EXPIRE", keys.TOKENS + room_key, str(keys.TOKENS_SECONDS))


def looked_for(dispatch: Dispatch, record: Record) -> Dispatch:
    """A new dispatch in a room where tokens may be in use: it looks before it is called.

    What a token has sent is taken once in a session: LiveKit lists it when its agent is gone, too.
    """
    mark = _mark(dispatch.room, dispatch.claim, dispatch.participant)
    is_taken = mark in record.met or any(mark in d.marks for d in record.dispatches.values())
    is_called = not dispatch.apart and dispatch.step is Step.CREATE
    if is_taken or not is_called:
        return dispatch
    return replace(dispatch, token_mark=mark, event_at=0.0, called_at=None, called_by="")


def with_agents(record: Record, new: Iterable[Dispatch]) -> Record:
    """The record with the agents that may have come for these before the event was heard of."""
    names = {d.agent for d in new if d.token_mark}
    if record.session is None or not names:
        return record
    ours = {d.agent_sid for d in record.dispatches.values()}
    here = {
        sid: SeenAgent(sid, str(p["identity"]), joined_at(p, 0.0), name=agent_name(p))
        for sid, p in record.session.participants.items()
        if p.get("kind") == "AGENT" and agent_name(p) in names and sid not in ours
    }
    if not here:
        return record
    return replace(record, agents={**here, **record.agents}, agents_due=0.0, agents_looks=0)


def fitting(
    dispatch: Dispatch, found: Sequence[Listed], going: Iterable[Unwanted], now: float
) -> tuple[list[Listed], tuple[Unwanted, ...]]:
    """What is listed of a dispatch, and what of it must go: rules may have changed since the token.

    Args:
        dispatch: one that is to be created.
        found: what carries its id or its mark.
        going: what is on its way out of the room already.
        now: Unix seconds.

    Returns:
        What asks for the agent that the dispatch asks for, and the rest, as unwanted.
    """
    asked = (dispatch.agent, dispatch.deployment)
    fits = [
        d
        for d in found
        if d.attributes.get(ID_ATTRIBUTE) == dispatch.id or (d.agent, d.deployment) == asked
    ]
    known = {each.dispatch_id for each in going}
    others = {d.id: d.agent for d in found if d not in fits and d.id not in known}
    return fits, unwanted(others, now)


def unmet(listed: Iterable[Listed], record: Record) -> set[str]:
    """LiveKit's ids of what a token has sent and no dispatch has met yet: one may, any moment."""
    known = {d.dispatch_id for d in record.dispatches.values()}
    return {
        d.id
        for d in listed
        if _is_by_token(d) and d.id not in known and d.attributes[ID_ATTRIBUTE] not in record.met
    }


def known_by_mark(record: Record, listed: Iterable[Listed]) -> dict[str, str]:
    """By the marks of a room's claims, LiveKit's ids of the dispatches that hold them.

    Those are told too that were called without a look, since the note was lost or had ended: what
    carries their mark is a second agent.
    """
    if not any(map(_is_by_token, listed)):
        return {}
    held = [
        (d, d.dispatch_id)
        for d in record.dispatches.values()
        if d.dispatch_id is not None and d.state in (State.PENDING, State.ACTIVE)
    ]
    told = {
        _mark(d.room, d.claim, d.participant): livekit_id
        for d, livekit_id in held
        if read_claim(d.claim).once is not Once.EVENT  # one mark, and an agent for each event
    }
    return told | {d.token_mark: livekit_id for d, livekit_id in held if d.token_mark}


def _is_by_token(listed: Listed) -> bool:
    given = listed.attributes
    return ID_ATTRIBUTE in given and SID_ATTRIBUTE not in given


def _mark(room: str, claim: str, identity: str) -> str:
    """The mark of a claim.

    That of an event has the participant's identity instead of the event's id: nobody knows before
    somebody joins what his join's id will be.
    """
    whose = read_claim(claim)
    subject = identity if whose.once is Once.EVENT else whose.subject
    parts = (room, whose.owner, whose.position, whose.once, subject)
    return "T" + sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
