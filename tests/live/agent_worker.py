"""Real workers of livekit-agents, each a process, driven through their log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ports import free_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.live.livekit_server import LiveKitServer


@dataclass
class AgentWorker:
    """A registered worker; see `sample_agent.py` for what jobs may ask of it."""

    name: str
    deployment: str
    http_url: str
    """Where it serves `GET /worker`, as every worker of livekit-agents does."""
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What it wrote down of one kind of event, oldest first."""
        written = self.log.read_text() if self.log.exists() else ""
        read = [json.loads(line) for line in written.splitlines()]
        return [line for line in read if line["event"] == event]

    @property
    def id(self) -> str:
        """Its worker id, `AW_…`."""
        return self.lines("registered")[-1]["worker_id"]

    def jobs(self, room: str | None = None) -> list[dict[str, Any]]:
        """The jobs it took, with the metadata, attributes and deployment its agents read."""
        return [job for job in self.lines("job") if room in (None, job["room"])]

    def stop(self) -> None:
        """Kill it and wait: its agents stay in their rooms until the server misses them."""
        self.process.kill()
        self.process.wait()


def start_agent_worker(
    server: LiveKitServer, home: Path, name: str, deployment: str = "", port: int | None = None
) -> AgentWorker:
    """Start a worker and wait until it is registered; `port` is where it serves `/worker`."""
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    log = home / "jobs.jsonl"
    environment = {
        **os.environ,
        "LIVEKIT_URL": server.url.replace("http", "ws", 1),
        "LIVEKIT_API_KEY": server.key,
        "LIVEKIT_API_SECRET": server.secret,
        "LIVEKIT_AGENT_DEPLOYMENT": deployment,
        # A proxy of this machine would be asked for loopback too.
        "HTTP_PROXY": "",
        "HTTPS_PROXY": "",
    }
    script = Path(__file__).with_name("sample_agent.py")
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, script, name, log, str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    worker = AgentWorker(name, deployment, f"http://127.0.0.1:{port}", process, log)

    def registered() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended at once:\n{(home / 'output').read_text()}")
        return bool(worker.lines("registered"))

    try:
        eventually(registered, timeout=60)
    except BaseException:
        worker.stop()
        raise
    return worker
