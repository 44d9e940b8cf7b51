"""Posting a notice to a receiver, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import aiohttp
from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.notice_queue import Notice
    from workers.receivers import Receiver

ANSWER_SECONDS: Final = 10.0
LONGEST_REST_SECONDS: Final = 3600.0
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_AGENT: Final = f"livekit-dispatcher/{version('livekit-dispatcher')}"


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it."""

    why: str = ""
    """Why the receiver has not taken it, in words; `""`: it has."""
    is_for_good: bool = False
    """It never will take it."""
    rest: float = 0.0
    """Seconds for which it asks not to be sent this again."""
    is_busy: bool = False
    """It asks for anything else to wait as well."""


def open_session() -> aiohttp.ClientSession:
    """A client for receivers. A call's time begins with the search for their address."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        headers={"User-Agent": _AGENT, "Content-Type": "application/json"},
    )


async def post(
    session: aiohttp.ClientSession, receiver: Receiver, notice: Notice, secrets: Sequence[str]
) -> Posted:
    """Post it once; whatever the receiver does, what came of it is known afterwards."""
    headers = signed(notice.id, notice.body, time.time(), secrets)
    try:
        async with session.post(
            receiver.url, data=notice.body.encode(), headers=headers, allow_redirects=False
        ) as answer:
            return _read(answer.status, answer.headers.get("Retry-After", ""), time.time())
    except TimeoutError:
        return Posted(f"no answer within {ANSWER_SECONDS:.0f} s")
    except aiohttp.ClientConnectorCertificateError:
        return Posted("its certificate is not one that this machine trusts")
    except aiohttp.ClientConnectorError as error:
        return Posted(f"cannot connect: {error.os_error.strerror or type(error).__name__}")
    except (aiohttp.ClientError, OSError, ValueError) as error:  # their texts may hold the address
        return Posted(f"no answer: {type(error).__name__}")


def signed(notice_id: str, body: str, at: float, secrets: Sequence[str]) -> Mapping[str, str]:
    """The headers of a body that is posted at a time in Unix seconds."""
    when = datetime.fromtimestamp(int(at), UTC)
    signatures = (Webhook(secret).sign(notice_id, when, body) for secret in secrets)
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": " ".join(signatures),
    }


def _read(status: int, retry_after: str, now: float) -> Posted:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Posted()
    if status == HTTPStatus.GONE:
        return Posted("it answers 410: it never wants this", is_for_good=True)
    why = f"it answers {status}"
    if status < HTTPStatus.BAD_REQUEST:
        why += ": nothing is sent on to where that leads"
    return Posted(why, rest=_rest(retry_after, now), is_busy=status in _BUSY)


def _rest(retry_after: str, now: float) -> float:
    """Seconds of a `Retry-After`, which has seconds or a date; 0 if it says nothing."""
    if _SECONDS.fullmatch(retry_after):
        return min(float(retry_after), LONGEST_REST_SECONDS)
    try:
        seconds = parsedate_to_datetime(retry_after).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_REST_SECONDS)
