"""Sample traffic at both providers at once, as the sample rules expect it.

Whoever meets at VideoSDK has an agent there. In rooms `night-*` of LiveKit nobody takes the job,
and VideoSDK's voicemail does; rooms `support-*` have an agent of LiveKit, and `lobby-*` is nobody's
business. The rules are `rules/examples/videosdk.yaml`, and a test holds `EXPECTED` to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from service.sandbox.traffic import Expected, Scene
from service.sandbox.videosdk.agents import Agent

if TYPE_CHECKING:
    from service.sandbox.people import People
    from service.sandbox.videosdk.server import VideoSdkSandbox


@dataclass(frozen=True, slots=True)
class BothProviders:
    """Where the scenes happen."""

    livekit: People
    videosdk: VideoSdkSandbox


_MEETING: Final = "abcd-efgh-ijkl"

ARRIVALS: Final[tuple[Scene[BothProviders], ...]] = (
    Scene(
        f"Ana enters VideoSDK's meeting {_MEETING}",
        lambda both: both.videosdk.join(_MEETING, "ana-1", name="Ana"),
    ),
    Scene(
        "Ben enters LiveKit's room night-1, for whose agent there is no worker",
        lambda both: both.livekit.join("night-1", "ben", name="Ben"),
    ),
    Scene(
        "Carla enters LiveKit's room support-1",
        lambda both: both.livekit.join("support-1", "carla", name="Carla"),
    ),
    Scene(
        "Luis joins Ana in the meeting, where an agent is already",
        lambda both: both.videosdk.join(_MEETING, "luis-2", name="Luis"),
    ),
    Scene(
        "Dora waits in LiveKit's room lobby-1, which no rule knows",
        lambda both: both.livekit.join("lobby-1", "dora", name="Dora"),
    ),
)
DEPARTURES: Final[tuple[Scene[BothProviders], ...]] = (
    Scene(
        "Luis leaves the meeting",
        lambda both: both.videosdk.leave(_MEETING, "luis-2"),
    ),
    Scene(
        "Carla leaves support-1",
        lambda both: both.livekit.leave("support-1", "carla"),
    ),
)
EXPECTED: Final = (
    Expected(_MEETING, "host", provider="videosdk"),
    Expected("night-1", "night-desk", joins=False),
    Expected("night-1", "voicemail", provider="videosdk"),
    Expected("support-1", "greeter"),
)


def sample_agents() -> list[Agent]:
    """VideoSDK's agents that the sample rules send."""
    return [Agent("host", name="Host"), Agent("voicemail", name="Voicemail")]
