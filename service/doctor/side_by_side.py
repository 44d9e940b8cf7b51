"""Checks are made all at once, each with a deadline: one that hangs holds up none of the others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from service.doctor.findings import Finding, Status, failed, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SECONDS: Final = 5.0
"""How long a check may take."""
REDIS: Final = "redis"
"""Name of the check whether Redis can be used."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to be looked at."""

    name: str
    look: Callable[[], Iterable[Finding]]
    """Raises `RedisError` only where it `asks_redis`."""
    asks_redis: bool = False
    """Whether it cannot be made without Redis. It is left out where the check `REDIS` fails."""
    hangs: str = "look again"
    """What to do if there is no answer in time."""


@dataclass(slots=True)
class _Running:
    check: Check
    done: threading.Event = field(default_factory=threading.Event)
    found: list[Finding] = field(default_factory=list)
    redis_lost: str = ""


def side_by_side(checks: Sequence[Check], seconds: float = SECONDS) -> list[Finding]:
    """Make the checks, and tell what they have found in their order."""
    running = [_Running(check) for check in checks]
    for each in running:
        # A daemon: a name's look-up may hang longer than any time-out, and is left behind.
        threading.Thread(target=_run, args=(each,), name=each.check.name, daemon=True).start()
    until = time.monotonic() + seconds
    found = []
    is_away = False
    for each in running:
        in_time = each.done.wait(max(0.0, until - time.monotonic()))
        if is_away and each.check.asks_redis:
            continue
        told = _told(each) if in_time else [_late(each.check, seconds)]
        is_away = is_away or any(f.check == REDIS and f.status is Status.FAILED for f in told)
        found += told
    return found


def _run(running: _Running) -> None:
    check = running.check
    try:
        running.found += check.look()
    except RedisError as error:
        running.redis_lost = _line(error)
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide the others
        told = f"it could not be checked: {type(error).__name__}: {_line(error)}"
        running.found.append(failed(check.name, told, "please report this"))
    finally:
        running.done.set()


def _told(running: _Running) -> list[Finding]:
    if not running.redis_lost:
        return running.found
    return [*running.found, warning(running.check.name, running.redis_lost, "look again")]


def _late(check: Check, seconds: float) -> Finding:
    return failed(check.name, f"no answer within {seconds:.0f} s", check.hangs)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
