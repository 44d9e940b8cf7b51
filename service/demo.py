"""`dispatcher demo`: the whole service against stand-ins, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from service import embedded
from service.admin_token import with_admin_token
from service.logs import configure_logs
from service.programs import programs
from service.stand_ins import HOST, StandIns, free_port
from service.supervisor import Supervisor
from workers.connection import connect
from workers.ledger import Ledger
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from service.child import Program
    from service.sandbox.traffic import Scene
    from service.sandbox.videosdk.traffic import BothProviders
    from service.scenarios import Scenario

_OURS: Final = ("DISPATCHER_", "LIVEKIT_", "OTEL_", "REDIS_URL", "VIDEOSDK_")


class Demo:
    """`with Demo(scenario) as demo:`; inside the block the service and the stand-ins are running.

    To be used from the main thread: `step` keeps the processes alive and takes signals.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._home = Path(tempfile.mkdtemp(prefix="livekit-dispatcher-demo-"))
        self._scope = contextlib.ExitStack()
        self._scope.callback(shutil.rmtree, self._home, ignore_errors=True)
        try:
            self._prepare(scenario)
        except BaseException:
            self._scope.close()
            raise

    def _prepare(self, scenario: Scenario) -> None:
        self._stand_ins = StandIns(with_videosdk=scenario.has_videosdk)
        self.environ = self._environ(free_port())
        self.settings, more = with_admin_token(load_settings(self.environ))
        self.environ |= more
        self._url = f"http://{HOST}:{self.settings.port}"
        self.dashboard_url = f"{self._url}/"
        stand_ins = self._stand_ins.programs(self.environ, self._url, self._home)
        self._supervisor = Supervisor([*stand_ins, *self._service()])

    def __enter__(self) -> Self:
        try:
            log = self._scope.enter_context((self._home / "demo.log").open("a", encoding="utf-8"))
            configure_logs("demo", self.settings.secrets, log)
            self._scope.callback(embedded.tidy, self.settings.data)
            self._scope.enter_context(self._supervisor.taking_signals())
            self._scope.callback(self._supervisor.stop)
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
    def webhook_urls(self) -> list[str]:
        """Where the providers post."""
        names = ["livekit", "videosdk"] if self.scenario.has_videosdk else ["livekit"]
        return [f"{self._url}/webhooks/{name}" for name in names]

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
        return self._play(self.scenario.arrivals)

    def departures(self) -> Iterator[str]:
        """Let some of them go."""
        return self._play(self.scenario.departures)

    def dispatches(self) -> list[dict[str, Any]]:
        """What was dispatched, oldest first."""
        return Ledger(self._redis).dispatches(limit=1000).items[::-1]

    def events(self) -> list[dict[str, Any]]:
        """The events some rule was about, with their decisions, oldest first."""
        return Ledger(self._redis).events(limit=1000).items[::-1]

    def webhooks(self) -> list[dict[str, Any]]:
        """The providers' webhooks so far, and what came of each."""
        return self._stand_ins.webhooks()

    def delivered(self) -> bool:
        """Whether the service has taken every webhook."""
        return all(hook["outcome"] == "delivered" for hook in self.webhooks())

    def differences(self) -> list[str]:
        """What is not as the sample rules say, in words; empty if every agent has joined."""
        refused = [f"VideoSDK has refused {each}" for each in self._stand_ins.violations()]
        return [*self.scenario.differences(self.dispatches()), *refused]

    def _play(self, scenes: Sequence[Scene[BothProviders]]) -> Iterator[str]:
        for scene in scenes:
            scene.happens(self._stand_ins.stage)
            yield scene.told

    def _service(self) -> list[Program]:
        embedded.prepare(self.settings.data)
        return [
            replace(program, log=self._home / f"{program.name}.log")
            for program in programs(self.settings, self.environ)
        ]

    def _environ(self, port: int) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(_OURS)}
        return {
            **kept,
            **self._stand_ins.variables,
            "DISPATCHER_DATA": str(self._home / "data"),
            "DISPATCHER_RULES": str(resources.files("rules") / "examples" / self.scenario.rules),
            "DISPATCHER_HOST": HOST,
            "DISPATCHER_PORT": str(port),
        }
