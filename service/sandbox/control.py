"""The JSON API under `/sandbox/` by which another process makes things happen.

It is open to whoever reaches the port: the sandbox listens on loopback and holds nothing real.
Names stand in the body, never in the path, since a room's name may hold slashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from service.sandbox.agents import Worker
from service.sandbox.faults import FaultName, read_fault
from service.sandbox.protojson import plain
from service.sandbox.traffic import play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.sandbox.server import Sandbox

Fields = dict[str, Any]


def control_routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """The routes, each a verb on one kind of thing."""
    control = Control(sandbox)
    return [
        web.route(verb, f"/sandbox/{thing}", handler(action))
        for thing, verb, action in (
            ("rooms", "GET", control.rooms),
            ("rooms", "POST", control.create_room),
            ("rooms", "PATCH", control.update_room),
            ("rooms", "DELETE", control.delete_room),
            ("participants", "POST", control.join),
            ("participants", "PATCH", control.update_participant),
            ("participants", "DELETE", control.leave),
            ("tracks", "POST", control.publish),
            ("tracks", "DELETE", control.unpublish),
            ("workers", "GET", control.workers),
            ("workers", "POST", control.add_worker),
            ("workers", "DELETE", control.remove_worker),
            ("faults", "GET", control.faults),
            ("faults", "POST", control.add_fault),
            ("faults", "DELETE", control.heal),
            ("calls", "GET", control.calls),
            ("calls", "DELETE", control.forget_calls),
            ("webhooks", "GET", control.webhooks),
            ("webhooks", "POST", control.send_webhook),
            ("traffic", "POST", control.traffic),
        )
    ]


class Control:
    """Each method takes the request's fields and returns the answer's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def rooms(self, _given: Fields) -> Fields:
        """The open rooms with everything in them; the turn password is left out."""
        rooms = []
        for room in self._sandbox.rooms.open.values():
            info = plain(room.info)
            info.pop("turn_password", None)
            info.pop("enabled_codecs", None)
            rooms.append(
                {
                    "room": info,
                    "participants": [plain(p) for p in room.participants.values()],
                    "dispatches": [plain(d) for d in room.dispatches.values()],
                }
            )
        return {"rooms": rooms}

    async def create_room(self, given: Fields) -> Fields:
        """`name`, `metadata`, `empty_timeout`, `departure_timeout`."""
        return {"sid": self._sandbox.create_room(given.pop("name"), **given).sid}

    async def update_room(self, given: Fields) -> Fields:
        """`name`, `metadata`."""
        self._sandbox.update_room(given["name"], metadata=given["metadata"])
        return {}

    async def delete_room(self, given: Fields) -> Fields:
        """`name`."""
        self._sandbox.delete_room(given["name"])
        return {}

    async def join(self, given: Fields) -> Fields:
        """`token`; or `room`, `identity` and what `Sandbox.join` takes besides."""
        if "token" in given:
            return {"sid": self._sandbox.join_by_token(given["token"]).sid}
        room, identity = given.pop("room"), given.pop("identity")
        return {"sid": self._sandbox.join(room, identity, **given).sid}

    async def update_participant(self, given: Fields) -> Fields:
        """`room`, `identity`, `metadata`, `attributes`."""
        room, identity = given.pop("room"), given.pop("identity")
        self._sandbox.update_participant(room, identity, **given)
        return {}

    async def leave(self, given: Fields) -> Fields:
        """`room`, `identity`, `reason`."""
        self._sandbox.leave(**given)
        return {}

    async def publish(self, given: Fields) -> Fields:
        """`room`, `identity`, `source`, `name`."""
        room, identity = given.pop("room"), given.pop("identity")
        return {"sid": self._sandbox.publish(room, identity, **given).sid}

    async def unpublish(self, given: Fields) -> Fields:
        """`room`, `identity`, `sid`."""
        self._sandbox.unpublish(**given)
        return {}

    async def workers(self, _given: Fields) -> Fields:
        """The workers, and how many jobs each took."""
        return {"workers": [worker.to_json() for worker in self._sandbox.agents.workers]}

    async def add_worker(self, given: Fields) -> Fields:
        """What `Worker` takes."""
        return {"id": self._sandbox.add_worker(Worker(**given)).id}

    async def remove_worker(self, given: Fields) -> Fields:
        """`id`, or nothing for all of them."""
        for worker in list(self._sandbox.agents.workers):
            if given.get("id") in (None, worker.id):
                self._sandbox.remove_worker(worker)
        return {}

    async def faults(self, _given: Fields) -> Fields:
        """The faults that are on."""
        return {"faults": [fault.to_json() for fault in self._sandbox.faults.active]}

    async def add_fault(self, given: Fields) -> Fields:
        """`name`, `methods`, `rooms`, `times`, `seconds`."""
        self._sandbox.faults.add(read_fault(given))
        return {}

    async def heal(self, given: Fields) -> Fields:
        """`name`, or nothing for all of them."""
        name = given.get("name")
        self._sandbox.heal(None if name is None else FaultName(name))
        return {}

    async def calls(self, given: Fields) -> Fields:
        """The calls of a `method`, of a `room`, or all."""
        found = self._sandbox.calls.of(given.get("method"), given.get("room"))
        return {"calls": [call.to_json() for call in found]}

    async def forget_calls(self, _given: Fields) -> Fields:
        """Empty the log."""
        self._sandbox.calls.clear()
        return {}

    async def webhooks(self, given: Fields) -> Fields:
        """Every delivery, of a `room` or of all, and what came of it."""
        return {
            "webhooks": [
                delivery.to_json()
                for delivery in self._sandbox.webhooks.deliveries
                if given.get("room") in (None, delivery.room)
            ]
        }

    async def send_webhook(self, given: Fields) -> Fields:
        """A webhook event in the protocol's JSON."""
        self._sandbox.send(given)
        return {}

    async def traffic(self, given: Fields) -> Fields:
        """Play the sample traffic, `pause` seconds between its steps."""
        played = await play(self._sandbox, pause=float(given.get("pause", 0.0)))
        return {"events": played.events}


def handler(
    action: Callable[[Fields], Awaitable[Fields]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer requests with what an action makes of their fields."""

    async def handle(request: web.Request) -> web.Response:
        given = await request.json() if request.can_read_body else dict(request.query)
        try:
            return web.json_response(await action(given))
        except KeyError as error:
            return web.json_response({"error": f"no {error.args[0]!r}"}, status=404)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
