"""What a demo can play: sample rules, who comes and goes, and what must come of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from service.sandbox import traffic
from service.sandbox.traffic import Scene
from service.sandbox.videosdk import traffic as mixed_traffic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.sandbox.people import People
    from service.sandbox.traffic import Expected
    from service.sandbox.videosdk.traffic import BothProviders

ARRIVED: Final = frozenset({"active", "ended"})
"""States of a dispatch whose agent has joined."""
_REPLACED: Final = frozenset({"superseded"})


@dataclass(frozen=True, slots=True)
class Scenario:
    """One demo."""

    rules: str
    """The name of their file in `rules/examples`."""
    arrivals: Sequence[Scene[BothProviders]]
    departures: Sequence[Scene[BothProviders]]
    expected: Sequence[Expected]
    """What the rules make of the arrivals, each once."""

    @property
    def has_videosdk(self) -> bool:
        """Whether VideoSDK takes part beside LiveKit."""
        return any(each.provider == "videosdk" for each in self.expected)

    def differences(self, dispatches: Sequence[Mapping[str, Any]]) -> list[str]:
        """What is not as expected, in words; empty if every agent that is to join has joined."""
        wanted = {(e.room, e.provider, e.agent, e.deployment): e for e in self.expected}
        made = Counter(_key(dispatch) for dispatch in dispatches)
        replaced = {key for key, expected in wanted.items() if not expected.joins}
        return [
            *(f"{_named(key)} was not dispatched" for key in sorted(wanted.keys() - made.keys())),
            *(f"{_named(key)} was dispatched, no rule says so" for key in made.keys() - wanted),
            *(f"{_named(key)} was dispatched {n} times" for key, n in made.items() if n > 1),
            *(f"{d['agent']} in {d['room']} is {d['state']}: no agent has joined"
              for d in dispatches if _key(d) not in replaced and d["state"] not in ARRIVED),
            *(f"{d['agent']} in {d['room']} is {d['state']}: its fallback has not taken over"
              for d in dispatches if _key(d) in replaced and d["state"] not in _REPLACED),
        ]  # fmt: skip


def _key(dispatch: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return dispatch["room"], dispatch["provider"], dispatch["agent"], dispatch["deployment"]


def _named(key: tuple[str, str, str, str]) -> str:
    room, provider, agent, deployment = key
    where = "VideoSDK" if provider == "videosdk" else deployment or "production"
    return f"{agent} of {where} in {room}"


def _at_livekit(scene: Scene[People]) -> Scene[BothProviders]:
    return Scene(scene.told, lambda both: scene.happens(both.livekit))


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "livekit": Scenario(
        "demo.yaml",
        [_at_livekit(scene) for scene in traffic.ARRIVALS],
        [_at_livekit(scene) for scene in traffic.DEPARTURES],
        traffic.EXPECTED,
    ),
    "videosdk": Scenario(
        "videosdk.yaml",
        mixed_traffic.ARRIVALS,
        mixed_traffic.DEPARTURES,
        mixed_traffic.EXPECTED,
    ),
}
"""By name, the one that is played when none is named first."""
