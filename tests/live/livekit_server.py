"""The real livekit-server, as a process on loopback."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.ports import free_ports
from tests.waiting import eventually

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
    """A server that runs until `stop`; `kill` is what a crash looks like."""

    url: str
    key: str
    secret: str
    process: subprocess.Popen[bytes]
    home: Path

    def stop(self) -> None:
        """End it and wait."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.home / "log").read_text()


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
    binary = require_livekit_server()
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
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "--config", home / "livekit.yaml"], stdout=log, stderr=subprocess.STDOUT
        )
    server = LiveKitServer(f"http://127.0.0.1:{port}", key, secret, process, home)
    try:
        eventually(lambda: _answers(server), timeout=30)
    except BaseException:
        server.stop()
        raise
    return server


def _answers(server: LiveKitServer) -> bool:
    if server.process.poll() is not None:
        raise RuntimeError(f"livekit-server ended at once:\n{server.log}")
    try:
        with urllib.request.urlopen(server.url, timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False
