"""The measures: each takes a house that is running and says what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from tests.benchmarks import webhooks
from tests.benchmarks.load import send
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.houses import House
    from tests.benchmarks.load import Sent
    from tests.benchmarks.webhooks import Webhook

PATIENCE_SECONDS: Final = 120.0


class Lost(Exception):
    """Something was not answered with 200, or was never dispatched: the figure would be a lie."""


@dataclass(frozen=True)
class Run:
    """A number of webhooks sent, and what came of them."""

    sent: Sequence[Sent]
    arrivals: Mapping[str, Sequence[float]]
    """When CreateDispatch came, by room."""
    cpu: Mapping[str, float]
    """Seconds of CPU each part used meanwhile."""

    @property
    def per_second(self) -> float:
        """CreateDispatches a second, from the first webhook to the last of them."""
        last = max(at for times in self.arrivals.values() for at in times)
        return len(self.sent) / (last - min(sent.due for sent in self.sent))

    @property
    def accepted_per_second(self) -> float:
        """Webhooks answered a second."""
        return len(self.sent) / (max(s.answered for s in self.sent) - min(s.due for s in self.sent))

    @property
    def latencies(self) -> list[float]:
        """Milliseconds from a webhook's sending to its CreateDispatch, sorted."""
        return sorted((self.arrivals[s.room][0] - s.due) * 1000 for s in self.sent)

    @property
    def answers(self) -> list[float]:
        """Milliseconds from a webhook's sending to its answer, sorted."""
        return sorted((s.answered - s.due) * 1000 for s in self.sent)

    def cpu_each(self) -> dict[str, float]:
        """Milliseconds of CPU each part used for one webhook."""
        return {part: 1000 * used / len(self.sent) for part, used in self.cpu.items()}


@dataclass
class Names:
    """Rooms nobody has heard of yet, as long as those of people are, and LiveKit's own ids."""

    used: int = field(default=0)

    def take(self, count: int) -> list[str]:
        """So many of them."""
        self.used += count
        return [f"bench-{n:07}" for n in range(self.used - count, self.used)]


NAMES: Final = Names()


def throughput(house: House, count: int, *, delay: float = 0.0, connections: int = 32) -> Run:
    """As many webhooks as it takes, one room each, until the last CreateDispatch has come."""
    house.livekit.ask("delay", delay)
    return dispatched(house, webhooks.started(NAMES.take(count)), connections=connections)


def idle(house: House, count: int, per_second: float) -> Run:
    """One webhook now and then: how long a caller waits when nothing else is going on."""
    house.livekit.ask("delay", 0.0)
    return dispatched(house, webhooks.started(NAMES.take(count), per_second), per_second=per_second)


def dispatched(
    house: House,
    given: Sequence[Webhook],
    *,
    connections: int = 32,
    per_second: float = 0.0,
) -> Run:
    """Send these, and wait until each room has its CreateDispatch.

    Raises:
        Lost: one was refused, or a room got none, or two.
    """
    house.livekit.ask("reset")
    before = house.cpu()
    sent = send(house.web, given, connections=connections, per_second=per_second)
    check_answers(sent)
    wanted = len({webhook.room for webhook in given})
    wait_for(house, wanted)
    after = house.cpu()
    arrivals = house.livekit.ask("arrivals")
    twice = [room for room, times in arrivals.items() if len(times) > 1]
    if twice or len(arrivals) != wanted:
        raise Lost(f"{wanted - len(arrivals)} rooms without an agent, {len(twice)} with two")
    return Run(sent, arrivals, {part: after[part] - before[part] for part in after})


def accepted(house: House, count: int, *, connections: int = 32) -> Run:
    """Webhooks stored and answered while nobody works on them."""
    before = house.cpu()
    sent = send(house.web, webhooks.started(NAMES.take(count)), connections=connections)
    check_answers(sent)
    after = house.cpu()
    return Run(sent, {}, {part: after[part] - before[part] for part in after})


def check_answers(sent: Sequence[Sent]) -> None:
    """See that each was answered with 200.

    Raises:
        Lost: one was not.
    """
    others = sorted({s.status for s in sent if s.status != 200})
    if others:
        count = sum(s.status != 200 for s in sent)
        raise Lost(f"{count} of {len(sent)} webhooks were not answered with 200: {others}")


def wait_for(house: House, dispatches: int) -> None:
    """Until so many CreateDispatches have come.

    Raises:
        Lost: they have not, for long.
    """
    try:
        eventually(
            lambda: house.livekit.ask("count") >= dispatches,
            timeout=PATIENCE_SECONDS,
            interval=0.1,
        )
    except AssertionError:
        came = house.livekit.ask("count")
        raise Lost(f"{dispatches - came} of {dispatches} were never dispatched") from None


def p99(values: Sequence[float]) -> float:
    """The value that one in a hundred passes."""
    return quantiles(values, n=100)[98]
