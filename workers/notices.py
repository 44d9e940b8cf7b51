"""What others are told of dispatches: put down in the same write as what it tells of.

So it is neither lost nor told of what never came to be, whatever dies; `workers/notifier.py` posts
it. Its id follows from the dispatch and what is told of it: a receiver that is told twice knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import structlog

from workers import keys
from workers.clock import rfc3339
from workers.compact import compact
from workers.reasons import BEFORE_IT, attempt_told
from workers.receivers import Topic, notice_id
from workers.shown import shown
from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from workers.dispatch import Dispatch
    from workers.hold import Note
    from workers.redacting import Redaction

MOST_BYTES: Final = 8 * 1024
"""Of metadata or attributes that a notice carries: what is longer is read from the API."""
_LARGE: Final = ("metadata", "attributes")
MOST_WORDS: Final = 1000
"""Characters of a reason: what an agent's error says may be a page."""
NOBODY: Final = "a rule has `notify`, and DISPATCHER_NOTIFY_URL is not set"

log = structlog.get_logger(__name__)


def of_dispatches(
    topics: Container[Topic] | None,
    before: Mapping[str, Dispatch],
    changed: Sequence[Dispatch],
    now: float,
    redaction: Redaction,
) -> list[Note]:
    """What is to be told of dispatches that have moved.

    Args:
        topics: what others want to be told of, beside what rules tell; None: nobody is to be told.
        before: the dispatches as they were, by id.
        changed: those that are not as they were.
        now: Unix seconds.
        redaction: what nobody is told.
    """
    notes: list[Note] = []
    for dispatch in changed:
        for topic in _topics(before.get(dispatch.id), dispatch):
            is_ruled = topic is Topic.FAILED and bool(dispatch.notice)
            if topics is not None and (is_ruled or topic in topics):
                notes += _put_down(dispatch, topic, now, redaction)
            elif is_ruled:
                about = {"room": dispatch.room, "rule": dispatch.rule, "dispatch": dispatch.id}
                log.warning("nobody_to_notify", **about, hint=NOBODY)
    return notes


def _topics(before: Dispatch | None, after: Dispatch) -> Iterator[Topic]:
    """What has become of a dispatch, as others are told of it."""
    if after.joined_at is not None and (before is None or before.joined_at is None):
        yield Topic.STARTED
    if before is not None and before.state is after.state:
        return
    match after.state:
        case State.FAILED:
            yield Topic.FAILED
        case State.SUPERSEDED:
            yield Topic.SUPERSEDED
        case State.ENDED | State.RELEASED if after.joined_at is not None:
            yield Topic.ENDED


def _put_down(dispatch: Dispatch, topic: Topic, now: float, redaction: Redaction) -> Iterator[Note]:
    name = notice_id(dispatch.id, topic)
    key, at, kept = keys.NOTICE + name, f"{now * 1000:.0f}", str(keys.NOTICE_SECONDS)
    yield ("HSET", key, "body", compact(_body(dispatch, topic, redaction)))
    yield ("EXPIRE", key, kept)
    for listed in (keys.NOTICES, keys.NEW_NOTICES):
        yield ("ZADD", listed, "NX", at, name)
        yield ("EXPIRE", listed, kept)


def _body(dispatch: Dispatch, topic: Topic, redaction: Redaction) -> dict[str, Any]:
    """As Standard Webhooks has it: a type, a time, and data."""
    told = redaction.dispatch(shown(dispatch))
    large = [name for name in _LARGE if len(compact(told[name]).encode()) > MOST_BYTES]
    told |= dict.fromkeys(large)
    if large:
        told["left_out"] = large
    told["reason"] = dispatch.reason and _short(dispatch.reason)
    if topic is Topic.FAILED:
        told |= _of_rule(dispatch.notice)
        told["tried"] = _tried(dispatch)
    at = dispatch.joined_at if topic is Topic.STARTED else dispatch.moves[-1].at
    return {"type": topic.value, "timestamp": rfc3339(at), "data": told}


def _of_rule(notice: Mapping[str, str]) -> dict[str, Any]:
    """What its rule tells where nobody has come."""
    told: dict[str, Any] = {}
    if notice.get("message"):
        told["message"] = notice["message"]
    if data := json.loads(notice.get("data") or "{}"):
        told["data"] = data
    return told


def _tried(dispatch: Dispatch) -> list[str]:
    """Every agent that was asked for and what became of that, in words, in order."""
    last = (dispatch.reason or "").partition(BEFORE_IT)[0]
    return [_short(each) for each in (*dispatch.tried, attempt_told(dispatch, last))]


def _short(words: str) -> str:
    return words if len(words) <= MOST_WORDS else f"{words[: MOST_WORDS - 1]}…"
