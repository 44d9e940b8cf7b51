"""Keeps the programs of `up` and `demo` running, in one process tree that ends as a whole.

Programs start in order, each when the one before is ready, and stop together, then those the others
need. A killed supervisor takes its children with it (service/parent.py).
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from typing import TYPE_CHECKING, Final

import structlog

from service.child import Child
from workers.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from service.child import Program

TICK_SECONDS: Final = 0.25
STARTING_TICK_SECONDS: Final = 0.02

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs programs until one of `stop_signals`. To be used from the main thread only."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._children = [Child(program) for program in programs]
        self._asked = 0
        self._signals, self._wakeup = socket.socketpair()
        self._signals.settimeout(0)
        self._wakeup.settimeout(0)

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end."""
        return self._asked > 0

    def run(self, *, started: str = "started") -> None:
        """Start everything, keep it running, and stop it when asked to."""
        with self.taking_signals():
            try:
                if self.start():
                    log.info(started)
                while not self.stopping:
                    self.step(TICK_SECONDS)
            finally:
                self.stop()

    def start(self) -> bool:
        """Start the programs in order; False if the end was asked for before all were ready."""
        for number, child in enumerate(self._children, start=1):
            while not self.stopping:
                for started in self._children[:number]:
                    started.tend()
                if child.pid is not None and child.program.ready():
                    break
                self._rest(STARTING_TICK_SECONDS)
        return not self.stopping

    def step(self, seconds: float) -> None:
        """Wait for a signal or a child's end, no longer than this, and see to the children."""
        self._rest(seconds)
        if not self.stopping:
            for child in self._children:
                child.tend()

    def stop(self) -> None:
        """Stop all, together but for those the others need; a second signal ends the patience."""
        for is_last in (False, True):
            children = [c for c in self._children if c.program.stops_last is is_last]
            for child in children:
                child.ask()
            for child in children:
                child.stop(hurry=lambda: self._asked > 1)
        self._signals.close()
        self._wakeup.close()
        log.info("stopped")

    @contextlib.contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Take the signals that ask for the end, and those of children, for as long as it lasts."""
        numbers = (*stop_signals(), signal.SIGCHLD)
        before = {number: signal.signal(number, self._signalled) for number in numbers}
        before_wakeup = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before_wakeup)
            for number, handler in before.items():
                # Who asked twice must not hit the process in its last moments.
                signal.signal(number, signal.SIG_IGN if self.stopping else handler)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._asked += 1

    def _rest(self, seconds: float) -> None:
        readable, _, _ = select.select([self._signals], [], [], seconds)
        if readable:
            with contextlib.suppress(BlockingIOError):
                while self._signals.recv(4096):
                    pass
