"""What somebody does by hand to a dispatch of ours, which nobody may undo.

It counts where the service could know: it knew the dispatch as one that stays, and hears of what
was done. Deleted while it was being deleted anyway, or while its agent was waited for in vain and
the next one asked for, it looks like our own doing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.world import SERVER
from workers import keys
from workers.dispatch import State
from workers.record import Record

if TYPE_CHECKING:
    from tests.simulation.livekit import LiveKit, Made
    from tests.simulation.world import World
    from workers.dispatch import Dispatch


def delete(world: World, livekit: LiveKit, made: Made) -> None:
    """DeleteDispatch."""
    known = _known(world, made)
    counts = known is not None and not known.release_when and not known.join_within
    _note(world, made, "deletes", counts=counts)
    livekit.delete(made.room.name, made.whole.id)


def remove(world: World, livekit: LiveKit, made: Made) -> None:
    """RemoveParticipant. Only its webhook tells that it was a hand."""
    known = _known(world, made)
    counts = known is not None and known.state is State.ACTIVE
    _note(world, made, "removes the agent of", counts=counts and world.hears_all)
    livekit.leave(made.room, made.identity, "PARTICIPANT_REMOVED")
    claim = (made.meant_for, *made.claim)
    if made.identity in world.overtaken and world.hands[claim]:
        world.hands[claim] = False  # who knows what is decided before it arrives
        world.told_late[world.overtaken[made.identity]] = claim
    made.is_over = True


def _note(world: World, made: Made, what: str, *, counts: bool) -> None:
    world.note("by hand: somebody", what, made.whole.id, made.identity, "" if counts else "(late)")
    made.is_by_hand = True
    claim = (made.meant_for, *made.claim)
    world.hands[claim] = world.hands.get(claim, False) or counts


def _known(world: World, made: Made) -> Dispatch | None:
    """As the service knows it, if it is to stay there."""
    text = world.store.ask("HGET", f"{keys.ROOM}{SERVER}:{made.room.name}", "record")
    known = Record.from_json(text or b"").dispatches.get(made.ours)
    is_known = known is not None and known.live and known.dispatch_id == made.whole.id
    return known if is_known and known is not None and known.withdrawn is None else None
