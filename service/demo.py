"""`dispatcher demo`: the whole service against a LiveKit stand-in, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

from service import embedded
from service.admin_token import with_admin_token
from service.child import Program
from service.logs import configure_logs
from service.programs import programs
from service.remote_sandbox import RemoteSandbox
from service.sandbox import ARRIVALS, DEPARTURES, EXPECTED
from service.supervisor import Supervisor
from workers.connection import connect
from workers.ledger import Ledger
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from service.sandbox.people import People

ARRIVED: Final = frozenset({"active", "ended"})
"""States of a dispatch whose agent has joined."""
_KEY: Final = "demokey"
_HOST: Final = "127.0.0.1"
_JOB_LISTING_DELAY: Final = 0.5
"""Seconds until a listing knows of an agent's job: shorter than a real server's, to be watched."""
_OURS: Final = ("DISPATCHER_", "LIVEKIT_", "REDIS_URL", "VIDEOSDK_")


class Demo:
    """`with Demo() as demo:`; inside the block the service and the sandbox are running.

    To be used from the main thread: `step` keeps the processes alive and takes signals.
    """

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="livekit-dispatcher-demo-"))
        self._scope = contextlib.ExitStack()
        self.sandbox = RemoteSandbox(_HOST, _free_port())
        self.environ = self._environ(_free_port())
        self.settings, more = with_admin_token(load_settings(self.environ))
        self.environ |= more
        self.dashboard_url = f"http://{_HOST}:{self.settings.port}/"
        self.webhook_url = f"{self.dashboard_url}webhooks/livekit"
        self._supervisor = Supervisor([self._sandbox_program(), *self._service()])

    def __enter__(self) -> Self:
        log = self._scope.enter_context((self._home / "demo.log").open("a", encoding="utf-8"))
        configure_logs("demo", self.settings.secrets, log)
        self._scope.callback(shutil.rmtree, self._home, ignore_errors=True)
        self._scope.callback(embedded.tidy, self.settings.data)
        self._scope.enter_context(self._supervisor.taking_signals())
        self._scope.callback(self._supervisor.stop)
        try:
            self._supervisor.start()
            self._redis = self._scope.enter_context(connect(self.settings))
        except BaseException:
            self._scope.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scope.close()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end."""
        return self._supervisor.stopping

    @property
    def exports(self) -> dict[str, str]:
        """The variables another terminal needs to look at the demo."""
        return {name: v for name, v in self.environ.items() if name.startswith(_OURS)}

    def step(self, seconds: float) -> None:
        """Keep everything running for about this long."""
        self._supervisor.step(seconds)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Step until a condition holds; False if it did not in time, or the end was asked for."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.stopping or time.monotonic() > deadline:
                return False
            self.step(0.05)
        return True

    def arrivals(self) -> Iterator[str]:
        """Let the sample callers come, telling each."""
        return self._play(ARRIVALS)

    def departures(self) -> Iterator[str]:
        """Let some of them go."""
        return self._play(DEPARTURES)

    def dispatches(self) -> list[dict[str, Any]]:
        """What was dispatched, oldest first."""
        return Ledger(self._redis).dispatches(limit=1000).items[::-1]

    def events(self) -> list[dict[str, Any]]:
        """The events some rule was about, with their decisions, oldest first."""
        return Ledger(self._redis).events(limit=1000).items[::-1]

    def delivered(self) -> bool:
        """Whether the service has taken every webhook."""
        return all(hook["outcome"] == "delivered" for hook in self.sandbox.webhooks())

    def differences(self) -> list[str]:
        """What is not as the sample rules say, in words; empty if every agent has joined."""
        wanted = {(e.room, e.agent, e.deployment) for e in EXPECTED}
        found = self.dispatches()
        made = Counter((d["room"], d["agent"], d["deployment"]) for d in found)
        return [
            *(f"{_named(dispatch)} was not dispatched" for dispatch in sorted(wanted - set(made))),
            *(f"{_named(dispatch)} was dispatched, no rule says so" for dispatch in made
              if dispatch not in wanted),
            *(f"{_named(dispatch)} was dispatched {count} times" for dispatch, count in made.items()
              if count > 1),
            *(f"{d['agent']} in {d['room']} is {d['state']}: no agent has joined" for d in found
              if d["state"] not in ARRIVED),
        ]  # fmt: skip

    def _play(self, scenes: Any) -> Iterator[str]:  # noqa: ANN401 - the sandbox's scenes
        for scene in scenes:
            scene.happens(cast("People", self.sandbox))
            yield scene.told

    def _service(self) -> list[Program]:
        embedded.prepare(self.settings.data)
        return [
            replace(program, log=self._home / f"{program.name}.log")
            for program in programs(self.settings, self.environ)
        ]

    def _sandbox_program(self) -> Program:
        secret = self.environ["LIVEKIT_API_SECRET"]
        return Program(
            name="sandbox",
            command=[sys.executable, "-P", "-m", "service.sandbox", "--sample-workers",
                     "--port", self.sandbox.url.rpartition(":")[2], "--key", _KEY,
                     "--job-listing-delay", str(_JOB_LISTING_DELAY),
                     "--webhook-url", self.webhook_url],
            environ={**self.environ, "SANDBOX_SECRET": secret},
            ready=self.sandbox.answers,
            grace=3.0,
            log=self._home / "sandbox.log",
        )  # fmt: skip

    def _environ(self, port: int) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(_OURS)}
        return {
            **kept,
            "LIVEKIT_URL": self.sandbox.url,
            "LIVEKIT_API_KEY": _KEY,
            "LIVEKIT_API_SECRET": secrets.token_urlsafe(32),
            "DISPATCHER_DATA": str(self._home / "data"),
            "DISPATCHER_RULES": str(resources.files("rules") / "examples" / "demo.yaml"),
            "DISPATCHER_HOST": _HOST,
            "DISPATCHER_PORT": str(port),
        }


def _named(dispatch: tuple[str, str, str]) -> str:
    room, agent, deployment = dispatch
    return f"{agent} of {deployment or 'production'} in {room}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
