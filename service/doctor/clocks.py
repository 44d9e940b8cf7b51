"""Whether the clocks of the machines agree: LiveKit's tokens are good for a time only."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from livekit.api.access_token import DEFAULT_LEEWAY

from service.doctor.findings import failed, ok, warning

if TYPE_CHECKING:
    from service.doctor.findings import Finding

APART_SECONDS: Final = 2.0
REFUSED_SECONDS: Final = DEFAULT_LEEWAY.total_seconds()
"""A token may be so much too early, or too late, for who verifies it."""
_SET_IT: Final = "let an NTP client (chrony, systemd-timesyncd) set the clocks of both machines"


def ahead(at: float, began: float, ended: float, *, exact_to: float = 0.0) -> float:
    """How many seconds another clock is ahead of this machine's; less than 0: behind.

    Args:
        at: what it said, Unix seconds.
        began: when it was asked, by this machine's clock.
        ended: when the answer was there.
        exact_to: it said no more than that its time was between `at` and so many seconds later.

    Returns:
        The least that is possible; 0.0 where they may agree.
    """
    if at > ended:
        return at - ended
    return min(0.0, at + exact_to - began)


def time_of(date: str | None) -> float | None:
    """What an HTTP `Date` header says, Unix seconds, cut to a second; None: it does not."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None


def judged(check: str, whose: str, seconds: float, *, signs: bool = True) -> Finding:
    """What it means that a clock is ahead of this machine's by so much.

    Args:
        check: its name.
        whose: whose clock, for people.
        seconds: as `ahead` has it.
        signs: whether tokens are judged by that clock.
    """
    if abs(seconds) <= APART_SECONDS:
        return ok(check, f"{whose} agrees with this machine's clock")
    direction = "ahead of" if seconds > 0 else "behind"
    found = f"{whose} is {abs(seconds):.1f} s {direction} this machine's"
    if abs(seconds) <= REFUSED_SECONDS:
        return warning(check, found, _SET_IT)
    if not signs:
        return failed(check, f"{found}: deadlines and times in history are wrong", _SET_IT)
    limit = f"{REFUSED_SECONDS:.0f} s"
    return failed(check, f"{found}: above {limit} webhooks and our calls are refused", _SET_IT)
