"""What an operator orders of the service by hand: an agent more, or that one goes.

The orders come in as those of the API do, some of them twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.simulation.traffic import ROOMS
from tests.simulation.world import SERVER
from workers import keys
from workers.entries import order_offer
from workers.history import read_dispatch
from workers.orders import DISPATCH, ID_PREFIX, REMOVE, REMOVE_AGENT
from workers.planned import ordered_id
from workers.reasons import Why
from workers.record import Record
from workers.states import LIVE

if TYPE_CHECKING:
    from tests.simulation.livekit import LiveKit, Made
    from tests.simulation.webhooks import Webhooks
    from tests.simulation.world import World
    from workers.dispatch import Dispatch

_HOW_MANY: Final = (1, 1, 2, 4)
_AGENTS: Final = ("greeter", "byhand")


class Ordering:
    """An operator."""

    def __init__(self, world: World, livekit: LiveKit, webhooks: Webhooks) -> None:
        self._world = world
        self._livekit = livekit
        self._webhooks = webhooks
        self._orders = 0
        self._sent: dict[str, str] = {}
        """The rooms of the dispatches that were ordered, by our ids."""
        self._removed: dict[str, str] = {}
        """The rooms of those that were known as live when it was ordered that they go."""

    def begin(self, last: float) -> None:
        """Plan all of it, up to a time in simulated seconds and a little beyond."""
        chance = self._world.chance
        self._world.has_orders = True
        for _ in range(chance.choice(_HOW_MANY)):
            at = chance.uniform(0.0, last + 10.0)
            act = self._send if chance.random() < 0.6 else self._take_away
            self._world.later(at, act, chance.choice(ROOMS))

    def check(self) -> None:
        """Tell every violation, when all has come to rest."""
        for ours, room in self._sent.items():
            kept = self._kept(ours)
            if kept is None and room not in self._world.put_aside:
                self._world.violated("an order was lost:", ours, "for", room)
            elif kept is not None and kept.state in LIVE and not self._made(ours):
                self._world.violated("it is told to be live and was never made:", ours)
        for ours, room in self._removed.items():
            if room not in self._world.put_aside:
                self._check_removed(ours, room)

    def _check_removed(self, ours: str, room: str) -> None:
        made = self._made(ours)
        if any(not m.is_over and not m.is_deleted for m in made):
            self._world.violated("it was to go, and is there:", ours, "in", room)
        kept = self._kept(ours)
        moves = kept.moves if kept is not None else ()
        held_at = next((m.at for m in moves if (m.reason or "").startswith(Why.HELD)), None)
        if kept is None or held_at is None or not made:
            return
        for other in self._livekit.made:
            is_same = (other.meant_for, other.claim) == (made[0].meant_for, made[0].claim)
            later = self._kept(other.ours) if is_same and other.ours else None
            if later is not None and later.created_at > held_at:
                self._world.violated("sent again, though it was to go:", later.id, "in", room)

    def _send(self, name: str) -> None:
        self._orders += 1
        ours = ordered_id(SERVER, name, str(self._orders))
        asked = {
            "id": ours,
            "agent": self._world.chance.choice(_AGENTS),
            "deployment": "",
            "metadata": "",
            "attributes": {"rule": ours},
            "restart_policy": self._world.chance.choice(("on_failure", "never")),
        }
        order = {"order": DISPATCH, "dispatch": asked, "digest": ""}
        self._offer(name, ID_PREFIX + ours, order)
        if self._world.odds(0.3):
            self._world.later(
                self._world.chance.uniform(0.0, 20.0), self._offer, name, ID_PREFIX + ours, order
            )

    def _take_away(self, name: str) -> None:
        """One of ours is to go, or its agent, as the operator sees them."""
        room, chance = self._livekit.rooms.get(name), self._world.chance
        ours = [made for made in room.dispatches.values() if made.ours] if room is not None else []
        if not ours:
            return
        made = chance.choice(ours)
        self._orders += 1
        order_id = f"{ID_PREFIX}{self._orders}"
        if made.identity and chance.random() < 0.3:
            order = {"order": REMOVE_AGENT, "identity": made.identity}
        else:
            order = {"order": REMOVE, "dispatch": made.ours}
        if self._offer(name, order_id, order):
            self._world.hands.setdefault((made.meant_for, *made.claim), False)
            if order["order"] == REMOVE and self._is_known(name, made):
                self._removed[made.ours] = name

    def _offer(self, name: str, order_id: str, order: dict[str, Any]) -> bool:
        """Give an order; whether the service has taken it."""
        world = self._world
        if world.is_away:
            return False
        answer = self._webhooks.accept(order_offer(SERVER, name, order_id, order))
        world.note("ordered:", order_id, name, order["order"], answer)
        if answer == "accepted":
            world.accepted[f"{SERVER}:{name}"].append(order_id)
            if order["order"] == DISPATCH:
                self._sent[str(order["dispatch"]["id"])] = name
        return True

    def _is_known(self, name: str, made: Made) -> bool:
        """Whether the service knows it as live now."""
        text = self._world.store.ask("HGET", f"{keys.ROOM}{SERVER}:{name}", "record")
        known = Record.from_json(text or b"").dispatches.get(made.ours)
        return known is not None and known.live

    def _made(self, ours: str) -> list[Made]:
        return [made for made in self._livekit.made if made.ours == ours]

    def _kept(self, ours: str) -> Dispatch | None:
        """As history has it."""
        text = self._world.store.ask("GET", keys.DISPATCH + ours)
        return None if text is None else read_dispatch(text)
