"""Hours of calls in little: a steady rate, with faults thrown in, and what becomes of memory.

    python -m tests.benchmarks.soak [--minutes N] [--rate N] [--plot FILE.svg] [--json FILE]

`dispatcher up` against the stand-in LiveKit. Each call is a room: its caller joins, a friend comes
and goes, and after `CALL_SECONDS` all leave. LiveKit fails in turn, one fault every
`FAULT_SECONDS`, and in the first half each process is killed in turn as well: in the second all of
them live on, so that their memory tells of leaks. A call is lost if no agent is in its room when
it ends, and double if two are there at two samples that are further apart than a double may live.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from service.sandbox import Sandbox, Worker, running
from tests.benchmarks.soaked import Sample, growth, look, pid_of, plot, shorten_the_hour
from tests.ports import free_port
from tests.up import Up
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_SECONDS: Final = 40.0
FAULT_SECONDS: Final = 20.0
SAMPLE_SECONDS: Final = 5.0
HOUR_SECONDS: Final = 300.0
"""What is kept for an hour is taken away after this long: else it would grow all the while."""
DOUBLE_SECONDS: Final = 20.0
"""How long a second agent may live before it counts as a double."""
FLAT: Final = 1.1
"""What the last third of the second half may take of what its first third did."""
RULES: Final = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {participant: {identity: "caller-*"}}
    dispatch: {agent: greeter, metadata: {caller: "{{ participant.identity }}"}}
    join_within: 10s
    fallback: [{agent: greeter}]
"""
FAULTS: Final = (
    ("slow", 2.0), ("kill worker", 0), ("unavailable", 0), ("kill web", 0), ("too_many", 1.0),
    ("kill valkey", 0), ("hang", 0), ("webhooks_doubled", 0), ("cut", 0), ("kill web's main", 0),
    ("webhooks_lost", 0), ("stop worker", 0),
)  # fmt: skip


@dataclass
class Soak:
    """What has happened so far."""

    sandbox: Sandbox
    up: Up
    seconds: float
    """How long calls begin."""
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    calls: int = 0
    restarted: int = 0
    """Processes that ended and were started again."""
    lost: list[str] = field(default_factory=list)
    doubled: set[str] = field(default_factory=set)
    _double_since: dict[str, float] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.began

    def begin_call(self) -> str:
        """A caller joins a room of its own, and a friend comes and goes."""
        room = f"call-{self.calls}"
        self.calls += 1
        self.sandbox.join(room, f"caller-{room}")
        self.sandbox.join(room, f"friend-{room}")
        self.sandbox.leave(room, f"friend-{room}")
        return room

    def end_call(self, room: str) -> None:
        """The caller has waited long enough; whatever agents are there go with the room."""
        if not self.agents(room):
            self.lost.append(room)
        self.sandbox.leave(room, f"caller-{room}")
        self.sandbox.delete_room(room)

    def agents(self, room: str) -> list[str]:
        """Who is there of them."""
        opened = self.sandbox.rooms.open.get(room)
        people = list(opened.participants) if opened is not None else []
        return [identity for identity in people if identity.startswith("agent-")]

    def sample(self) -> None:
        """Look at everything."""
        rooms = list(self.sandbox.rooms.open)
        doubles = {room for room in rooms if len(self.agents(room)) > 1}
        since = {room: self._double_since.get(room, self.now) for room in doubles}
        self.doubled |= {room for room, at in since.items() if self.now - at > DOUBLE_SECONDS}
        self._double_since = since
        self.samples.append(look(self.up, self.now, live=len(rooms), doubles=len(doubles)))

    def shorten_the_hour(self) -> None:
        """Have Redis keep nothing for longer than `HOUR_SECONDS`."""
        with suppress(RedisError):
            shorten_the_hour(self.up, HOUR_SECONDS)

    def throw(self, fault: str, seconds: float) -> None:
        """One fault; it is over before the next."""
        word, _, name = fault.partition(" ")
        if word == "kill" and self.now > self.seconds / 2:
            return
        self.faults.append((self.now, fault))
        if word not in ("kill", "stop"):
            self.sandbox.fault(fault, seconds=seconds)
            threading.Timer(FAULT_SECONDS / 4, self.sandbox.heal).start()
            return
        pid = pid_of(self.up, name)
        if not pid:
            return
        os.kill(pid, signal.SIGKILL if word == "kill" else signal.SIGSTOP)
        if word == "stop":
            threading.Timer(FAULT_SECONDS / 2, lambda: os.kill(pid, signal.SIGCONT)).start()


