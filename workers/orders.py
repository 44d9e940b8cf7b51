"""What somebody orders by hand: an agent for a room, or that one goes.

An order waits in its room's inbox like an event and is carried out under the room's lease, by
whichever worker holds it: see workers/by_hand.py.
"""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from rules.decision import RestartPolicy
from rules.limits import agent_fault, attributes_fault, deployment_fault, metadata_fault
from workers import keys
from workers.clock import unix_seconds
from workers.compact import compact
from workers.entries import order_offer
from workers.history import shown_dispatch
from workers.intake import Intake
from workers.kept import to_record
from workers.ledger import Ledger
from workers.planned import ordered, ordered_id
from workers.redacting import NOTHING
from workers.shown import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import redis

    from workers.redacting import Redaction

DISPATCH: Final = "dispatch"
REMOVE: Final = "remove"
REMOVE_AGENT: Final = "remove_agent"
ID_PREFIX: Final = "lkd.order."


class BadOrder(ValueError):
    """LiveKit would refuse it. `field` is what is wrong, the text says why."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(fault)
        self.field = field


class KeyUsed(ValueError):
    """The key of an order was used within the last day for another one."""

    def __init__(self, dispatch_id: str) -> None:
        super().__init__(f"the key was used before, for another order, which is {dispatch_id}")
        self.dispatch_id = dispatch_id


class Orders:
    """Gives orders. Every method raises `RedisError`: it may or may not have been stored then."""

    def __init__(self, redis: redis.Redis, redaction: Redaction = NOTHING) -> None:
        self._redis = redis
        self._redaction = redaction
        self._intake = Intake(redis)

    def dispatch(
        self,
        server_id: str,
        room: str,
        agent: str,
        deployment: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        restart_policy: str = RestartPolicy.ON_FAILURE.value,
        *,
        key: str = "",
    ) -> str:
        """Have an agent sent to a room that is there.

        Args:
            server_id: of the room's server.
            room: its name.
            agent: what dispatches call it.
            deployment: `""` is production.
            metadata: as the agent will read it.
            attributes: the same.
            restart_policy: a `RestartPolicy`.
            key: with the same one, the same order given again is the same dispatch, for a day;
                `""`: it is another each time.

        Returns:
            Our id of the dispatch.

        Raises:
            BadOrder: LiveKit would refuse it.
            KeyUsed: the key was used for another order.
        """
        asked = {
            "agent": agent,
            "deployment": deployment,
            "metadata": metadata,
            "attributes": dict(attributes or {}),
            "restart_policy": restart_policy,
        }
        _check(room, asked)
        asked["id"] = ordered_id(server_id, room, key or secrets.token_hex(16))
        return self._order(server_id, room, asked)

    def remove(self, server_id: str, room: str, dispatch_id: str) -> None:
        """Have a dispatch of ours deleted and its agent removed; no other takes its place.

        Its rule sends none for the same claim again while the session lasts. One that is over, or
        unknown there, stays as it is.
        """
        self._offer(server_id, room, {"order": REMOVE, "dispatch": dispatch_id})

    def remove_wherever(self, server_ids: Iterable[str], room: str, dispatch_id: str) -> None:
        """The same where nobody says on which server it is: on the others nothing happens."""
        for server_id in server_ids:
            self.remove(server_id, room, dispatch_id)

    def remove_agent(self, server_id: str, room: str, identity: str) -> None:
        """Have an agent removed from a room, whoever sent it. One of ours goes as by `remove`."""
        self._offer(server_id, room, {"order": REMOVE_AGENT, "identity": identity})

    def known(self, dispatch_id: str) -> dict[str, Any] | None:
        """A dispatch as it is now, as `Dispatch.to_json`: waiting, or in history."""
        found = self.shown(dispatch_id)
        return found and {name: found[name] for name in SHOWN}

    def shown(self, dispatch_id: str) -> dict[str, Any] | None:
        """The same with its history, as `Ledger.dispatch`."""
        ledger = Ledger(self._redis)
        return (
            ledger.dispatch(dispatch_id)
            or self._waiting(dispatch_id)
            or ledger.dispatch(dispatch_id)  # it was taken up in between
        )

    def _waiting(self, dispatch_id: str) -> dict[str, Any] | None:
        """A dispatch that was ordered and that no worker has taken up yet."""
        text = self._redis.get(keys.ORDER + dispatch_id)
        known = json.loads(text) if text else {}
        if "record" not in known:
            return None
        return {**shown_dispatch(compact(known["record"])), "followed_by": None, "untold": []}

    def _order(self, server_id: str, room: str, asked: dict[str, Any]) -> str:
        dispatch_id = str(asked["id"])
        order_id = ID_PREFIX + dispatch_id
        said = {**asked, "attributes": sorted(asked["attributes"].items())}
        digest = sha256(compact(sorted(said.items())).encode()).hexdigest()
        now = unix_seconds(self._redis.time())
        new = ordered(
            asked, order_id, room=room, room_sid="", event_at=0.0, now=now, received_at=now
        )
        record = self._redaction.dispatch(to_record(new))
        first = compact({"digest": digest, "record": record})
        name = keys.ORDER + dispatch_id
        if not self._redis.set(name, first, nx=True, ex=keys.ORDER_SECONDS):
            known = json.loads(self._redis.get(name) or first)
            if known["digest"] != digest:
                raise KeyUsed(dispatch_id)
            if "record" not in known:  # a worker has taken it up
                return dispatch_id
        order = {"order": DISPATCH, "dispatch": asked, "digest": digest}
        self._intake.offer(order_offer(server_id, room, order_id, order))
        return dispatch_id

    def _offer(self, server_id: str, room: str, order: dict[str, Any]) -> None:
        order_id = ID_PREFIX + secrets.token_hex(16)
        self._intake.offer(order_offer(server_id, room, order_id, order))


def taken(dispatch_id: str, digest: str) -> tuple[str, ...]:
    """The command that notes that an order was taken up: it is asked for never again."""
    kept = compact({"digest": digest})
    return ("SET", keys.ORDER + dispatch_id, kept, "XX", "KEEPTTL")


def _check(room: str, asked: Mapping[str, Any]) -> None:
    """Refuse what LiveKit would.

    Raises:
        BadOrder: it would.
    """
    attributes = asked["attributes"]
    texts = {name: asked[name] for name in ("agent", "deployment", "metadata")}
    texts |= {"room": room, "attributes": "".join((*attributes, *attributes.values()))}
    for field, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadOrder(field, f"the {field} holds half a character: send UTF-8") from None
    policies = [policy.value for policy in RestartPolicy]
    policy = asked["restart_policy"]
    faults = {
        "room": None if room else "the room's name is empty",
        "agent": agent_fault(asked["agent"]),
        "deployment": deployment_fault(asked["deployment"]),
        "metadata": metadata_fault(asked["metadata"]),
        "attributes": attributes_fault(attributes),
        "restart_policy": None if policy in policies else f"it is one of {', '.join(policies)}",
    }
    for field, fault in faults.items():
        if fault is not None:
            raise BadOrder(field, fault)
