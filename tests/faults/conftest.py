"""Real worker processes against a sandbox, to be killed and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

# The same house as for tests of the work itself; here its workers are processes.
from tests.workers.conftest import hook, house, sandbox  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.workers.conftest import House

_WORKER = "from service.cli import main; main(['worker'])"


@pytest.fixture
def worker(house: House) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:  # noqa: F811
    """Starts `dispatcher worker` in a process of its own."""
    server = house.settings.servers[0]
    environ = {
        "PATH": os.environ["PATH"],
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "REDIS_URL": str(house.settings.redis_url),
        "DISPATCHER_DATA": str(house.settings.data),
        "DISPATCHER_RULES": str(house.rules),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", _WORKER], env=environ)
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
