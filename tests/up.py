"""A running `dispatcher up`, as an operator would start it: a process, an environment, a port."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.environment import needed
from tests.ports import free_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Up:
    """`with Up(home, rules, environ) as up:`; it is ready when the block begins.

    Without REDIS_URL in `environ` it has an embedded Valkey in `home`.
    """

    def __init__(
        self,
        home: Path,
        rules: str,
        environ: Mapping[str, str],
        *,
        port: int | None = None,
        command: Sequence[str] = (sys.executable, "-m", "service", "up"),
    ) -> None:
        self.home = home
        self.port = port or free_port()
        self.rules = home / "rules.yaml"
        self.rules.write_text(rules)
        self.command = command
        self.environ = {
            **needed(),
            "DISPATCHER_DATA": str(home / "data"),
            "DISPATCHER_RULES": str(self.rules),
            "DISPATCHER_PORT": str(self.port),
            **environ,
        }

    def __enter__(self) -> Self:
        with (self.home / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environ, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            eventually(self._ready, timeout=60)
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/livekit"

    @property
    def log(self) -> str:
        return (self.home / "up.log").read_text()

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A second command on the same machine."""
        return subprocess.run(
            [sys.executable, "-m", "service", *args],
            env=self.environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def dispatches(self, **equal: str) -> list[dict[str, Any]]:
        """What `dispatcher dispatches list --json` prints, oldest first."""
        done = self.run("dispatches", "list", "--json", "--limit", "1000")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)["dispatches"][::-1]
        return [d for d in found if all(d[name] == value for name, value in equal.items())]

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Send a webhook; its status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/webhooks/livekit", body, dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def pids(self, word: str) -> Sequence[int]:
        """Processes under the supervisor whose command line has this word."""
        return [pid for pid in _tree(self.process.pid) if word in _command(pid)]

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"`dispatcher up` ended:\n{self.log}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [p for child in children for p in (int(child), *_tree(int(child)))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
