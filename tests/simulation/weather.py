"""How bad it is: each seed has its own odds of each kind of fault, and most kinds not at all.

A seed in which everything fails finds little: nothing gets far enough to meet the next fault. So
each kind is on or off by the seed, and comes often or seldom (swarm testing).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

_OFTEN: Final = (0.0, 0.0, 0.03, 0.15)
_SELDOM: Final = (0.0, 0.0, 0.01, 0.04)


@dataclass(slots=True)
class Weather:
    """Odds from 0 to 1, for each call, webhook or agent."""

    redis_lost: float
    """The answer, or the question, does not arrive."""
    redis_slow: float
    """It takes seconds."""
    not_sent: float
    unclear_before: float
    """LiveKit says 503 or nothing, and did nothing."""
    unclear_after: float
    """LiveKit says 503 or nothing, and has done it."""
    slow: float
    """LiveKit is still at it when its caller gives up."""
    unauthorized: float
    refused: float
    crash: float
    """A worker dies, at any of its calls."""
    pause: float
    """A worker stands still for longer than its lease, at any of its calls."""
    late: float
    """A webhook takes seconds."""
    repeated: float
    """The answer to a webhook is lost, and it is sent again."""
    offered_again: float
    """A webhook is not taken, and is sent again."""
    lost: float
    """A webhook is lost for good: only a listing tells."""
    astray: float
    """A webhook takes another way than those of its room before it, and is overtaken."""

    def clear_up(self) -> None:
        """Nothing fails from now on."""
        for each in _KINDS:
            setattr(self, each, 0.0)


_KINDS: Final = tuple(each.name for each in fields(Weather))
_IS_OFTEN: Final = frozenset(
    (
        "unclear_before",
        "unclear_after",
        "slow",
        "late",
        "repeated",
        "offered_again",
        "lost",
        "astray",
    )
)


def weather(chance: Random) -> Weather:
    """Draw it."""
    return Weather(*(chance.choice(_OFTEN if each in _IS_OFTEN else _SELDOM) for each in _KINDS))
