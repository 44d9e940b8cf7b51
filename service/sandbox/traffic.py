"""Sample traffic: a few callers of every sort, as the sample rules expect them.

Rooms `support-*` carry a language in their metadata, telephone callers come into rooms `call-*`,
some of the rooms `beta-*` get staging agents, and `lobby-*` is nobody's business. The rules are
`rules/examples/demo.yaml`, and a test holds `EXPECTED` to them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from service.sandbox.agents import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.sandbox.people import People
    from service.sandbox.server import Sandbox


S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Scene(Generic[S]):
    """One thing that happens on a stage, and how to tell it."""

    told: str
    happens: Callable[[S], object]


@dataclass(frozen=True, slots=True)
class Expected:
    """A dispatch that the sample rules make of the arrivals."""

    room: str
    agent: str
    deployment: str = ""
    provider: str = "livekit"
    joins: bool = True
    """False: no worker takes it, and its fallback follows."""


@dataclass(frozen=True, slots=True)
class Played:
    """What was played."""

    scenes: tuple[str, ...]
    events: int
    """Webhooks sent meanwhile, those of agents that joined included."""


_PHONE: Final = {
    "sip.callID": "SCL_sample",
    "sip.callStatus": "active",
    "sip.phoneNumber": "+34600111222",
    "sip.trunkID": "ST_sample",
    "sip.trunkPhoneNumber": "+34910000001",
}

ARRIVALS: Final[tuple[Scene[People], ...]] = (
    Scene(
        "Ana, who speaks Spanish, enters support-1",
        lambda p: p.join("support-1", "ana", name="Ana", room_metadata='{"lang":"es"}'),
    ),
    Scene(
        "Ben, who speaks English, enters support-2",
        lambda p: p.join("support-2", "ben", name="Ben", room_metadata='{"lang":"en"}'),
    ),
    Scene(
        "a telephone call comes into call-7001",
        lambda p: p.join("call-7001", "sip_+34600111222", kind="SIP", attributes=_PHONE),
    ),
    Scene(
        "Carla comes on the beta line, into beta-1",
        lambda p: p.join("beta-1", "carla", name="Carla"),
    ),
    Scene(
        "Emil comes on the beta line, into beta-4, one of the rooms that get staging",
        lambda p: p.join("beta-4", "emil", name="Emil"),
    ),
    Scene(
        "Luis joins Ana in support-1, where an agent is already",
        lambda p: p.join("support-1", "luis", name="Luis"),
    ),
    Scene(
        "Dora waits in lobby-1, which no rule knows",
        lambda p: p.join("lobby-1", "dora", name="Dora"),
    ),
    Scene(
        "Ana turns her microphone on",
        lambda p: p.publish("support-1", "ana"),
    ),
)
DEPARTURES: Final[tuple[Scene[People], ...]] = (
    Scene("Luis leaves support-1", lambda p: p.leave("support-1", "luis")),
    Scene("Ben leaves support-2", lambda p: p.leave("support-2", "ben")),
    Scene("the telephone call ends", lambda p: p.leave("call-7001", "sip_+34600111222")),
)
EXPECTED: Final = (
    Expected("support-1", "greeter"),
    Expected("support-2", "greeter"),
    Expected("call-7001", "phone"),
    Expected("beta-1", "greeter"),
    Expected("beta-4", "greeter", "staging"),
)


def sample_workers() -> list[Worker]:
    """The workers that the sample rules send agents of: `greeter`, twice deployed, and `phone`."""
    return [Worker("greeter"), Worker("greeter", deployment="staging"), Worker("phone")]


async def play(
    sandbox: Sandbox,
    scenes: Sequence[Scene[People]] = ARRIVALS + DEPARTURES,
    *,
    pause: float = 0.0,
    tell: Callable[[str], object] = lambda _told: None,
) -> Played:
    """Play scenes on the sandbox's loop, `pause` seconds apart, telling each as it happens.

    Whether their webhooks have arrived is another matter: see `Sandbox.webhooks`.
    """
    before = sandbox.webhooks.count
    for scene in scenes:
        tell(scene.told)
        scene.happens(sandbox)
        await asyncio.sleep(pause)
    return Played(tuple(scene.told for scene in scenes), sandbox.webhooks.count - before)


def play_from_outside(
    sandbox: Sandbox,
    scenes: Sequence[Scene[People]] = ARRIVALS + DEPARTURES,
    *,
    pause: float = 0.0,
    tell: Callable[[str], object] = lambda _told: None,
) -> Played:
    """`play` for another thread than the sandbox's; it returns when the last scene is over."""
    if sandbox.loop is None:
        raise RuntimeError("the sandbox has not been started")
    playing = play(sandbox, scenes, pause=pause, tell=tell)
    return asyncio.run_coroutine_threadsafe(playing, sandbox.loop).result()
