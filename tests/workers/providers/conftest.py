"""Each provider in turn, and VideoSDK by itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from service.sandbox import Sandbox, Worker, running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.workers.providers.subjects import LiveKitSubject, Subject, VideoSdkSubject

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def livekit_subject() -> Iterator[LiveKitSubject]:
    """LiveKit, quick to answer."""
    workers = [Worker("greeter", accept_delay=0.02, join_delay=0.02)]
    with running(Sandbox(workers=workers, missing_room_delay=0.2, job_listing_delay=0.0)) as server:
        yield LiveKitSubject(server.url, server.secret, server)


@contextmanager
def videosdk_subject() -> Iterator[VideoSdkSubject]:
    """VideoSDK; at the end every request must have been as documented."""
    with running(VideoSdkSandbox(agents=[Agent("greeter", join_delay=0.04)])) as server:
        yield VideoSdkSubject(server.url, server.secret, server)
        assert server.violations == []


@pytest.fixture(params=["livekit", "videosdk"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with livekit_subject() if request.param == "livekit" else videosdk_subject() as made:
        yield made


@pytest.fixture
def videosdk() -> Iterator[VideoSdkSubject]:
    with videosdk_subject() as made:
        yield made
