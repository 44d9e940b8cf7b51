"""Ports nobody listens on, to be listened on in a moment."""

from __future__ import annotations

import contextlib
import random
import socket
from itertools import islice

_BELOW_THE_KERNELS_OWN = range(10_000, 30_000)
"""From 32768 on the kernel takes ports for connections that go out, at any moment."""


def free_port() -> int:
    """A port that no process uses, on any address."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many of them, each for TCP and UDP."""
    candidates = random.SystemRandom().sample(_BELOW_THE_KERNELS_OWN, 100 + count)
    return list(islice(filter(_is_free, candidates), count))


def _is_free(port: int) -> bool:
    with contextlib.ExitStack() as probes:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            probe = probes.enter_context(socket.socket(type=kind))
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True
