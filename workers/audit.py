"""Who has done what by hand. The log tells of each act; the last of them are kept to be shown.

Web processes log what they are asked. What a command did is logged by a worker: nobody collects
what commands print. Of an act it is known who did it, from where, to what, and what came of it: no
metadata, no token.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from redis.exceptions import RedisError

from workers import keys
from workers.clock import rfc3339
from workers.compact import compact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis.asyncio

MOST: Final = 1000
"""Acts that are kept at most."""
COMMAND_LINE: Final = "command line"
"""Whose acts begin so were done by a command."""
KEPT_SECONDS: Final = 90 * 86400
LONGEST: Final = 200
"""Characters of each word of an act: rooms are named by strangers."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did."""

    who: str
    """`admin token`, `session 3f9a12bc`, `command line ana`."""
    sender: str
    """The address it came from; of a command, the name of its machine."""
    what: str
    """Such as `pause`: see service/docs/privacy.md."""
    target: Mapping[str, str]
    """What it was done to: `room`, `rule`, `agent`, `dispatch`, `event`, `identity`, or none."""
    result: str
    """`done`, `accepted` (a worker carries it out), or why not."""


class Audit:
    """The acts that are kept. Every method raises `RedisError`."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def keep(self, act: Act) -> None:
        """Keep an act, and no more than there may be."""
        target = compact({name: _short(value) for name, value in act.target.items()})
        told = {name: _short(v) for name, v in asdict(act).items() if name != "target"}
        oldest = self._oldest()
        with self._redis.pipeline() as pipe:
            fields: dict[Any, Any] = {**told, "target": target}
            pipe.xadd(keys.AUDIT, fields, maxlen=MOST, approximate=False)
            pipe.xtrim(keys.AUDIT, minid=oldest, approximate=False)
            pipe.expire(keys.AUDIT, KEPT_SECONDS)
            pipe.execute()

    def last(self, limit: int = MOST) -> list[dict[str, Any]]:
        """The newest acts, newest first: the fields of an `Act` and `at`, RFC 3339."""
        found = self._redis.xrevrange(keys.AUDIT, min=self._oldest(), count=limit)
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        return [_shown(entry_id.decode(), fields) for entry_id, fields in entries]

    def _oldest(self) -> str:
        """The least id of an act that is not too old."""
        return f"{max(0, self._redis.time()[0] - KEPT_SECONDS) * 1000}"


async def tell_of_commands(redis: redis.asyncio.Redis) -> None:
    """Log what commands have done since this was asked last, by whichever worker; by one at a time.

    Raises:
        RedisError: Redis was lost. What was logged may be logged once more.
    """
    told = cast("bytes | None", await redis.get(keys.AUDIT_TOLD)) or b"0"
    found = await redis.xrange(keys.AUDIT, min=b"(" + told, count=MOST)
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
    for entry_id, fields in entries:
        act = _shown(entry_id.decode(), fields)
        if act["who"].startswith(COMMAND_LINE):
            log.info("audit", **act)
    if entries:
        await redis.set(keys.AUDIT_TOLD, entries[-1][0], ex=KEPT_SECONDS)


def note(redis: redis.Redis, act: Act, *, logs: bool = True, keeps: bool = True) -> None:
    """Tell of an act that is done. Where it cannot be kept, the log has it."""
    if logs:
        log.info("audit", **asdict(act))
    if not keeps:
        return
    try:
        Audit(redis).keep(act)
    except RedisError as error:
        log.warning("audit_not_kept", what=act.what, error=str(error))


def _shown(entry_id: str, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    at = int(entry_id.partition("-")[0]) / 1000
    return {**told, "at": rfc3339(at), "target": json.loads(told["target"])}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