def run(home: Path, minutes: float, rate: float) -> Soak:
    """Run it."""
    port = free_port()
    sandbox = Sandbox(
        webhook_urls=[f"http://127.0.0.1:{port}/webhooks/livekit"],
        workers=[Worker("greeter", accept_delay=0.05, join_delay=0.2)],
    )
    environ = {
        "LIVEKIT_API_KEY": sandbox.key,
        "LIVEKIT_API_SECRET": sandbox.secret,
        "DISPATCHER_RECONCILE_INTERVAL": "10s",
        # History is full long before memory is judged.
        "DISPATCHER_RETENTION": f"{max(30, int(minutes * 10))}s",
    }
    with running(sandbox):
        environ["LIVEKIT_URL"] = sandbox.url
        with Up(home, RULES, environ, port=port) as up:
            soak = Soak(sandbox, up, minutes * 60)
            _traffic(soak, rate)
            sandbox.heal()
            eventually(lambda: not sandbox.rooms.open, timeout=60)
        soak.restarted = up.log.count('"child_ended"')
    return soak


def _traffic(soak: Soak, rate: float) -> None:
    """Everything happens in one thread, at its time."""
    pace = threading.Event()
    going: deque[tuple[float, str]] = deque()
    faults = cycle(FAULTS)
    due = dict.fromkeys(("call", "sample"), 0.0)
    due |= {"fault": FAULT_SECONDS, "hour": HOUR_SECONDS}
    every: dict[str, tuple[float, Callable[[], object]]] = {
        "call": (1 / rate, lambda: going.append((soak.now + CALL_SECONDS, soak.begin_call()))),
        "sample": (SAMPLE_SECONDS, soak.sample),
        "fault": (FAULT_SECONDS, lambda: soak.throw(*next(faults))),
        "hour": (HOUR_SECONDS / 10, soak.shorten_the_hour),
    }
    while soak.now < soak.seconds or going:
        for name, (interval, act) in every.items():
            # The last calls meet no new fault: theirs are over.
            is_over = soak.now > soak.seconds - (0 if name != "fault" else CALL_SECONDS)
            if soak.now >= due[name] and not is_over:
                act()
                due[name] = max(due[name] + interval, soak.now - interval)
        while going and going[0][0] <= soak.now:
            soak.end_call(going.popleft()[1])
        pace.wait(0.01)


def main() -> int:
    """Run, print, write; 1 if a call was lost or doubled, or memory has grown."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak")
    asked.add_argument("--minutes", type=float, default=30.0)
    asked.add_argument("--rate", type=float, default=5.0, help="calls a second (default 5)")
    asked.add_argument("--plot", type=Path, metavar="FILE")
    asked.add_argument("--json", type=Path, metavar="FILE")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="lkd-soak-") as home:
        soak = run(Path(home), given.minutes, given.rate)
    grown = growth(soak.samples, since=soak.seconds / 2)
    table = Table("measure", "figure")
    table.add_row("calls", str(soak.calls))
    table.add_row(
        "faults", ", ".join(f"{n} {f}" for f, n in Counter(f for _, f in soak.faults).items())
    )
    table.add_row("processes started again", str(soak.restarted))
    table.add_row("lost", f"{len(soak.lost)} {' '.join(soak.lost[:5])}")
    table.add_row("double", f"{len(soak.doubled)} {' '.join(sorted(soak.doubled)[:5])}")
    for name, ratio in grown.items():
        table.add_row(f"{name}: end of the second half by its begin", f"{ratio:.2f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if given.plot:
        plot(soak.samples, soak.faults, given.plot)
    if given.json:
        told = {"calls": soak.calls, "lost": soak.lost, "double": sorted(soak.doubled)}
        told |= {"growth": grown, "faults": soak.faults}
        given.json.write_text(json.dumps(told | {"samples": [asdict(s) for s in soak.samples]}))
    # What Valkey uses is judged; its allocator keeps more of what it has given back, for a while.
    judged = [ratio for name, ratio in grown.items() if name != "valkey"]
    return int(bool(soak.lost or soak.doubled or max(judged) > FLAT))


if __name__ == "__main__":
    sys.exit(main())
