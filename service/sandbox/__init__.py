"""A stand-in LiveKit server, for `dispatcher demo` and for tests.

It answers AgentDispatchService and RoomService over Twirp, sends signed webhooks and plays the
agents that take its jobs, all as livekit-server 1.13.5 does: `tests/contract` holds both to the
same behaviours. It carries no media. It knows nothing of this product and imports none of it.

    async with Sandbox(webhook_urls=[url], workers=[Worker("greeter")]) as livekit:
        livekit.join("support-1", "ana", room_metadata='{"lang":"es"}')

    with running(Sandbox(webhook_urls=[url])) as livekit:      # without a loop of one's own
        livekit.fault("cut", "CreateDispatch", times=1)

    python -m service.sandbox --port 7880 --webhook-url URL    # as a process, see control.py

Public names:

- `Sandbox`: the server. `url`, `key`, `secret`; `join`, `join_by_token`, `leave`, `publish`,
  `unpublish`, `create_room`, `delete_room`, `update_room`, `update_participant`, `send`;
  `add_worker`, `remove_worker`; `fault`, `heal`; `calls`, `webhooks`, `rooms` to look at.
- `Worker`: a registered worker and how well it behaves.
- `FaultName`: what can go wrong.
- `Call`, `Delivery`: what the logs of calls and webhooks hold.
- `running`: runs a sandbox in a thread.
- `ARRIVALS`, `DEPARTURES`, `EXPECTED`, `sample_workers`, `play`, `play_from_outside`: the sample
  traffic.
"""

from service.sandbox.agents import Worker
from service.sandbox.calls import Call
from service.sandbox.deliveries import Delivery
from service.sandbox.faults import FaultName
from service.sandbox.server import DEFAULT_KEY, DEFAULT_PORT, DEFAULT_SECRET, Sandbox
from service.sandbox.threads import running
from service.sandbox.traffic import (
    ARRIVALS,
    DEPARTURES,
    EXPECTED,
    play,
    play_from_outside,
    sample_workers,
)

__all__ = [
    "ARRIVALS",
    "DEFAULT_KEY",
    "DEFAULT_PORT",
    "DEFAULT_SECRET",
    "DEPARTURES",
    "EXPECTED",
    "Call",
    "Delivery",
    "FaultName",
    "Sandbox",
    "Worker",
    "play",
    "play_from_outside",
    "running",
    "sample_workers",
]
