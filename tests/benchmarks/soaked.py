"""What memory was like in a soak: samples, how much they have grown, and a plot of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console

from workers.connection import embedded_socket
from workers.keys import ROOM, SEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.up import Up

PROCESSES: Final = {
    "web": (" serve", 1),
    "web's main": (" serve", 0),
    "worker": (" worker", 0),
    "valkey": ("valkey-server", 0),
}
"""Words of their command lines, and which of those that have them."""


@dataclass(slots=True)
class Sample:
    """One look at everything. Memory in bytes."""

    at: float
    """Seconds since the begin."""
    memory: dict[str, int]
    """Resident bytes of each process."""
    redis: int
    """`used_memory`."""
    keys: int
    live: int
    doubles: int


def look(up: Up, at: float, *, live: int, doubles: int) -> Sample:
    """See it all."""
    memory = {name: memory_of(pid_of(up, name)) for name in PROCESSES}
    sample = Sample(at, memory, 0, 0, live, doubles)
    with Redis(unix_socket_path=str(embedded_socket(up.home / "data"))) as redis:
        try:
            sample.redis = int(redis.info("memory")["used_memory"])
            sample.keys = int(redis.dbsize())
        except (RedisError, OSError) as error:  # it was killed a moment ago
            Console(stderr=True).print(f"no sample of Redis: {error}")
    return sample


def shorten_the_hour(up: Up, seconds: float) -> None:
    """Take away what is kept for an hour once it is older than this, as Redis does after the hour.

    Else there would be more and more of it for as long as most soaks last.

    Raises:
        RedisError: it was killed a moment ago.
    """
    with Redis(unix_socket_path=str(embedded_socket(up.home / "data"))) as redis:
        for kind in (SEEN, ROOM):
            names = list(redis.scan_iter(f"{kind}*", count=5000))
            with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.ttl(name)
                lives = pipe.execute()
            old = [n for n, s in zip(names, lives, strict=True) if 0 <= s < 3600 - seconds]
            if old:
                redis.unlink(*old)


def pid_of(up: Up, name: str) -> int:
    """Of the process of that name; 0 where there is none."""
    word, which = PROCESSES[name]
    found = up.pids(word)
    return found[which] if len(found) > which else 0


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 where there is none."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def growth(samples: Sequence[Sample], since: float) -> dict[str, float]:
    """The median of the last third of the samples after `since` by that of the first third."""
    judged = [each for each in samples if each.at >= since]
    part = max(1, len(judged) // 3)
    first, last = judged[:part], judged[-part:]

    def of(samples: Sequence[Sample], read: Callable[[Sample], int]) -> float:
        return median([read(each) for each in samples if read(each)] or [1])

    reads: dict[str, Callable[[Sample], int]] = {
        name: (lambda each, name=name: each.memory[name])  # type: ignore[misc]
        for name in PROCESSES
    }
    reads["Redis"] = lambda each: each.redis
    return {name: of(last, read) / of(first, read) for name, read in reads.items()}


def plot(samples: Sequence[Sample], faults: Sequence[tuple[float, str]], file: Path) -> None:
    """Memory over time, with the faults."""
    import matplotlib as mpl  # noqa: PLC0415 - only where a plot is asked for

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(12, 9), sharex=True)
    at = [each.at / 60 for each in samples]
    for name in PROCESSES:
        above.plot(at, [each.memory[name] / 1e6 or None for each in samples], label=name)
    above.set_ylabel("resident, MB")
    middle.plot(at, [each.redis / 1e6 or None for each in samples], label="used_memory, MB")
    middle.plot(at, [each.keys / 1000 or None for each in samples], label="keys, thousands")
    below.plot(at, [each.live for each in samples], label="live rooms")
    below.plot(at, [each.doubles for each in samples], label="rooms with two agents")
    below.set_xlabel("minutes")
    for axes in (above, middle, below):
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
        axes.set_ylim(bottom=0)
        for when, name in faults:
            is_kill = name.startswith("kill")
            axes.axvline(when / 60, color="red" if is_kill else "orange", alpha=0.25, linewidth=1)
    figure.savefig(file, bbox_inches="tight")
