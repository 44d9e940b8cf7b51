"""What is measured, running: the service or the baseline, each with its own Valkey and LiveKit.

Everything is started as an operator would start it, in processes of its own: on ports of loopback,
or on several hosts.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.grounds import HERE, ground, status, stop
from tests.waiting import eventually
from workers.presence import workers_at_work

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

    from redis import Redis

    from tests.benchmarks.grounds import Ground, Host
    from tests.benchmarks.load import Address
    from tests.benchmarks.stand_in import StandInClient

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

    web: Sequence[Address]
    """Where it takes them."""
    livekit: StandInClient
    redis: Redis
    processes: Mapping[str, Sequence[int]]
    """Ids by what they do: web, worker, redis, livekit; web-2 and worker-2 on the second host."""
    ready_seconds: float = 0.0
    """From the first process's start to the first answer that says it is ready."""
    workers: Sequence[subprocess.Popen[bytes]] = field(default_factory=list)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU each part has used, with its children."""
        return {part: sum(map(_cpu, pids)) for part, pids in self.processes.items()}

    def stop_workers(self) -> None:
        """Stop them: what is accepted from now on waits."""
        for worker in self.workers:
            stop(worker)
        self.processes = {
            part: () if part.startswith("worker") else pids for part, pids in self.processes.items()
        }

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
    hosts: Sequence[Host] = (HERE,),
    copied: bool = False,
) -> Iterator[House]:
    """`dispatcher serve` and `dispatcher worker`, on each host; Redis and LiveKit on the first."""
    with ground(fsync, redis_milliseconds, hosts[0], copied=copied) as under:
        (under.home / "rules.yaml").write_text(rules)
        environment = under.environment | {
            "DISPATCHER_RULES": str(under.home / "rules.yaml"),
            "DISPATCHER_PORT": str(under.port),
            "DISPATCHER_ADMIN_TOKEN": secrets.token_hex(32),
            **(environ or {}),
        }
        webs: dict[str, subprocess.Popen[bytes]] = {}
        each: dict[str, list[subprocess.Popen[bytes]]] = {}
        began = time.monotonic()
        for number, host in enumerate(hosts, start=1):
            which = f"-{number}" if number > 1 else ""
            theirs = environment | {
                "DISPATCHER_HOST": host.address,
                "DISPATCHER_DATA": str(under.home / f"data{which}"),
            }
            command = [sys.executable, "-m", "service"]
            webs[f"web{which}"] = under.start(f"web{which}", [*command, "serve"], theirs, host)
            each[f"worker{which}"] = [
                under.start(f"worker{which}-{n}", [*command, "worker"], theirs, host)
                for n in range(workers)
            ]
        addresses = [(host.address, under.port) for host in hosts]
        eventually(lambda: {status(at, "GET", "/readyz") for at in addresses} == {200}, timeout=30)
        ready_seconds = time.monotonic() - began
        count = workers * len(hosts)
        eventually(lambda: len(workers_at_work(under.redis)) == count, timeout=30)
        yield _house(under, addresses, webs, each, ready_seconds)


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
    with ground(fsync, redis_milliseconds) as under:
        at = (HERE.address, under.port)
        began = time.monotonic()
        count = 2 * len(os.sched_getaffinity(0)) + 1
        web = under.start(
            "web",
            [sys.executable, "-m", "gunicorn", "--workers", str(count), "--bind",
             "{}:{}".format(*at), "tests.benchmarks.baseline.app:app"],
            under.environment,
        )  # fmt: skip
        kind = ["--worker-class", "rq.SimpleWorker"] if tuned else []
        worker = under.start(
            "worker",
            [str(Path(sys.executable).with_name("rq")), "worker", *kind, "--quiet", "--url",
             under.environment["REDIS_URL"], "webhooks"],
            under.environment,
        )  # fmt: skip
        eventually(lambda: status(at, "POST", "/webhooks/livekit") == 401, timeout=30)
        eventually(lambda: under.redis.scard("rq:workers") == 1, timeout=30)
        ready_seconds = time.monotonic() - began
        yield _house(under, [at], {"web": web}, {"worker": [worker]}, ready_seconds)


def _house(
    under: Ground,
    addresses: Sequence[Address],
    webs: Mapping[str, subprocess.Popen[bytes]],
    workers: Mapping[str, Sequence[subprocess.Popen[bytes]]],
    ready_seconds: float,
) -> House:
    processes = {
        **{part: [web.pid, *_children(web.pid)] for part, web in webs.items()},
        **{part: [worker.pid for worker in those] for part, those in workers.items()},
        **{part: [pid] for part, pid in under.pids.items()},
    }
    every_worker = [worker for those in workers.values() for worker in those]
    return House(addresses, under.livekit, under.redis, processes, ready_seconds, every_worker)


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
