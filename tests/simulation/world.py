"""What all parts of one simulation share: time, chance, the store, and what was seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.loop import SimulatedLoop
    from tests.simulation.store import Store
    from tests.simulation.weather import Weather

EPOCH: Final = 1_770_000_000.0
SERVER: Final = "s1"


@dataclass
class World:
    """One simulation."""

    chance: Random
    loop: SimulatedLoop
    store: Store
    weather: Weather
    skew: float
    """By how many seconds LiveKit's clock is ahead of Redis's."""
    told: Callable[[str], None] | None = None
    """Who hears of everything that happens; None: nobody."""
    violations: list[str] = field(default_factory=list)
    accepted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Ids of the events that were accepted, by room key."""
    decided: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How many of those have left the inbox."""
    arrival: dict[tuple[str, str], int] = field(default_factory=dict)
    """By event name and participant sid, in what place that event was accepted."""
    refused: set[tuple[str, str, str]] = field(default_factory=set)
    """Session, rule and subject of the dispatches that LiveKit has refused."""
    hands: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """Session, rule and subject of what somebody has ended by hand, and whether nobody may be sent
    again."""
    unheard: set[str] = field(default_factory=set)
    """Who has joined without a webhook that arrived, by identity."""
    overtaken: dict[str, str] = field(default_factory=dict)
    """By identity, the event of a leaving whose webhook has gone another way than those before."""
    told_late: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By the event that tells of it, a hand that counts once that is decided."""
    is_looked_at: bool = False
    """Whether looks at rooms tell what webhooks may not have told."""
    has_orders: bool = False
    """Whether somebody gives orders by hand: one for a room that is not known looks at it."""
    back_at: float = 0.0
    """When the whole service is there again, if it was away; simulated seconds."""
    put_aside: set[str] = field(default_factory=set)
    """Rooms of which an event was put aside, for its worker died or stood still again and again."""
    ring: Callable[[], None] = lambda: None
    """Called when a room is due now."""
    died: Callable[[], None] = lambda: None
    """Called when a worker has died."""

    def now(self) -> float:
        """Redis's time, Unix seconds."""
        return EPOCH + self.loop.time()

    def their_now(self) -> float:
        """LiveKit's time, Unix seconds."""
        return EPOCH + self.loop.time() + self.skew

    @property
    def hears_all(self) -> bool:
        """Whether no webhook is lost for good."""
        return not self.weather.lost and not self.is_away

    @property
    def is_away(self) -> bool:
        """Whether nothing of the service runs."""
        return self.loop.time() < self.back_at

    def odds(self, of: float) -> bool:
        """Whether something that has these odds happens now."""
        return of > 0 and self.chance.random() < of

    def later(self, seconds: float, action: Callable[..., None], *args: object) -> None:
        """Do something after a while."""
        self.loop.call_later(seconds, action, *args)

    def note(self, *words: object) -> None:
        """Tell what happens, to whoever reads along."""
        if self.told is not None:
            self.told(f"{self.loop.time():9.3f}  {' '.join(map(str, words))}")

    def violated(self, *words: object) -> None:
        """Something has happened that never may."""
        said = " ".join(map(str, words))
        self.note("VIOLATED:", said)
        self.violations.append(said)

    def put_in_front(self, room_key: str, event_ids: list[str]) -> None:
        """A look has found events that were lost: they are decided next."""
        place = self.decided[room_key]
        self.accepted[room_key][place:place] = event_ids
        for event_id in event_ids:
            _, name, _, *sid = event_id.split(".")
            self.arrival.setdefault((name, "".join(sid)), place)

    def have_left_inbox(self, room_key: str, first: str, count: int) -> None:
        """Events were decided, or put aside: `first` and those behind it, once, and in turn."""
        place = self.decided[room_key]
        taken = self.accepted[room_key][place : place + count]
        self.decided[room_key] += count
        for event_id in taken:
            if event_id in self.told_late:
                self.hands[self.told_late.pop(event_id)] = True
        if first in self.accepted[room_key][:place]:
            self.violated("decided twice:", first)
        elif len(taken) != count or (count and taken[0] != first):
            self.violated("decided out of turn:", first, "for", *taken)
