"""Named faults that a test switches on, for every method or for some of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FaultName(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    """Does the work, answers `seconds` later."""
    LATE = "late"
    """Waits `seconds` before it does the work, also when the caller has gone meanwhile."""
    UNAVAILABLE = "unavailable"
    """503 `unavailable`, nothing done."""
    UNAVAILABLE_AFTER_WORK = "unavailable_after_work"
    """503 `unavailable`, though it was done."""
    CUT = "cut"
    """Does the work and cuts the connection without an answer."""
    CUT_BEFORE_WORK = "cut_before_work"
    """Cuts the connection, nothing done."""
    HANG = "hang"
    """Never answers, nothing done."""
    HANG_AFTER_WORK = "hang_after_work"
    """Does the work, never answers."""
    OLD_SERVER = "old_server"
    """Drops `deployment` and `attributes` without a word, as servers up to 1.11 do. It is a nature
    and no accident: calls meet other faults beside it.
    """
    TOO_MANY = "too_many"
    """429 with `Retry-After: <seconds>`, nothing done."""
    UNAUTHORIZED = "unauthorized"
    """401 with an empty code, as for a secret that was rotated away."""
    NO_WORKER = "no_worker"
    """No job is offered to anybody, whatever workers there are."""
    WEBHOOKS_LOST = "webhooks_lost"
    """Events happen, no webhook tells of them."""
    WEBHOOKS_HELD = "webhooks_held"
    """Webhooks wait until the fault is cleared, then are sent."""
    WEBHOOKS_SHUFFLED = "webhooks_shuffled"
    """Each webhook goes on its own, within `seconds`, so that one of a room overtakes another."""
    WEBHOOKS_DOUBLED = "webhooks_doubled"
    """Each webhook is sent twice, as one whose answer was lost."""
    CLOCK = "clock"
    """The server's clock is ahead by `seconds`, or behind if they are negative. By it all that the
    server tells is stamped, webhooks are signed, tokens read and idle rooms closed; the logs of
    calls and deliveries keep the true time.
    """


BEFORE_WORK: Final = frozenset(
    {
        FaultName.UNAVAILABLE,
        FaultName.CUT_BEFORE_WORK,
        FaultName.HANG,
        FaultName.TOO_MANY,
        FaultName.UNAUTHORIZED,
    }
)
"""Faults of calls that are not carried out."""
AFTER_WORK: Final = frozenset(
    {FaultName.UNAVAILABLE_AFTER_WORK, FaultName.CUT, FaultName.HANG_AFTER_WORK}
)
"""Faults of calls that are."""
OF_CALLS: Final = BEFORE_WORK | AFTER_WORK | {FaultName.SLOW, FaultName.LATE}


@dataclass(slots=True)
class Fault:
    """One fault switched on."""

    name: FaultName
    methods: frozenset[str] = frozenset()
    """Methods it concerns, such as `CreateDispatch`; empty for all of them."""
    rooms: frozenset[str] = frozenset()
    """Names of the rooms it concerns; empty for all of them."""
    times: int | None = None
    """How many calls it meets before it is over; None until it is cleared."""
    seconds: float = 1.0
    """For `slow`, `late`, `too_many`, `webhooks_shuffled` and `clock`."""
    met: int = 0
    """How many calls it has met."""

    def concerns(self, method: str, room: str) -> bool:
        """Whether a call meets this fault."""
        return (not self.methods or method in self.methods) and (
            not self.rooms or room in self.rooms
        )

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "name": str(self.name),
            "methods": sorted(self.methods),
            "rooms": sorted(self.rooms),
            "times": self.times,
            "seconds": self.seconds,
            "met": self.met,
        }


@dataclass(slots=True)
class Faults:
    """The faults that are on. A call meets the first that concerns it."""

    active: list[Fault] = field(default_factory=list)

    def meet(self, method: str, room: str, *, names: Iterable[FaultName]) -> Fault | None:
        """The fault a call meets, counted; None if it meets none of these."""
        wanted = frozenset(names)
        for fault in self.active:
            if fault.name in wanted and fault.concerns(method, room):
                fault.met += 1
                if fault.times is not None and fault.met >= fault.times:
                    self.active.remove(fault)
                return fault
        return None

    def on(self, name: FaultName, room: str) -> Fault | None:
        """The fault of this name that is on for a room, whatever methods it names."""
        for fault in self.active:
            if fault.name is name and (not fault.rooms or room in fault.rooms):
                return fault
        return None

    @property
    def clock_ahead(self) -> float:
        """How many seconds the server's clock is ahead."""
        return sum(fault.seconds for fault in self.active if fault.name is FaultName.CLOCK)

    def add(self, fault: Fault) -> None:
        """Switch it on."""
        self.active.append(fault)

    def clear(self, name: FaultName | None = None) -> None:
        """Switch off the faults of this name, or all."""
        self.active = [fault for fault in self.active if name is not None and fault.name != name]


def read_fault(given: Mapping[str, Any]) -> Fault:
    """A fault as the control API takes it.

    Raises:
        ValueError: there is no such fault, or a value is of the wrong kind.
    """
    name = str(given.get("name", ""))
    if name not in {str(known) for known in FaultName}:
        raise ValueError(f"no fault '{name}'; there are {', '.join(FaultName)}")
    times = given.get("times")
    return Fault(
        FaultName(name),
        methods=frozenset(map(str, given.get("methods", ()))),
        rooms=frozenset(map(str, given.get("rooms", ()))),
        times=None if times is None else int(times),
        seconds=float(given.get("seconds", 1.0)),
    )
