"""A real `dispatcher serve` with a Valkey of its own, both to be killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service import embedded
from tests.environment import needed
from tests.ports import free_port
from tests.service.signed import ADMIN_TOKEN, KEY, SECRET, URL, headers
from tests.waiting import eventually
from workers.connection import embedded_socket

if TYPE_CHECKING:
    from collections.abc import Mapping


class Served:
    """One web process on a free port."""

    def __init__(self, home: Path, rules: str) -> None:
        self.home = home
        self.data = home / "data"
        self.port = free_port()
        (home / "rules.yaml").write_text(rules)
        self.environ = {
            **needed(),
            "LIVEKIT_URL": "ws://127.0.0.1:7880",
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "DISPATCHER_DATA": str(self.data),
            "DISPATCHER_RULES": str(home / "rules.yaml"),
            "DISPATCHER_PORT": str(self.port),
            "DISPATCHER_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        embedded.prepare(self.data)
        self.started: list[subprocess.Popen[Any]] = []
        self.valkey: subprocess.Popen[Any] | None = None

    def start_valkey(self) -> None:
        self.valkey = self._popen(embedded.command(self.data))
        eventually(lambda: embedded.answers(self.data))

    def start(self, *command: str) -> subprocess.Popen[Any]:
        """Start `serve`, or another command that serves, and wait until it answers."""
        process = self._popen(command or (sys.executable, "-P", "-m", "service", "serve"))
        eventually(self.healthy, timeout=20)
        return process

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        embedded_socket(self.data).unlink(missing_ok=True)
        embedded.tidy(self.data)

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def healthy(self) -> bool:
        try:
            return self.ask("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def ask(
        self, method: str, path: str, body: Any = None, given: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(given or {}))
            answer = connection.getresponse()
            content = answer.read()
            told = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, told, json.loads(content) if content else None
        finally:
            connection.close()

    def post(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        raw = json.dumps(body).encode()
        return self.ask("POST", URL, raw, headers(raw))

    def _popen(self, command: Any) -> subprocess.Popen[Any]:
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                list(command), env=self.environ, cwd=self.home, stdout=log, stderr=log
            )
        self.started.append(process)
        return process


def children(pid: int) -> list[int]:
    """Processes a process started."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
