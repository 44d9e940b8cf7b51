"""What must hold when all has come to rest, whatever happened before."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.world import SERVER
from workers.dispatch import State
from workers.history import read_dispatch
from workers.record import Record
from workers.restarts import MOST_RESTARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.livekit import LiveKit, Made, Room
    from tests.simulation.rulebook import Promise
    from tests.simulation.world import World
    from workers.dispatch import Dispatch


def check(world: World, livekit: LiveKit, promises: tuple[Promise, ...]) -> None:
    """Tell every violation."""
    if not world.loop.came_to_rest:
        world.violated("it does not come to rest")
    due, inboxes, records = world.store.at_rest()
    for room_key in due:
        world.violated("it is due for ever:", room_key.decode())
    for inbox in inboxes:
        world.violated("events are left over:", inbox.decode())
    _told(world)
    for room in livekit.rooms.values():
        record = Record.from_json(records.get(f"{SERVER}:{room.name}", b""))
        _dispatches(world, room)
        _agents(world, room, livekit.made)
        _record(world, room, record, {m.whole.id for m in livekit.made if m.is_by_hand})
        if room.name not in world.put_aside:
            _nothing_is_lost(world, room, promises, livekit.made)


def _told(world: World) -> None:
    """Others are told of all that has become of dispatches, and of nothing else."""
    told, kept = world.store.notices()
    wanted = {notice for each in kept for notice in _notices_of(read_dispatch(each))}
    for notice in sorted(wanted - told.keys()):
        world.violated("nobody is told:", notice)
    for notice in sorted(told.keys() - wanted):
        world.violated("it is told of what has not been:", notice)
    for notice, body in told.items():
        if not notice.endswith(json.loads(body)["type"].removeprefix("dispatch.")):
            world.violated("what is told has no body:", notice)


def _notices_of(dispatch: Dispatch) -> Iterator[str]:
    has_joined = dispatch.joined_at is not None
    if has_joined:
        yield f"{dispatch.id}_started"
    if dispatch.state in (State.FAILED, State.SUPERSEDED):
        yield f"{dispatch.id}_{dispatch.state}"
    elif dispatch.state in (State.ENDED, State.RELEASED) and has_joined:
        yield f"{dispatch.id}_ended"


def left_behind(world: World, room: Room) -> None:
    """Nobody was in a room for minutes, and it is about to close: what was left in it?"""
    for made in room.dispatches.values():
        if made.ours and made.meant_for != room.sid:
            world.violated("sent into another session, and left there:", made.whole.id)


def is_live(made: Made) -> bool:
    """Whether it has an agent, or may still get one."""
    return not made.is_over


def _dispatches(world: World, room: Room) -> None:
    ours = [made for made in room.dispatches.values() if made.ours]
    left_behind(world, room)
    for ours_id, number in Counter(made.ours for made in ours).items():
        if number > 1:
            world.violated("made", number, "times:", ours_id, "in", room.name)
    for claim, number in Counter(made.claim for made in ours if is_live(made)).items():
        if number > 1:
            world.violated(number, "live dispatches of", *claim, "in", room.name)


def _agents(world: World, room: Room, made: list[Made]) -> None:
    """Ours are where they were sent.

    What others sent may come to the next session of its room, and so may one whose dispatch others
    have deleted before its worker knew of it.
    """
    for each in made:
        ours = each.ours and not each.is_by_hand
        if ours and each.identity in room.people and each.is_deleted:
            world.violated("an agent that was not sent here:", each.identity, "in", room.name)


def _record(world: World, room: Room, record: Record, by_hand: set[str]) -> None:
    """What we believe is so.

    Of an event that was put aside only a look can tell; and nothing tells of a dispatch that
    somebody has deleted when its agent was not waited for any more.
    """
    session = record.session
    if session is None or session.ended or session.sid != room.sid:
        world.violated("we do not know of the session of", room.name)
        return
    present = {p.sid for p in room.people.values() if p.active}
    is_told = room.name not in world.put_aside or world.is_looked_at
    if is_told and set(session.participants) != present:
        world.violated("we believe in", *sorted(session.participants), "not in", *sorted(present))
    live = [d for d in record.dispatches.values() if d.live]
    known = {d.dispatch_id or d.id for d in live}
    deleted = {d.dispatch_id for d in live if d.state is State.PENDING and d.dispatch_id in by_hand}
    there = {m.whole.id for m in room.dispatches.values() if m.ours and is_live(m)}
    for dispatch_id in sorted(there - known):
        world.violated("a live dispatch that we do not know of:", dispatch_id)
    for dispatch_id in sorted(known - there):
        if dispatch_id in deleted:
            continue
        if dispatch_id not in room.dispatches:
            world.violated("we believe in the dispatch", dispatch_id, "that is not there")
        elif room.dispatches[dispatch_id].identity not in world.unheard:
            world.violated("we believe that the agent is there of", dispatch_id)


def _nothing_is_lost(
    world: World, room: Room, promises: tuple[Promise, ...], made: list[Made]
) -> None:
    """Whoever is there has the agents that the rules promise, if such agents come and stay."""
    # One that stays though somebody has deleted its dispatch is not ours to count on either.
    strangers = (m for m in made if not m.ours or m.is_by_hand)
    elsewhere = {m.whole.agent for m in strangers if m.room.name == room.name}
    for promise, subject in _expected(room, promises):
        claim = (promise.rule, subject)
        sent = [each for each in made if each.meant_for == room.sid and each.claim == claim]
        if any(is_live(each) and not each.is_deleted for each in sent):
            continue
        failed = sum(each.is_over for each in sent)
        # Not only the newest: a worker that had lost the room may have made another one since.
        is_at_its_end = any(m.is_deleted and m.whole.agent == promise.last for m in sent)
        is_given_up = failed > MOST_RESTARTS or is_at_its_end
        if is_given_up or (room.sid, *claim) in {*world.refused, *world.hands}:
            continue
        # What a listing tells sends no agent of a name that is there already.
        is_there = promise.agent in elsewhere and (world.is_looked_at or world.has_orders)
        if not is_there and not any(each.identity in world.unheard for each in sent):
            world.violated("no agent is sent by", promise.rule, "for", subject or room.name)


def _expected(room: Room, promises: tuple[Promise, ...]) -> Iterator[tuple[Promise, str]]:
    """The promises that must be kept, and for whom, as their dispatches tell it."""
    callers = [person for person in room.humans if person.active]
    for promise in promises:
        if promise.once == "participant":
            yield from ((promise, person.identity) for person in callers)
        elif callers:
            yield promise, ""
