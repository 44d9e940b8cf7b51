"""The stand-ins of a demo: LiveKit's and, where a scenario needs it, VideoSDK's."""

from __future__ import annotations

import secrets
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from service.child import Program
from service.remote_sandbox import RemoteSandbox, RemoteVideoSdk
from service.sandbox.videosdk.traffic import BothProviders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from service.sandbox.people import People
    from service.sandbox.videosdk import VideoSdkSandbox

HOST: Final = "127.0.0.1"
_KEY: Final = "demokey"
_JOB_LISTING_DELAY: Final = 0.5
"""Seconds until a listing knows of an agent's job: shorter than a real server's, to be watched."""


class StandIns:
    """Processes that play the providers, and how the service is told of them."""

    def __init__(self, *, with_videosdk: bool) -> None:
        self._livekit = RemoteSandbox(HOST, free_port())
        self._videosdk = RemoteVideoSdk(HOST, free_port())
        self._with_videosdk = with_videosdk
        self._secret = secrets.token_urlsafe(32)

    @property
    def stage(self) -> BothProviders:
        """Where scenes happen; those at a provider that is not played fail with OSError."""
        return BothProviders(cast("People", self._livekit), cast("VideoSdkSandbox", self._videosdk))

    @property
    def variables(self) -> dict[str, str]:
        """The settings with which the service reaches them."""
        livekit = {
            "LIVEKIT_URL": self._livekit.url,
            "LIVEKIT_API_KEY": _KEY,
            "LIVEKIT_API_SECRET": self._secret,
        }
        if not self._with_videosdk:
            return livekit
        # The key of the webhooks is not among them: the stand-in tells it, and if it is started
        # anew it has another.
        return livekit | {
            "VIDEOSDK_URL": self._videosdk.url,
            "VIDEOSDK_API_KEY": _KEY,
            "VIDEOSDK_SECRET": self._secret,
        }

    def programs(self, environ: Mapping[str, str], service_url: str, home: Path) -> list[Program]:
        """What plays them.

        Args:
            environ: the environment it runs in.
            service_url: where the service will listen, without a slash at its end.
            home: the folder of its logs.
        """
        delay = str(_JOB_LISTING_DELAY)
        livekit = Program(
            name="sandbox",
            command=[sys.executable, "-P", "-m", "service.sandbox", "--sample-workers",
                     "--port", str(self._livekit.port), "--key", _KEY,
                     "--job-listing-delay", delay,
                     "--webhook-url", f"{service_url}/webhooks/livekit"],
            environ={**environ, "SANDBOX_SECRET": self._secret},
            ready=self._livekit.answers,
            grace=3.0,
            log=home / "sandbox.log",
        )  # fmt: skip
        if not self._with_videosdk:
            return [livekit]
        videosdk = Program(
            name="videosdk",
            command=[sys.executable, "-P", "-m", "service.sandbox.videosdk", "--sample-agents",
                     "--port", str(self._videosdk.port), "--key", _KEY,
                     "--webhook-url", f"{service_url}/webhooks/videosdk"],
            environ={**environ, "SANDBOX_SECRET": self._secret},
            ready=self._videosdk.answers,
            grace=3.0,
            log=home / "videosdk.log",
        )  # fmt: skip
        return [livekit, videosdk]

    def webhooks(self) -> list[dict[str, Any]]:
        """Every webhook so far, and what came of it."""
        more = self._videosdk.webhooks() if self._with_videosdk else []
        return [*self._livekit.webhooks(), *more]

    def violations(self) -> list[str]:
        """What the service asked VideoSDK for in another way than is documented."""
        return self._videosdk.violations() if self._with_videosdk else []


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
