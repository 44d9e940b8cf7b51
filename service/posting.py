"""Posting events as LiveKit would: signed with a configured key, over the bytes that are sent."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from livekit.api import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from workers.settings import Server

TRIES: Final = 5
_VALID: Final = timedelta(minutes=5)
_TIMEOUT_SECONDS: Final = 10


class NotPosted(Exception):
    """Nobody answered; the text is one line for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one event."""

    event_id: str
    event: str
    code: int
    said: str
    """The answer's `status` (`accepted`, …), or what was wrong."""

    @property
    def taken(self) -> bool:
        """Whether it was answered 200."""
        return self.code == http.HTTPStatus.OK


class Poster:
    """`with Poster(url, server) as poster: poster.post(event)`; one connection for all.

    Where that has ended since the last event, a new one takes its place.

    Args:
        url: the address of the webhook route.
        server: whose key and secret sign.
        wait: called with seconds before another try.
    """

    def __init__(
        self, url: str, server: Server, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._url = url
        self._server = server
        self._wait = wait
        parts = urlsplit(url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host, port = parts.hostname or "", parts.port
        self._connection = (
            http.client.HTTPSConnection(
                host, port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def post(self, body: Mapping[str, Any], raw: bytes | None = None) -> Answer:
        """Post an event; one without an id gets one, one without a time gets now.

        A 429 or 503 is tried again like LiveKit does, a few times.

        Args:
            body: the event.
            raw: its very bytes, to be sent as they are; only if it has an id.

        Raises:
            NotPosted: nobody answered.
        """
        whole = _whole(body)
        sent = raw if raw is not None and body.get("id") else json.dumps(whole).encode()
        headers = {
            "Content-Type": "application/webhook+json",
            "Authorization": _signature(sent, self._server),
        }
        for tried in range(1, TRIES + 1):
            code, said, again_in = self._send(sent, headers)
            if code not in (429, 503) or tried == TRIES:
                break
            self._wait(again_in)
        return Answer(str(whole["id"]), str(whole.get("event", "")), code, said)

    def _send(self, sent: bytes, headers: Mapping[str, str]) -> tuple[int, str, float]:
        is_reused = self._connection.sock is not None
        try:
            self._connection.request("POST", self._path, sent, dict(headers))
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if is_reused:  # the service ends what was idle; its id makes the event one
                return self._send(sent, headers)
            cause = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise NotPosted(
                f"{self._url}: {cause}: is `dispatcher up` running? --to names another address"
            ) from None
        again = answer.headers.get("Retry-After", "1")
        return answer.status, _said(content), float(again) if again.isdecimal() else 1.0


def _whole(body: Mapping[str, Any]) -> dict[str, Any]:
    """The event with an id and a time; LiveKit's times are whole seconds."""
    whole = dict(body)
    whole["id"] = whole.get("id") or f"EV_{secrets.token_urlsafe(9)}"
    created = whole.pop("created_at", None) or whole.pop("createdAt", None) or time.time()
    whole.pop("createdAt", None)
    try:
        whole["createdAt"] = str(int(float(created)))
    except (TypeError, ValueError, OverflowError):
        whole["createdAt"] = created  # the receiver says what is wrong with it
    return whole


def _signature(sent: bytes, server: Server) -> str:
    digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
    token = AccessToken(server.api_key, server.api_secret)
    return token.with_ttl(_VALID).with_sha256(digest).to_jwt()


def _said(content: bytes) -> str:
    try:
        answer = json.loads(content)
        return str(answer.get("status") if "detail" not in answer else answer["detail"])
    except (ValueError, AttributeError):
        return "an answer that is not ours: is --to the right address?"
