"""What calls over HTTP have in common: connections, `Retry-After`, and what a failed one means."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import aiohttp

from workers.errors import NotSent, Refused, Unclear
from workers.providers.base import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Called = Callable[[str, str, float], None]
    """Told a call's method, what came of it in a word, and seconds."""

UNCLEAR_STATUS: Final = frozenset({408, 429})
"""Refusals that do not say whether the call was carried out."""
LATE: Final = 0.9
"""The share of a call's time after which its end is for want of time: some went before it began."""
MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""A hundred thousand rooms listed. More does not come over most networks in the time of a call."""
LONGEST_WORDS: Final = 300
"""Of what a provider says of a failure: it goes into logs and history."""
_BUSY_STATUS: Final = frozenset({429, 503})
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
"""The other form, a date, no provider sends."""


def open_session(
    calls: int, rest: Callable[[float], None], called: Called, name: Callable[[str], str]
) -> aiohttp.ClientSession:
    """A client for as many calls at once, without a time-out: each call has its own.

    Args:
        calls: the most that may be in flight.
        rest: told how many seconds the server wants to be left alone (`Retry-After`).
        called: told of each call that is over.
        name: the method of a path, of which there are few.
    """
    # Waiting for a free connection would eat the time of a call that was never sent, so there
    # is one for each call that may be in flight.
    connector = aiohttp.TCPConnector(limit=calls, keepalive_timeout=30)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        response_class=_Bounded,
        middlewares=(_heeding(rest), _telling(called, name)),
    )


class _Bounded(aiohttp.ClientResponse):
    """An answer that is read no further than it may be long, unpacked if it came packed."""

    async def read(self) -> bytes:
        """All of it.

        Raises:
            ClientPayloadError: that is too much.
        """
        if self._body is None:
            try:
                await self.content.readexactly(MOST_ANSWER_BYTES + 1)
            except asyncio.IncompleteReadError as ended:
                self._body = ended.partial
            except BaseException:
                self.close()
                raise
            else:
                self.close()
                raise aiohttp.ClientPayloadError(f"it is longer than {MOST_ANSWER_BYTES:,} bytes")
        return await super().read()


@contextmanager
def told_as_ours(provider: str, variable: str) -> Iterator[None]:
    """Raise what befalls the connection, and a call that takes too long, as a `ProviderError`.

    Args:
        provider: its name, for people.
        variable: the setting that holds its address.
    """
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        cause = error.os_error.strerror or str(error.os_error)
        said = f"cannot connect to {provider} at {error.host}:{error.port}: {cause}"
        raise NotSent(f"{said}; check {variable}") from error
    except TimeoutError as error:
        raise Unclear(f"{provider} did not answer within {CALL_SECONDS:.0f} s") from error
    except aiohttp.InvalidURL as error:
        raise Refused(f"{variable} cannot be called: {error}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unclear(f"{provider}'s answer was lost: {error or type(error).__name__}") from error


def _heeding(rest: Callable[[float], None]) -> aiohttp.ClientMiddlewareType:
    """Hears `Retry-After` in answers: livekit-api's errors carry no headers."""

    async def answered(
        request: aiohttp.ClientRequest, call: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await call(request)
        if response.status in _BUSY_STATUS:
            asked = response.headers.get("Retry-After", "")
            if _SECONDS.fullmatch(asked):
                rest(float(asked))
        return response

    return answered


def _telling(called: Called, name: Callable[[str], str]) -> aiohttp.ClientMiddlewareType:
    """Tells of each call what came of it: the status, or why there is none."""

    async def answered(
        request: aiohttp.ClientRequest, call: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        began, code = time.monotonic(), "lost"
        try:
            response = await call(request)
            code = str(response.status)
        except aiohttp.ClientConnectorError:
            code = "unconnected"
            raise
        except asyncio.CancelledError:  # a call that takes too long is ended so
            is_late = time.monotonic() - began > LATE * CALL_SECONDS
            code = "timeout" if is_late else "cancelled"
            raise
        finally:
            called(name(request.url.path), code, time.monotonic() - began)
        return response

    return answered
