"""Seeing to it that a dispatch LiveKit should not have goes, and its agent with it.

DeleteDispatch alone does not do it. It tells the dispatch's worker, once, that the job is to end,
and a worker of livekit-agents that has not started the agent yet ignores that: the agent comes and
stays, and no listing has a dispatch to know it by. So the agent's identity is learnt from the job
first, then the dispatch is deleted, and then the agent is removed whenever it is there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from rules.frozen import replace
from workers.clock import CLOCKS_SECONDS
from workers.errors import NotFound, ProviderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from workers.providers.base import Listed, ListingProvider, Provider

JOB_SECONDS: Final = 7.0
"""By then a job that was taken is listed (LiveKit needs up to 5 s, see `workers/agents.py`)."""
JOB_LOOK_SECONDS: Final = 0.5
LEAVING_SECONDS: Final = 4.0
"""How long an agent may take to leave when its dispatch is deleted: LiveKit gives it 3 s."""
COMING_SECONDS: Final = 60.0
"""How long an agent may still be on its way: a worker may have to start a process for it."""
RETRY_SECONDS: Final = 300.0
LONGEST_PAUSE_SECONDS: Final = 15.0
AT_ONCE: Final = 16
_BY_JOB: Final = "agent-AJ_"
"""How an identity begins that an agent has not chosen: its job's id follows, nobody shares it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A dispatch in LiveKit that must go. Times are Unix seconds."""

    dispatch_id: str
    """LiveKit's id of it."""
    since: float
    due: float
    """When to look next."""
    identities: tuple[str, ...] = ()
    """What its agents join as, as far as its jobs have told."""
    deleted_at: float | None = None
    agent: str = ""
    """What dispatches call its agent, where that is known."""

    def to_json(self) -> list[Any]:
        """As the room's record keeps it; `from_json` reads it back."""
        when = (self.since, self.due)
        return [self.dispatch_id, *when, self.identities, self.deleted_at, self.agent]

    @classmethod
    def from_json(cls, given: list[Any]) -> Unwanted:
        """Read what `to_json` wrote."""
        dispatch_id, since, due, identities, *more = given
        return cls(dispatch_id, since, due, tuple(identities), *more[:2])  # a newer one keeps more


def unwanted(these: Mapping[str, str], now: float) -> tuple[Unwanted, ...]:
    """Dispatches that are found to be unwanted now: LiveKit's ids, and agents' names."""
    return tuple(Unwanted(i, since=now, due=now, agent=agent) for i, agent in these.items())


def heard(
    these: Iterable[Unwanted], identity: str, now: float, *, here: bool
) -> tuple[Unwanted, ...]:
    """Agents that an event tells of: one of these that has come is looked after at once, one that
    has left after its dispatch was deleted needs no more looking after.
    """
    return tuple(
        replace(each, due=min(each.due, now)) if identity in each.identities else each
        for each in these
        if here or each.deleted_at is None or each.identities != (identity,)
    )


async def look(
    these: Sequence[Unwanted],
    room: str,
    provider: ListingProvider,
    now: float,
    *,
    keep: Callable[[], Awaitable[None]],
) -> tuple[Unwanted, ...]:
    """Look after those that are due, and do what can be done now.

    Args:
        these: what is unwanted in the room.
        room: its name.
        provider: who is asked.
        now: Unix seconds.
        keep: called before each request but the first, to keep the room for as long.

    Returns:
        All that are not seen to yet, each with the time of its next look.
    """
    due = [each for each in these if each.due <= now][:AT_ONCE]
    waiting = [each for each in these if each not in due]
    try:
        is_there = await provider.room_sid(room) is not None  # listing one that is gone takes 3 s
        await keep()
        listed = {d.id: d for d in await provider.dispatches(room)} if is_there else {}
        await keep()
    except ProviderError as error:
        after = [_retried(each, room, error, now) for each in due]
    else:
        after = await asyncio.gather(*(_seen_to(each, listed, room, provider, now) for each in due))
    return (*waiting, *(each for each in after if each is not None))


async def _seen_to(
    this: Unwanted, listed: Mapping[str, Listed], room: str, provider: ListingProvider, now: float
) -> Unwanted | None:
    this = _with_identities(this, listed)
    try:
        if this.deleted_at is not None:
            for identity in this.identities:
                if not _may_be_wanted(identity, this, listed, now):
                    await _remove(identity, room, provider)
        elif this.dispatch_id not in listed:
            this = replace(this, deleted_at=now)
        elif this.identities or now - this.since >= JOB_SECONDS:
            await _delete(this.dispatch_id, room, provider)
            this = replace(this, deleted_at=now)
    except ProviderError as error:
        return _retried(this, room, error, now)
    return _next_look(this, now)


def _next_look(this: Unwanted, now: float) -> Unwanted | None:
    if this.deleted_at is None:
        return replace(this, due=now + JOB_LOOK_SECONDS)
    gone_for = now - this.deleted_at
    if not this.identities or gone_for > COMING_SECONDS:
        return None
    return replace(this, due=now + max(LEAVING_SECONDS, gone_for))


def _with_identities(this: Unwanted, listed: Mapping[str, Listed]) -> Unwanted:
    if this.dispatch_id not in listed:
        return this
    told = (job.identity for job in listed[this.dispatch_id].jobs if job.identity)
    return replace(this, identities=tuple(dict.fromkeys((*this.identities, *told))))


def _may_be_wanted(identity: str, this: Unwanted, listed: Mapping[str, Listed], now: float) -> bool:
    """Whether another dispatch's agent has this identity, or may have: an agent may choose it."""
    if identity.startswith(_BY_JOB):
        return False
    others = [d for d in listed.values() if d.id != this.dispatch_id and d.agent]
    return any(
        identity in {job.identity for job in d.jobs}
        or (not d.jobs and now - d.created_at < JOB_SECONDS + CLOCKS_SECONDS)
        for d in others
    )


async def _delete(dispatch_id: str, room: str, provider: ListingProvider) -> None:
    try:
        await provider.delete(room, dispatch_id)
    except NotFound:
        return
    log.info("deleted", room=room, livekit_dispatch=dispatch_id)


async def _remove(identity: str, room: str, provider: Provider) -> None:
    try:
        await provider.remove(room, identity)
    except NotFound:
        return
    log.info("agent_removed", room=room, identity=identity)


def _retried(this: Unwanted, room: str, error: ProviderError, now: float) -> Unwanted | None:
    tried_for = now - this.since
    about = {"room": room, "livekit_dispatch": this.dispatch_id, "error": str(error)}
    if tried_for > RETRY_SECONDS:
        log.error("removal_given_up", **about)
        return None
    log.warning("removal_retried", **about)
    return replace(this, due=now + min(max(1.0, tried_for), LONGEST_PAUSE_SECONDS))
