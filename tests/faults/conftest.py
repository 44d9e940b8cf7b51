"""Real worker processes against a sandbox, to be killed and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

# The same house as for tests of the work itself; here its workers are processes.
from tests.workers.conftest import hook, house, sandbox, videosdk  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workers.conftest import House

    Start = Callable[[], subprocess.Popen[bytes]]

_WORKER = ("-c", "from service.cli import main; main(['worker'])")
_HANGING = (
    "-c",
    "import threading; threading.Thread(target=threading.Event().wait, args=(60,)).start();"
    + _WORKER[1],
)
_CRASHING = ("-m", "tests.faults.crashing_worker")


@pytest.fixture
def worker(house: House) -> Iterator[Start]:  # noqa: F811
    """Starts `dispatcher worker` in a process of its own."""
    with _processes(_WORKER, _environ(house)) as start:
        yield start


@pytest.fixture
def hanging_worker(house: House) -> Iterator[Start]:  # noqa: F811
    """Starts one in which a thread hangs for a minute."""
    with _processes(_HANGING, _environ(house)) as start:
        yield start


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Where `crashing_worker` remembers where it has died or stopped."""
    folder = tmp_path / "crashed"
    folder.mkdir()
    return folder


@pytest.fixture
def crashing_worker(house: House, crashed: Path) -> Iterator[Start]:  # noqa: F811
    """Starts one that dies or stops where a room's name says: see `crashing_worker.py`."""
    with _processes(_CRASHING, {**_environ(house), "CRASHED": str(crashed)}) as start:
        yield start


def _environ(house: House) -> dict[str, str]:  # noqa: F811
    server, account = house.settings.servers[0], house.settings.videosdk
    more = {}
    if account is not None:
        more = {
            "VIDEOSDK_URL": account.url,
            "VIDEOSDK_API_KEY": account.api_key,
            "VIDEOSDK_SECRET": account.secret,
        }
    if (told := house.settings.receivers) is not None:
        more |= {
            "DISPATCHER_NOTIFY_URL": ",".join(each.url for each in told.all),
            "DISPATCHER_NOTIFY_SECRET": " ".join(told.secrets),
            "DISPATCHER_NOTIFY": ",".join(told.topics),
        }
    return {
        **more,
        "PATH": os.environ["PATH"],
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "REDIS_URL": str(house.settings.redis_url),
        "DISPATCHER_DATA": str(house.settings.data),
        "DISPATCHER_RULES": str(house.rules),
    }


@contextmanager
def _processes(arguments: tuple[str, ...], environ: dict[str, str]) -> Iterator[Start]:
    """Starts Python with these; whatever still runs or stands at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *arguments], env=environ)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()
