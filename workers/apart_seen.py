"""Where a dispatch is that the listing of its own room does not show, and what is seen there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rules.session import joined_at
from workers.clock import CLOCKS_SECONDS
from workers.dispatch import ID_ATTRIBUTE
from workers.entries import clear_offer
from workers.errors import NotSent
from workers.providers.base import CALL_SECONDS, LOOKUP_SECONDS, Order, identities
from workers.taken import is_for, take, waiters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules.event import Fields
    from workers.dispatch import Dispatch
    from workers.hold import Hold
    from workers.providers.base import ListingProvider, Provider
    from workers.tools import Gate, Tools


class Place(NamedTuple):
    """Where a dispatch is sent."""

    provider: Provider
    lists: ListingProvider | None
    """The same, if it lists dispatches."""
    gate: Gate | None
    """None: whoever works on the room is inside already."""
    server_id: str
    room: str

    @contextmanager
    def entered(self, dispatch: Dispatch) -> Iterator[None]:
        """Be among those who call there, for as long as the block lasts.

        Raises:
            NotSent: they are enough.
        """
        if self.gate is None:
            yield
            return
        if self.gate.full:
            raise NotSent(f"{dispatch.provider} has its share of this worker's calls")
        with self.gate.entered():
            yield


class Seen(NamedTuple):
    """What a look there has shown."""

    made: str = ""
    """Id of the dispatch, where it is listed."""
    agent: Fields | None = None
    """Its agent, if that is there."""
    worker_id: str = ""


def place_of(dispatch: Dispatch, hold: Hold, tools: Tools) -> Place | None:
    """Where it is sent; None if that provider is not configured here."""
    server_id = tools.server_of(dispatch.provider, hold.server_id)
    if server_id is None:
        return None
    lists = tools.providers.get(server_id)
    room = dispatch.target or hold.room
    gate = tools.gates[server_id] if server_id != hold.server_id else None
    return Place(tools.place(server_id), lists, gate, server_id, room)


async def look_for(dispatch: Dispatch, hold: Hold, tools: Tools, place: Place | None) -> Seen:
    """What is there of it now.

    Raises:
        ProviderError: it could not be seen.
    """
    if place is None:
        return Seen()
    with place.entered(dispatch):
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        if place.lists is None:
            there = (await place.provider.snapshot(place.room)).participants
            return Seen(agent=await _agent(dispatch, there, place, tools))
        if await place.lists.room_sid(place.room) is None:
            return Seen()
        await tools.queue.keep(hold, CALL_SECONDS + 1)
        listed = await place.lists.dispatches(place.room)
        # The one it is known by before any that a worker made which had lost the room.
        mine = sorted(
            (each for each in listed if dispatch.is_sent_as(each)),
            key=lambda each: each.id != dispatch.dispatch_id,
        )
        if not mine:
            return Seen()
        await tools.queue.keep(hold, LOOKUP_SECONDS + 1)
        there = (await place.lists.snapshot(place.room)).participants
    ours, *doubles = mine
    agent = next((p for p in there if p["identity"] in identities([ours])), None)
    jobs = {job.identity: job.worker_id for job in ours.jobs}
    worker_id = jobs.get(str(agent["identity"]), "") if agent is not None else ""
    await have_removed([each.id for each in doubles], dispatch, place, tools)
    return Seen(ours.id, agent, worker_id)


async def have_removed(
    dispatch_ids: Sequence[str], dispatch: Dispatch, place: Place, tools: Tools
) -> None:
    """Have what was made for a dispatch go from a room of LiveKit, and its agents: whoever works on
    that room sees to it.

    Raises:
        RedisError: ask again.
    """
    for each in dispatch_ids:
        await tools.queue.offer(clear_offer(place.server_id, place.room, {each: dispatch.agent}))


async def _agent(
    dispatch: Dispatch, there: Iterable[Fields], place: Place, tools: Tools
) -> Fields | None:
    """Its agent among those who are there: the one known, or the first that is for it."""
    if dispatch.agent_identity is not None:
        known = next((p for p in there if p["identity"] == dispatch.agent_identity), None)
        if known is not None:  # and it stays this one's
            await take(dispatch, place.server_id, place.room, str(known["identity"]), tools)
        return known
    since = dispatch.wanted_at - CLOCKS_SECONDS
    waiting = await waiters([dispatch], place.server_id, place.room, tools)
    came = sorted(
        (p for p in there if joined_at(p, since) >= since and is_for(dispatch, p, waiting)),
        key=lambda p: (dispatch.agent not in (p["name"], p["identity"]), joined_at(p, since)),
    )
    for each in came:
        if await take(dispatch, place.server_id, place.room, str(each["identity"]), tools):
            return each
    return None


def order_of(dispatch: Dispatch, place: Place) -> Order:
    """What is asked for. Its room's sid says nothing where it goes."""
    known = {ID_ATTRIBUTE: dispatch.id} if place.lists is not None else {}
    return Order(
        room=place.room,
        agent=dispatch.agent,
        deployment=dispatch.deployment,
        metadata=dispatch.metadata,
        attributes={**dispatch.attributes, **known},
        restart_policy=dispatch.restart_policy,
        version=dispatch.version,
    )
