"""A running `dispatcher up` with an account of VideoSDK's stand-in, and that stand-in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.sandbox import running
from service.sandbox.videosdk import Agent, VideoSdkSandbox
from tests.ports import free_port
from tests.up import Up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def videosdk_up(home: Path, rules: str, **more: str) -> Iterator[tuple[Up, VideoSdkSandbox]]:
    """The two, with an agent `greeter`; `more` stands in the environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/videosdk"
    with running(VideoSdkSandbox(webhook_urls=[url], agents=[Agent("greeter")])) as videosdk:
        environ = {
            "VIDEOSDK_URL": videosdk.url,
            "VIDEOSDK_API_KEY": videosdk.key,
            "VIDEOSDK_SECRET": videosdk.secret,
            **more,
        }
        with Up(home, rules, environ, port=port) as up:
            yield up, videosdk
        assert videosdk.violations == []
