"""A stand-in VideoSDK, for `dispatcher demo --scenario videosdk` and for tests.

It answers the part of VideoSDK's HTTP API that sends agents and tells who is in a meeting, sends
signed webhooks and plays the agents. It does what https://docs.videosdk.live documents and is
strict about it: a request that is not as documented is refused and kept in `violations`. Where the
documentation is silent, the choice made here is told beside it. It carries no media.

    with running(VideoSdkSandbox(webhook_urls=[url], agents=[Agent("greeter")])) as videosdk:
        videosdk.join("abcd-efgh-ijkl", "ana", name="Ana")
        ...
        assert videosdk.violations == []

    python -m service.sandbox.videosdk --webhook-url URL       # as a process, see control.py

Public names:

- `VideoSdkSandbox`: the server. `url`, `key`, `secret`, `public_key`; `join`, `leave`, `end`,
  `session`, `present`; `add_agent`, `remove_agent`; `fault`, `heal`; `calls`, `webhooks`,
  `violations` to look at.
- `Agent`: a registered agent, how fast it comes and how many of it there can be.
- `Shape`: the two shapes in which VideoSDK documents who is in a session.
"""

from service.sandbox.videosdk.agents import Agent
from service.sandbox.videosdk.server import VideoSdkSandbox
from service.sandbox.videosdk.sessions import Shape

__all__ = ["Agent", "Shape", "VideoSdkSandbox"]
