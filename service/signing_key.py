"""The key that VideoSDK signs webhooks with: pinned by the settings, or asked for and kept.

VideoSDK gives it at `/v2/public/rsa-public-key`, as `publicKey` in JSON. It may change any time, so
a signature that does not fit is a reason to ask again, though not often: anybody can send one.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from workers.answers import whole
from workers.videosdk_account import check_rsa_key, read_rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from workers.videosdk_account import VideoSdkAccount

PATH: Final = "/v2/public/rsa-public-key"
FETCH_SECONDS: Final = 3.0
"""How long VideoSDK may take to tell it, and a webhook waits for that."""
AGAIN_SECONDS: Final = 60.0
"""From one time it is asked to the next, while a key is at hand."""
MISSING_SECONDS: Final = 1.0
"""The same while there is none."""
THREAD: Final = "signing-key"
"""Name of the thread that asks."""

log = structlog.get_logger(__name__)


class SigningKey:
    """The key as this process knows it. For any number of threads and loops."""

    def __init__(
        self, account: VideoSdkAccount, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Make it; nobody is asked before somebody waits for a key.

        Args:
            account: whose webhooks are signed.
            monotonic: a clock that is never set, seconds.
        """
        self._url = account.url + PATH
        self._pinned = bool(account.webhook_key)
        self._key = read_rsa_key(account.webhook_key) if self._pinned else None
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked: Future[None] | None = None
        self._asked_at = float("-inf")

    @property
    def now(self) -> RSAPublicKey | None:
        """The key at hand; None: it is not known yet."""
        return self._key

    def newer(self, tried: RSAPublicKey | None) -> Future[None] | None:
        """What to wait for, `FETCH_SECONDS` at most, before another key than this is tried.

        However many wait, VideoSDK is asked once at a time.

        Returns:
            Done when VideoSDK was asked, whatever has come of it; None: the key will stay as it is
            for now.
        """
        with self._lock:
            if self._key is not tried:  # it has come while this one was tried
                return _done()
            since = self._monotonic() - self._asked_at
            if self._asked is not None and not self._asked.done():
                return self._asked if since < FETCH_SECONDS else None
            if self._pinned or since < (MISSING_SECONDS if tried is None else AGAIN_SECONDS):
                return None
            self._asked, self._asked_at = Future(), self._monotonic()
            # A thread of its own, not one of the loop or the pool: its name's look-up may hang
            # longer than any time-out, and must not keep the process from ending.
            threading.Thread(
                target=self._ask, args=(self._asked,), name=THREAD, daemon=True
            ).start()
            return self._asked

    def _ask(self, asked: Future[None]) -> None:
        try:
            key = asyncio.run(_fetched(self._url))
        except TimeoutError:
            self._failed(f"no answer within {FETCH_SECONDS:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            self._failed(str(error) or type(error).__name__)
        else:
            with self._lock:
                if self._key is None or self._key != key:
                    self._key = key
                    log.info("webhook_key_fetched", url=self._url)
        finally:
            asked.set_result(None)

    def _failed(self, why: str) -> None:
        todo = "let this machine reach it, or set VIDEOSDK_WEBHOOK_PUBLIC_KEY"
        log.warning("webhook_key_not_fetched", url=self._url, error=why, todo=todo)


async def _fetched(url: str) -> RSAPublicKey:
    """Ask for the key.

    Raises:
        TimeoutError, ClientError, OSError: there was no answer.
        ValueError, RecursionError: it is no key.
    """
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"it answers with {answer.status}")
        return _read(await whole(answer))


def _read(content: bytes) -> RSAPublicKey:
    text = content.decode().strip()
    told = {"publicKey": text} if text.startswith("-----BEGIN") else json.loads(text)
    pem = told.get("publicKey") if isinstance(told, dict) else None
    if not isinstance(pem, str):
        raise ValueError("it does not tell the publicKey")  # noqa: TRY004 - bad input
    return read_rsa_key(check_rsa_key(pem))


def _done() -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done
