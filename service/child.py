"""One child process of the supervisor: started, watched, started again, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, Protocol

import structlog

from service.parent import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 10.0
HEALTHY_SECONDS: Final = 10.0
"""A child that ran this long starts again after the first wait, not the next longer one."""
KILL_SECONDS: Final = 5.0
"""How long the kernel may take to end a killed child before it is left to it."""
_LOOK_SECONDS: Final = 0.02
_NOT_TOLD: Final = 255
"""The exit status of a process that is not our child."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """What a child runs.

    `ready` says whether what comes after it may start. `running` finds the process id of one that
    runs already, left by an earlier supervisor, to adopt it.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    ready: Callable[[], bool] = lambda: True
    running: Callable[[], int | None] = lambda: None
    grace: float = 10.0
    """Seconds from SIGTERM to SIGKILL."""
    stops_last: bool = False
    """Whether the other programs need it to stop well."""
    last_words: Callable[[], str] = lambda: ""
    """Asked when it ended: what it said last, where that is not in our own log."""
    log: Path | None = None
    """Where what it writes goes; None: where ours goes."""


class _Process(Protocol):
    pid: int

    def poll(self) -> int | None: ...


class Child:
    """A program kept running. All of it must be called from the supervisor's main thread."""

    def __init__(self, program: Program, clock: Callable[[], float] = time.monotonic) -> None:
        self.program = program
        self._clock = clock
        self._process: _Process | None = None
        self._began = 0.0
        self._next = 0.0
        self._wait = FIRST_WAIT
        self._until: float | None = None
        """When the grace of one that was asked to end is over."""

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return self._process.pid if self._process else None

    def tend(self) -> None:
        """Notice an end, and start the program when it is time to."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._ended(status, _how(status) or self.program.last_words())
        if self._clock() >= self._next:
            self._start()

    def ask(self) -> None:
        """Ask it to end, by SIGTERM. Whoever has asked calls `stop` soon."""
        if self._process is not None:
            self.signal(signal.SIGTERM)
            self._until = self._clock() + self.program.grace

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        """End it: ask, unless that is done; SIGKILL when its grace is over or `hurry` says so."""
        if self._process is None:
            return
        if self._until is None:
            self.ask()
        deadline, self._until = self._until or self._clock(), None
        while self._process.poll() is None and self._clock() < deadline and not hurry():
            time.sleep(_LOOK_SECONDS)
        if self._process.poll() is None:
            log.warning("child_killed", child=self.program.name, pid=self.pid)
            self.signal(signal.SIGKILL)
            deadline = self._clock() + KILL_SECONDS
            while self._process.poll() is None and self._clock() < deadline:
                time.sleep(_LOOK_SECONDS)
        self._process = None

    def signal(self, number: int) -> None:
        """Send a signal; SIGKILL to the whole session, so that nothing of it stays."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL and isinstance(self._process, subprocess.Popen):
                os.killpg(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)

    def _start(self) -> None:
        self._began = self._clock()
        if (pid := self.program.running()) is not None:
            log.info("child_adopted", child=self.program.name, pid=pid)
            self._process = _Adopted(pid, self.program.running)
            return
        parent = os.getpid()
        try:
            with contextlib.ExitStack() as opened:
                log_file = (
                    opened.enter_context(self.program.log.open("ab")) if self.program.log else None
                )
                self._process = self._spawn(parent, log_file)
        except OSError as error:  # no process or no file to be had just now
            self._ended(None, str(error))
            return
        log.info("child_started", child=self.program.name, pid=self.pid)

    def _spawn(self, parent: int, log_file: IO[bytes] | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own programs
            self.program.command,
            env=dict(self.program.environ),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - the supervisor has one thread
        )

    def _ended(self, status: int | None, said: str) -> None:
        if self._clock() - self._began >= HEALTHY_SECONDS:
            self._wait = FIRST_WAIT
        log.error(
            "child_ended",
            child=self.program.name,
            pid=self.pid,
            status=status,
            again_in=self._wait,
            **({"said": said} if said else {}),
        )
        self._process = None
        self._next = self._clock() + self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)


def _how(status: int) -> str:
    """What ended a process that did not end itself; its last words would tell of another day."""
    if status >= 0:
        return ""
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


class _Adopted:
    """A process that is not our child: it runs for as long as it is found running."""

    def __init__(self, pid: int, running: Callable[[], int | None]) -> None:
        self.pid = pid
        self._running = running

    def poll(self) -> int | None:
        return None if self._running() == self.pid else _NOT_TOLD
