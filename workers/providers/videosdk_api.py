"""Calls of VideoSDK's HTTP API: the token, the pages of a listing, and what a refusal means."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.errors import NotFound, ProviderError, Refused, Unauthorized, Unclear
from workers.providers.base import CALL_SECONDS
from workers.providers.videosdk_answers import last_page, read_object, words_of
from workers.providers.videosdk_tokens import Tokens
from workers.providers.wire import LONGEST_WORDS, UNCLEAR_STATUS, open_session, told_as_ours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from rules.event import Fields
    from workers.providers.wire import Called
    from workers.videosdk_account import VideoSdkAccount

MOST_PAGES: Final = 250
"""A listing that is longer fails, so that no part of one is taken for the whole."""
_NOT_THERE: Final = re.compile(r"\w (was )?not found\b|\bnot exist", re.IGNORECASE)
"""What is said of a session or a participant; a wrong address' 404 says "Not Found" alone."""
_METHOD: Final = re.compile(
    r"/v2/(?:(agent/dispatch|public/rsa-public-key)|(sessions)/(?:(?:[^/]+/)?(participants/\w+))?)$"
)
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered."""

    status: int
    text: str
    words: str
    """What it says to people. The token is cut out of it: it would reach logs and history."""

    @property
    def is_fine(self) -> bool:
        """Whether the call succeeded."""
        return 200 <= self.status < 300  # noqa: PLR2004


class Api:
    """The API of one account. Made on the loop that uses it; `in_time` stands around each call."""

    def __init__(
        self,
        account: VideoSdkAccount,
        *,
        calls: int,
        rest: Callable[[float], None],
        called: Called,
    ) -> None:
        self._session = open_session(calls, rest, called, _method)
        self._account = account
        self._tokens = Tokens(account)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Make a call, whatever it is answered."""
        token = self._tokens.now()
        answer = await self._exchange(method, path, query, asked, token)
        other = self._tokens.after(token) if answer.status == _UNAUTHORIZED else None
        if other is None:
            return answer
        # Nothing was done, and the clock may have been put right since the token was signed.
        return await self._exchange(method, path, query, asked, other)

    async def ask_publicly(self, path: str) -> str:
        """What a GET without a token is answered.

        Raises:
            ProviderError: it did not succeed.
        """
        answer = await self._exchange("GET", path, None, None, "")
        self.check(answer)
        return answer.text

    async def pages(
        self,
        path: str,
        per_page: int,
        read: Callable[[Mapping[str, Any]], list[Fields]],
        query: Mapping[str, str] | None = None,
    ) -> list[Fields]:
        """Everything a listing holds, each sid once.

        Raises:
            ProviderError: a page is missing, or there are more than `MOST_PAGES`.
            ValueError: `read` has found a page that is not as documented.
        """
        found: dict[str, Fields] = {}
        for page in range(1, MOST_PAGES + 1):
            asked = {**(query or {}), "page": str(page), "perPage": str(per_page)}
            answer = await self.ask("GET", path, query=asked)
            self.check(answer)
            listing = read_object(answer.text)
            here = {str(each["sid"]): each for each in read(listing)}
            is_news = not here.keys() <= found.keys()
            found |= here
            last = last_page(listing)
            if page >= last if last is not None else len(here) < per_page or not is_news:
                return list(found.values())
        raise Unclear(f"VideoSDK lists more than {MOST_PAGES} pages at {path}")

    def check(self, answer: Answer) -> None:
        """Raise what an answer means, unless the call succeeded."""
        if not answer.is_fine:
            raise self._meaning(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        asked: Mapping[str, Any] | None,
        token: str,
    ) -> Answer:
        async with self._session.request(
            method,
            self._account.url + path,
            params=query,
            json=asked,
            headers={"Authorization": token} if token else None,
            allow_redirects=method == "GET",  # a POST would be followed as a GET
        ) as response:
            text = await response.text(errors="replace")
        words = words_of(text)
        told = words.replace(token, "…") if token else words
        return Answer(response.status, text, told[:LONGEST_WORDS])

    def _meaning(self, answer: Answer) -> ProviderError:
        said = f"VideoSDK answered {answer.status}: {answer.words}".rstrip(": ")
        match answer.status:
            case 401 | 403:
                keys = "VIDEOSDK_API_KEY and VIDEOSDK_SECRET"
                which = "VIDEOSDK_TOKEN" if self._account.token else keys
                return Unauthorized(f"{said}; check {which}")
            case 400 | 404 if _NOT_THERE.search(answer.words):
                return NotFound(said)
            case 404 | 405:
                return Refused(f"{said}; check VIDEOSDK_URL")
            case status if 400 <= status < 500 and status not in UNCLEAR_STATUS:  # noqa: PLR2004
                return Refused(said)
            case status if 300 <= status < 400:  # noqa: PLR2004
                return Refused(f"{said}, which is another address; check VIDEOSDK_URL")
            case _:
                return Unclear(said)


def _method(path: str) -> str:
    """What a path asks for, without the ids in it: `sessions/participants/active`."""
    asked = _METHOD.search(path)
    return "/".join(filter(None, asked.groups())) if asked else "other"


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """What is asked here is over within `CALL_SECONDS`, and fails as a `ProviderError`."""
    try:
        with told_as_ours("VideoSDK", "VIDEOSDK_URL"):
            async with asyncio.timeout(CALL_SECONDS):
                yield
    except ValueError as error:
        raise Unclear(f"VideoSDK's answer is not as documented: {error}") from error
