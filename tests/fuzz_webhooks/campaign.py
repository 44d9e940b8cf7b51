"""A campaign: so many deliveries, and what was wrong with the answers."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from tests.fuzz_webhooks.delivery import Originals
from tests.fuzz_webhooks.spoiling import signed_junk, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz_webhooks.delivery import Delivery

UNSPOILED: Final = 0.01
"""How many are good: one that refuses all would pass otherwise."""
JUNK: Final = 0.05
MOST_FAULTS: Final = 20


@dataclass
class Told:
    """What came of the deliveries of one campaign."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: int = 0
    """Good ones, or signed by whoever has the secret."""
    faults: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def count(self) -> int:
        return self.statuses.total()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def answered(self, delivery: Delivery, status: int, content: bytes) -> None:
        """Judge an answer."""
        self.statuses[status] += 1
        is_accepted = 200 <= status < 300
        self.accepted += is_accepted
        wrong = (
            (status >= 500 and "an error of the service")
            or (not 200 <= status < 500 and "no answer")
            or (is_accepted and not (delivery.good or delivery.is_signed) and "accepted")
            or (delivery.good and not delivery.spoiled and not is_accepted and "refused a good one")
        )
        if wrong and len(self.faults) < MOST_FAULTS:
            self.faults.append(f"{wrong}: {status} {content[:200]!r} to {str(delivery)[:2000]}")


def deliveries(count: int, seed: int) -> Iterator[Delivery]:
    """So many, the same for the same seed but for the times in their tokens."""
    random = Random(seed)
    originals = Originals()
    for _ in range(count):
        kind = random.random()
        if kind < UNSPOILED:
            yield originals.one(random)
        elif kind < UNSPOILED + JUNK:
            yield signed_junk(originals, random)
        else:
            yield spoil(originals.one(random), originals, random)
