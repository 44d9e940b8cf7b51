"""The real livekit-server, as a process on loopback."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import pytest
from livekit.api import LiveKitAPI

from tests.ports import free_ports
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

KEY = "devkey"
SECRET = "secretsecretsecretsecretsecretsecret"
HOW = "no livekit-server: `make livekit` builds it, or LIVEKIT_SERVER names it"


def find_livekit_server() -> Path | None:
    """The binary: LIVEKIT_SERVER, or what `make livekit` left in the repository."""
    named = os.environ.get("LIVEKIT_SERVER")
    built = Path(__file__).parents[2] / ".livekit" / "livekit-server"
    binary = Path(named) if named else built
    return binary if binary.is_file() else None


def require_livekit_server() -> Path:
    """The binary; without it the test is skipped, or fails where DISPATCHER_LIVE=required."""
    binary = find_livekit_server()
    if binary is None:
        _missing(HOW)
    return binary


def require_live_extra() -> None:
    """The client and the agents; without them the same."""
    for name in ("livekit.rtc", "livekit.agents"):
        try:
            importlib.import_module(name)
        except ImportError:
            _missing(f"no {name}: pip install -e '.[dev,live]'")


def _missing(what: str) -> NoReturn:
    if os.environ.get("DISPATCHER_LIVE") == "required":
        pytest.fail(what)
    pytest.skip(what)


@dataclass
class LiveKitServer:
    """A server that runs until `stop`."""

    url: str
    key: str
    secret: str
    home: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it and wait until it answers; again, if it was killed. It begins without rooms."""
        command = [require_livekit_server(), "--config", self.home / "livekit.yaml"]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            eventually(self._answers, timeout=30)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """What a crash looks like: its rooms are gone, and no webhook tells of it."""
        self.process.kill()
        self.process.wait()

    def ask(self, call: Callable[[LiveKitAPI], Awaitable[T]]) -> T:
        """What a call of its API returns: `server.ask(lambda api: api.room.list_rooms(asked))`."""

        async def asking() -> T:
            async with LiveKitAPI(self.url, self.key, self.secret) as api:
                return await call(api)

        return asyncio.run(asking())

    def stop(self) -> None:
        """End it and wait, and leave nothing behind."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.home / "log").read_text()

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"livekit-server ended at once:\n{self.log}")
        try:
            with urllib.request.urlopen(self.url, timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False


def start_livekit_server(
    home: Path,
    *,
    webhook_urls: tuple[str, ...] = (),
    key: str = KEY,
    secret: str = SECRET,
    room: dict[str, object] | None = None,
) -> LiveKitServer:
    """Start a server on free ports and wait until it answers.

    Args:
        home: an empty folder for its configuration and log.
        webhook_urls: where its webhooks go.
        key: its API key, which signs the webhooks too.
        secret: the key's secret.
        room: its `room` configuration, such as `{"auto_create": False}`.
    """
    require_livekit_server()
    port, tcp, udp = free_ports(3)
    config: dict[str, object] = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "tcp_port": tcp,
            "udp_port": udp,
            "node_ip": "127.0.0.1",
            "enable_loopback_candidate": True,
        },
        "keys": {key: secret},
        "logging": {"level": "warn"},
        "room": room or {},
    }
    if webhook_urls:
        config["webhook"] = {"api_key": key, "urls": list(webhook_urls)}
    home.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, and this file holds the secret.
    (home / "livekit.yaml").write_text(json.dumps(config))
    server = LiveKitServer(f"http://127.0.0.1:{port}", key, secret, home)
    server.start()
    return server
